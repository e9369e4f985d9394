import Coordination
import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import ShardStorage
import StorageNode
import SystemInterface
import TestKit

/// Bits flip in live records, again and again, one in each of m shards of each blob: no wrong byte is served, one
/// verification finds every record that was hit, and all are written anew. More bits flip each alone, and back: a
/// record with several would not show of which of its bytes nobody takes care. Then one shard more than m: refused and
/// listed, or made whole from what is left.
package struct RotScenario: Scenario {
    private static let objectCount = 40
    private static let roundCount = 16
    /// Those that are left for repair, and those that flip back at once.
    private static let flipsPerRound = 320
    /// In every so many-th round all is read first.
    private static let readingRounds = 3
    private static let largestObject: UInt64 = 60_000
    /// Objects of several cells in each shard: more than two whole stripes.
    private static let largeObjects: UInt64 = 2
    private static let largeObject = 540_000
    /// How long repair may take before everything is verified once more.
    private static let repairTime = Duration.seconds(60)
    private static let repairPoll = Duration.milliseconds(200)
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
        let values = try await write(run, using: &generator)
        // A write may have left a shard behind, in a process that was held up: damage would come on top of that.
        try await run.waitUntilWhole()
        for round in 0..<Self.roundCount {
            try await flipAlone(Self.flipsPerRound - Self.parityCount * values.count, in: run, using: &generator)
            let hit = try await flip(in: run, shardsPerBlob: Self.parityCount, using: &generator)
            // Reads find, and have repaired, what they meet.
            if round % Self.readingRounds == 0 { try await run.readAll() }
            try await run.verifyOnce()
            try await checkFound(hit, in: run)
            try await waitUntilRepaired(run)
            try await checkWrittenAnew(hit, in: run)
        }
        try await run.waitUntilWhole()
        try await run.readAll()
        try await checkBeyondParity(values, in: run, using: &generator)
    }

    private func write(_ run: StoreRun, using generator: inout SplitMix64) async throws -> [WrittenValue] {
        var values: [WrittenValue] = []
        for number in 1...UInt64(Self.objectCount) + Self.largeObjects {
            let length = 1 + Int(generator.next() % Self.largestObject)
            let isLarge = number > Self.objectCount
            let value = WrittenValue(number: number, length: isLarge ? Self.largeObject + length : length)
            try await run.client(0).put(Self.key(of: value), value)
            values.append(value)
        }
        return values
    }

    private static func key(of value: WrittenValue) -> String { "object-\(value.number)" }

    // MARK: Flipping

    /// Records that were hit, by the disk that holds them.
    private typealias Hit = [Record]

    private struct Record: Hashable {
        var slot: Int
        var disk: DiskID
        var entry: IndexEntry
    }

    /// One that a checksum covers.
    private struct Bit {
        var record: Record
        /// From the beginning of the record.
        var offset: Int
        var mask: UInt8

        init(in record: Record, using generator: inout SplitMix64) {
            self.record = record
            let place = Int.random(in: 0..<Self.length(of: record.entry), using: &generator)
            // In the body of either kind of segment.
            let skipped = record.entry.isLarge && place >= record.entry.headerLength
            offset = skipped ? place - record.entry.headerLength + Block.size : place
            mask = 1 << UInt8.random(in: 0..<8, using: &generator)
        }

        /// Of a packed record all, from the first byte of its header to the last of its trailer; of a large one, which
        /// may have gaps, the header and what is body in either kind of segment.
        private static func length(of entry: IndexEntry) -> Int {
            guard !entry.isLarge else { return 2 * entry.headerLength + entry.bodyLength - Block.size }
            return RecordLayout(
                kind: .packed,
                headerLength: entry.headerLength,
                bodyCapacity: entry.bodyCapacity,
                trailerCapacity: entry.trailerCapacity
            ).trailerOffset + entry.trailerCapacity
        }
    }

    /// Flips a bit in each of so many shards of every blob, or of one.
    private func flip(
        in run: StoreRun,
        shardsPerBlob: Int,
        of blob: BlobID? = nil,
        using generator: inout SplitMix64
    ) async throws -> Hit {
        var hit: Hit = []
        for (id, records) in try await records(of: run).sorted(by: { $0.key < $1.key }) where blob == nil || id == blob
        {
            let sorted = records.sorted { $0.entry.shard < $1.entry.shard }
            for record in sorted.shuffled(using: &generator).prefix(shardsPerBlob) {
                run.world.countOperation()
                flip(Bit(in: record, using: &generator), in: run)
                hit.append(record)
            }
        }
        guard !hit.isEmpty else { throw BrokenPromise("there is nothing to flip bits in") }
        return hit
    }

    /// Flips bits each alone, looks whether verification sees it, and flips it back.
    private func flipAlone(_ count: Int, in run: StoreRun, using generator: inout SplitMix64) async throws {
        let all = try await records(of: run).sorted { $0.key < $1.key }.flatMap { blob in
            blob.value.sorted { $0.entry.shard < $1.entry.shard }
        }
        guard !all.isEmpty else { throw BrokenPromise("there is nothing to flip bits in") }
        let disks = await run.server.store().hosted.map(\.disk.shards)
        for _ in 0..<count {
            run.world.countOperation()
            let bit = Bit(in: all[Int(generator.next() % UInt64(all.count))], using: &generator)
            let shard = bit.record.entry.shard
            guard let disk = disks.first(where: { $0.identity.disk == bit.record.disk }) else { continue }
            flip(bit, in: run)
            let result = try await disk.verify(shard)
            flip(bit, in: run)
            // What was moved meanwhile was not hit.
            guard result.isGood, try await records(of: run)[shard.blob]?.contains(bit.record) == true else { continue }
            throw BrokenPromise("bit \(bit.mask) at \(bit.offset) of \(bit.record) was flipped, and counts as good")
        }
    }

    private func flip(_ bit: Bit, in run: StoreRun) {
        let entry = bit.record.entry
        let path = "\(DiskFolder.segments)/\(SegmentHeader.fileName(entry.segment))"
        run.world.disk(run.server.disk(bit.record.slot)).flip(path, offset: entry.offset + bit.offset, mask: bit.mask)
    }

    /// The records of every object's blobs. Those of checkpoints come and go.
    private func records(of run: StoreRun) async throws -> [BlobID: [Record]] {
        let store = await run.server.store()
        let slots = Dictionary(
            try await store.metadata.disks().map { ($0.id, $0.slot) },
            uniquingKeysWith: { first, _ in first }
        )
        var found: [BlobID: [Record]] = [:]
        for (_, disk) in store.hosted {
            let id = disk.shards.identity.disk
            guard let slot = (0..<StoreServer.slotCount).first(where: { StoreServer.slotName($0) == slots[id] }) else {
                continue
            }
            for entry in disk.shards.inventory(after: nil, limit: .max) {
                found[entry.shard.blob, default: []].append(Record(slot: slot, disk: id, entry: entry))
            }
        }
        for blob in found.keys.sorted() where try await store.metadata.owners(of: blob).isEmpty { found[blob] = nil }
        return found
    }

    // MARK: Checking

    /// Every record that was hit is known to be missing, or has been written anew already.
    private func checkFound(_ hit: Hit, in run: StoreRun) async throws {
        let store = await run.server.store()
        var suspects: Hit = []
        for record in hit {
            let shard = record.entry.shard
            // What nothing names any more is not verified.
            guard let blob = try await store.metadata.blob(shard.blob) else { continue }
            if !blob.missing.contains(shard.index) { suspects.append(record) }
        }
        // Looked at after that: repair may put a shard back at any time, and writes it before it says so.
        let now = Set(try await records(of: run).values.joined())
        guard let record = suspects.first(where: now.contains) else { return }
        let shard = record.entry.shard
        throw BrokenPromise("\(shard) in \(record.slot) has a flipped bit, and a verification did not find it")
    }

    /// What one verification found is repaired, and counted anew, without another one.
    private func waitUntilRepaired(_ run: StoreRun) async throws {
        let store = await run.server.store()
        let deadline = run.world.time.monotonic.advanced(by: Self.repairTime)
        while run.world.time.monotonic < deadline {
            if await store.lack().isEmpty { return }
            try await run.world.time.sleep(for: Self.repairPoll)
        }
        try await run.waitUntilWhole()
    }

    private func checkWrittenAnew(_ hit: Hit, in run: StoreRun) async throws {
        let store = await run.server.store()
        let now = Set(try await records(of: run).values.joined())
        for left in hit where now.contains(left) {
            guard try await store.metadata.blob(left.entry.shard.blob) != nil else { continue }
            throw BrokenPromise("\(left.entry.shard) in \(left.slot) has a flipped bit and was not written anew")
        }
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

extension IndexEntry {
    /// More than one cell: it may have been written piece by piece, in a segment of the other kind.
    fileprivate var isLarge: Bool { bodyCapacity > Leaf.size }
}
