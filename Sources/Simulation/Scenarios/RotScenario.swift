import Coordination
import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import ShardStorage
import StorageNode
import SystemInterface
import TestKit

/// Bits flip in live records, again and again, in at most m shards of each blob: no wrong byte is served, one
/// verification finds every record that was hit, and all are written anew. Then one shard more: refused and listed, or
/// made whole from what is left.
package struct RotScenario: Scenario {
    private static let objectCount = 40
    private static let roundCount = 10
    private static let flipsPerRound = 500
    private static let largestObject: UInt64 = 60_000
    /// m of the scheme.
    private static let parityCount = 2

    package init() {}

    package var name: String { "rot" }

    /// That an object with more bad shards than parities was refused, and listed.
    private static let refusal = "unreadableRefused"
    package var deeds: [String] { [Self.refusal] }

    package var summary: String {
        "\(Self.roundCount * Self.flipsPerRound) flipped bits in live records of at most \(Self.parityCount) shards of "
            + "each blob"
    }

    package func run(world: World, without faults: Set<Int>) async throws {
        let run = StoreRun(plan: .quiet, world: world)
        defer { run.server.end() }
        run.server.start()
        try await run.createBucket(region: "us-east-1")
        var generator = SplitMix64(seed: world.random.next())
        var values: [WrittenValue] = []
        for number in 1...UInt64(Self.objectCount) {
            let value = WrittenValue(number: number, length: 1 + Int(generator.next() % Self.largestObject))
            try await run.client(0).put(Self.key(of: value), value)
            values.append(value)
        }
        // A write may have left a shard behind, in a process that was held up: damage would come on top of that.
        try await run.waitUntilWhole()
        for round in 0..<Self.roundCount {
            let hit = try await flip(in: run, shardsPerBlob: Self.parityCount, using: &generator)
            if round % 2 == 0 {
                // Reads find, and have repaired, what they meet.
                try await run.readAll()
            } else {
                try await run.verifyOnce()
                try await checkFound(hit, in: run)
            }
            try await run.waitUntilWhole()
            try await checkWrittenAnew(hit, in: run)
            try await run.readAll()
        }
        try await checkBeyondParity(values, in: run, using: &generator)
    }

    private static func key(of value: WrittenValue) -> String { "object-\(value.number)" }

    // MARK: Flipping

    /// Records that were hit, by the disk that holds them.
    private typealias Hit = [Record]

    private struct Record: Hashable {
        var slot: Int
        var entry: IndexEntry
    }

    private func flip(
        in run: StoreRun,
        shardsPerBlob: Int,
        of blob: BlobID? = nil,
        using generator: inout SplitMix64
    ) async throws -> Hit {
        var targets: [Record] = []
        for (id, records) in try await records(of: run).sorted(by: { $0.key < $1.key }) where blob == nil || id == blob
        {
            let sorted = records.sorted { $0.entry.shard < $1.entry.shard }
            targets += sorted.shuffled(using: &generator).prefix(shardsPerBlob)
        }
        guard !targets.isEmpty else { throw BrokenPromise("there is nothing to flip bits in") }
        var hit: Set<Record> = []
        var flipped: Set<[Int]> = []
        // With one blob meant, each of its shards must be hit.
        let count = blob == nil ? Self.flipsPerRound : targets.count
        for number in 0..<count {
            let target = blob == nil ? targets[Int(generator.next() % UInt64(targets.count))] : targets[number]
            let offset = target.entry.offset + Int(generator.next() % UInt64(Self.length(of: target.entry)))
            let bit = Int(generator.next() % 8)
            // The same bit twice would be whole again.
            guard flipped.insert([target.slot, Int(target.entry.segment), offset, bit]).inserted else { continue }
            let path = "\(DiskFolder.segments)/\(SegmentHeader.fileName(target.entry.segment))"
            run.world.disk(run.server.disk(target.slot)).flip(path, offset: offset, mask: 1 << UInt8(bit))
            run.world.countOperation()
            hit.insert(target)
        }
        return Array(hit)
    }

    /// Bytes of a packed record, from the first of its header to the last of its trailer.
    private static func length(of entry: IndexEntry) -> Int {
        RecordLayout(
            kind: .packed,
            headerLength: entry.headerLength,
            bodyCapacity: entry.bodyCapacity,
            trailerCapacity: entry.trailerCapacity
        ).trailerOffset + entry.trailerCapacity
    }

    /// The packed records of every blob.
    private func records(of run: StoreRun) async throws -> [BlobID: [Record]] {
        let store = await run.server.store()
        let slots = Dictionary(
            try await store.metadata.disks().map { ($0.id, $0.slot) },
            uniquingKeysWith: { first, _ in first }
        )
        var found: [BlobID: [Record]] = [:]
        for (_, disk) in store.hosted {
            let name = slots[disk.shards.identity.disk]
            guard let slot = (0..<StoreServer.slotCount).first(where: { StoreServer.slotName($0) == name }) else {
                continue
            }
            // More than one cell is a shard that was written piece by piece, in a segment of the other kind.
            for entry in disk.shards.inventory(after: nil, limit: .max) where entry.bodyCapacity <= Leaf.size {
                found[entry.shard.blob, default: []].append(Record(slot: slot, entry: entry))
            }
        }
        return found
    }

    // MARK: Checking

    /// Every record that was hit is known to be missing, or has been written anew already.
    private func checkFound(_ hit: Hit, in run: StoreRun) async throws {
        let store = await run.server.store()
        let now = Set(try await records(of: run).values.joined())
        for record in hit where now.contains(record) {
            let shard = record.entry.shard
            guard try await store.metadata.blob(shard.blob)?.missing.contains(shard.index) == true else {
                throw BrokenPromise("\(shard) in \(record.slot) has flipped bits, and a verification did not find it")
            }
        }
    }

    private func checkWrittenAnew(_ hit: Hit, in run: StoreRun) async throws {
        let now = Set(try await records(of: run).values.joined())
        guard let left = hit.first(where: now.contains) else { return }
        throw BrokenPromise("\(left.entry.shard) in \(left.slot) has flipped bits and was not written anew")
    }

    /// With m + 1 shards hit the object is refused and named, and the others are served. A flip may have left a shard's
    /// bytes alone: then it is repaired.
    private func checkBeyondParity(
        _ values: [WrittenValue],
        in run: StoreRun,
        using generator: inout SplitMix64
    ) async throws {
        let store = await run.server.store()
        guard let value = values.first else { return }
        let key = Self.key(of: value)
        guard let blob = try await blob(of: key, in: store) else { throw BrokenPromise("\(key) has no blob") }
        let sharing = try await store.metadata.owners(of: blob).map(\.key)
        _ = try await flip(in: run, shardsPerBlob: Self.parityCount + 1, of: blob, using: &generator)
        // A flip where no read looks may be met by none: verification sees it.
        try await run.verifyOnce()
        let listed = try await store.status().unreadable
        switch await StoreClient.read(key, range: nil, from: store.objects) {
        case .failed(let error) where error.code == .unreadable:
            guard listed.contains(where: { $0.key == key }) else {
                throw BrokenPromise("\(key) has \(Self.parityCount + 1) bad shards and is not listed: \(listed)")
            }
            run.world.countDeeds(Self.refusal, 1)
        case .bytes(let bytes, _, let length, _) where length == value.length && bytes == value.bytes: break
        case let other: throw BrokenPromise("\(key) beyond m: \(other)")
        }
        for other in values.map(Self.key(of:)) where !sharing.contains(other) {
            try await run.client(0).read(other, range: nil)
        }
    }

    private func blob(of key: String, in store: Store) async throws -> BlobID? {
        for id in try await store.metadata.blobs(after: nil, limit: 256).map(\.id) {
            if try await store.metadata.owners(of: id).contains(where: { $0.key == key }) { return id }
        }
        return nil
    }
}
