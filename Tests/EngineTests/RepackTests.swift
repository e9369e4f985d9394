import Coordination
import LinuxSystem
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import ShardStorage
import StorageNode
import SystemInterface
import TestKit
import Testing

@Suite("Repack")
struct RepackTests {
    @Test("nine in ten objects deleted: the room comes back, and the others are byte for byte what they were")
    func shrink() async throws {
        let count = 3_000
        let harness = try await RepackHarness.open(count: count) { configuration in
            configuration.disk.segmentLength = 1 << 20
            configuration.disk.growthLength = 128 << 10
            configuration.disk.reserveLength = 0
            configuration.disk.quarantine = .zero
        }
        let before = try await harness.segmentBytes()
        for number in 0..<count where number % 10 != 3 { try await harness.delete(RepackHarness.key(number)) }
        let repacker = try harness.repacker()
        try await repacker.pass()
        #expect(try await harness.sparseBlobs().isEmpty)
        #expect(repacker.progress.objectsMoved > count / 20)
        #expect(repacker.progress.objectsChanged == 0)
        try await harness.collectGarbage()
        // Footers end the segments that are open, so that all can be compacted.
        try await harness.store.close()
        try await harness.store.start()
        for (_, disk) in try harness.store.store.hosted { _ = try await disk.shards.compact() }
        let after = try await harness.segmentBytes()
        #expect(after * 3 < before, "\(before) bytes before, \(after) after")
        #expect(try await harness.wrongKeys().isEmpty)
        #expect(try await harness.store.store.metadata.statistics().versions == count / 10)
        // Any two disks may still go.
        for slot in [1, 4] { harness.store.disk(slot).isGone = true }
        #expect(try await harness.wrongKeys().isEmpty)
        for slot in [1, 4] { harness.store.disk(slot).isGone = false }
        try await harness.store.close()
    }

    @Test("a lease that has ended is noticed: the next repack, relabelling and checkpoint have another")
    func endedLease() async throws {
        let harness = try await RepackHarness.open(count: 60)
        let store = try harness.store.store
        for number in 0..<60 where number % 3 != 1 { try await harness.delete(RepackHarness.key(number)) }
        func endLeases() async throws {
            for (lease, _) in try await store.metadata.activeLeases() { try await store.metadata.endLease(lease) }
        }
        try await endLeases()
        await #expect(throws: StorageError.self) { _ = try await store.objects.commit(harness.writeRepack()) }
        let repack = try await harness.writeRepack()
        #expect(try await store.objects.commit(repack).moved > 0)

        let key = RepackHarness.key(1)
        let version = try #require(try await store.metadata.version(bucket: StoreHarness.bucket, key: key)).version
        let move = MoveTransaction.Move(
            owner: .version(bucket: StoreHarness.bucket, key: key, number: version.number),
            before: version.extents,
            after: version.extents,
            storageClass: "COLD"
        )
        try await endLeases()
        await #expect(throws: StorageError.self) { _ = try await store.objects.relabel([move]) }
        #expect(try await store.objects.relabel([move]) == 0)

        try await endLeases()
        await #expect(throws: (any Error).self) { try await store.checkpointer.take() }
        try await store.checkpointer.take()
        #expect(try await harness.wrongKeys().isEmpty)
        try await harness.store.close()
    }

    /// Goal: whatever happens to an object between the copying of its bytes and the move, the client's word wins.
    @Test("overwrites, deletes and tags between the writing and the move win")
    func races() async throws {
        let harness = try await RepackHarness.open(count: 60)
        let store = harness.store
        for number in 0..<60 where number % 3 != 1 { try await harness.delete(RepackHarness.key(number)) }
        let repack = try await harness.writeRepack()
        let moved = try await harness.keys(of: repack.sources)
        try #require(moved.count >= 6)
        try await harness.put(moved[0], Content.random(2_000, seed: 77))
        try await harness.put(moved[1], try #require(harness.expected[moved[1]]))
        try await harness.delete(moved[2])
        let tag = ObjectTag(key: "seen", value: "yes")
        try await store.objects.putTags(bucket: StoreHarness.bucket, key: moved[3], version: .current, tags: [tag])
        try await copy(store, moved[4], to: "copy")
        harness.expect("copy", harness.expected[moved[4]])
        try await harness.delete(moved[5])
        try await harness.put(moved[5], Content.random(3_000, seed: 78))

        let outcome = try await store.store.objects.commit(repack)
        #expect(outcome.moved == moved.count - 4 && outcome.refused == 4)
        #expect(try await harness.wrongKeys().isEmpty)
        #expect(try await store.head(moved[3]).tags == [tag])
        try await harness.collectGarbage()
        #expect(try await harness.wrongKeys().isEmpty)
        // What the copy still named of the old blob goes with the next pass.
        try await harness.repacker().pass()
        #expect(try await harness.sparseBlobs().isEmpty)
        try await harness.collectGarbage()
        #expect(try await harness.wrongKeys().isEmpty)
        try await store.close()
    }

    @Test("a repack of which every object was replaced meanwhile leaves nothing")
    func overtaken() async throws {
        let harness = try await RepackHarness.open(count: 40)
        let store = harness.store
        for number in 0..<40 where number % 4 != 0 { try await harness.delete(RepackHarness.key(number)) }
        let repack = try await harness.writeRepack()
        let blob = repack.record.id
        for key in try await harness.keys(of: repack.sources) {
            try await harness.put(key, Content.random(500, seed: 5))
        }
        let outcome = try await store.store.objects.commit(repack)
        #expect(outcome.moved == 0)
        #expect(try await store.store.metadata.blob(blob) == nil)
        #expect(try await harness.wrongKeys().isEmpty)
        try await harness.collectGarbage()
        let statistics = try await store.store.metadata.statistics()
        #expect(try await harness.shardCount() == statistics.blobs * 6)
        try await store.close()
    }

    /// Goal: clients that write, delete, copy and read while packs are rewritten and erased never see anything but
    /// what was acknowledged. Each client has keys of its own, so that it knows what they hold.
    @Test("under load no read is wrong and no copy finds its source gone", arguments: 1...2 as ClosedRange<UInt64>)
    func load(seed: UInt64) async throws {
        let harness = try await RepackHarness.open(seed: seed, count: 256)
        let store = harness.store
        let repacker = try harness.repacker()
        let repacking = Task {
            while !Task.isCancelled {
                try await repacker.pass()
                try? await store.time.sleep(for: .milliseconds(2))
            }
        }
        defer { repacking.cancel() }
        try await store.running {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in 0..<8 {
                    group.addTask { try await Self.work(harness, client: client, seed: seed) }
                }
                try await group.waitForAll()
            }
        }
        repacking.cancel()
        try await repacking.value
        #expect(repacker.progress.blobsDone > 10, "\(repacker.progress)")
        #expect(try await harness.wrongKeys().isEmpty)
        try await store.close()
        try await store.start()
        #expect(try await harness.wrongKeys().isEmpty)
        try await store.close()
    }

    private static func work(_ harness: RepackHarness, client: Int, seed: UInt64) async throws {
        var generator = SplitMix64(seed: seed &* 100 &+ UInt64(client))
        for round in 0..<200 {
            let key = RepackHarness.key(client + 8 * Int(generator.next() % 32))
            switch generator.next() % 8 {
            case 0...2: try await harness.delete(key)
            case 3: try await harness.put(key, RepackHarness.content(round, seed: generator.next()))
            case 4 where harness.expected[key] != nil:
                let copy = "copy-\(client)-\(round % 4)"
                try await Self.copy(harness.store, key, to: copy)
                harness.expect(copy, harness.expected[key])
            default:
                guard let expected = harness.expected[key] else { continue }
                #expect(try await harness.store.holds(key, expected))
            }
        }
    }

    @Test("shards that rotted do no harm; with too few left nothing is changed, and the others go on")
    func rot() async throws {
        let harness = try await RepackHarness.open(count: 200)
        let store = harness.store
        for number in 0..<200 where number % 5 != 0 { try await harness.delete(RepackHarness.key(number)) }
        let repacker = try harness.repacker()
        try await flipAll(store, slots: [0, 3])
        try await repacker.pass()
        #expect(try await harness.sparseBlobs().isEmpty)
        #expect(repacker.progress.waiting == 0)
        for slot in [0, 3] { store.disk(slot).clearFlips() }
        #expect(try await harness.wrongKeys().isEmpty)

        let rotten = try await harness.sparsePack("rotten", count: 40, keeping: 5)
        try await flipAll(store, slots: [0, 1, 2])
        try await repacker.pass()
        #expect(repacker.progress.waiting == rotten.count)
        #expect(try await Set(harness.sparseBlobs()) == rotten)
        // What is bad now is what was written by then; the packs of later objects are whole.
        let sound = try await harness.sparsePack("sound", count: 40, keeping: 5).subtracting(rotten)
        #expect(!sound.isEmpty)
        try await repacker.pass()
        #expect(try await Set(harness.sparseBlobs()) == rotten)
        for slot in [0, 1, 2] { store.disk(slot).clearFlips() }
        #expect(try await harness.wrongKeys().isEmpty)
        try await harness.repacker().pass()
        #expect(try await harness.sparseBlobs().isEmpty)
        #expect(try await harness.wrongKeys().isEmpty)
        try await store.close()
    }

    // MARK: Helpers

    private static func copy(_ store: StoreHarness, _ key: String, to copy: String) async throws {
        _ = try await store.objects.copy(
            CopyRequest(
                sourceBucket: StoreHarness.bucket,
                sourceKey: key,
                bucket: StoreHarness.bucket,
                key: copy,
                owner: StoreHarness.owner
            )
        )
    }

    private func copy(_ store: StoreHarness, _ key: String, to copy: String) async throws {
        try await Self.copy(store, key, to: copy)
    }

    /// Flips a bit in every fourth kilobyte of what is in the segments now.
    private func flipAll(_ store: StoreHarness, slots: [Int]) async throws {
        for slot in slots {
            let disk = store.disk(slot)
            for path in disk.files where path.hasPrefix("segments/") {
                let used = try #require(try await Self.usedLength(path, on: disk))
                for offset in stride(from: 8_192, to: used, by: 64) { disk.flip(path, offset: offset, mask: 4) }
            }
        }
    }

    /// The length without the zeros at the end of a segment.
    private static func usedLength(_ path: String, on disk: MemoryDisk) async throws -> Int? {
        guard let length = try await disk.mount().status(path)?.length else { return nil }
        let file = try await disk.mount().open(path, .read)
        let buffer = AlignedBuffer(capacity: length)
        let count = try await file.read(into: buffer, at: 0, count: length, from: 0)
        return buffer.mutableBytes.prefix(count).lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
    }
}

extension RepackHarness {
    /// Puts objects and deletes all but every `keeping`-th; returns the blobs that are sparse then.
    func sparsePack(_ prefix: String, count: Int, keeping: Int) async throws -> Set<BlobID> {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                group.addTask { try await self.put("\(prefix)-\(number)", Self.content(number, seed: 9)) }
            }
            try await group.waitForAll()
        }
        for number in 0..<count where number % keeping != 0 { try await delete("\(prefix)-\(number)") }
        return Set(try await sparseBlobs())
    }
}
