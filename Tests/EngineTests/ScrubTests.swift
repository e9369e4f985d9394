import BlobStorage
import Coordination
import Metadata
import ObjectInterface
import ObjectModel
import StorageNode
import SystemInterface
import TestKit
import Testing

@Suite("The scrub: every byte within its time")
struct ScrubTests {
    private static let day = ScrubHarness.day

    /// Readings before the second pass begins: the first takes nine tenths of the period, less what headers take.
    private static func first(_ readings: [ScrubHarness.Reading]) -> [ScrubHarness.Reading] {
        readings.filter { $0.seconds < 12 * day }
    }

    @Test("every shard on every disk is read within the period, again and again, and not much more often")
    func period() async throws {
        let scrub = try await ScrubHarness.open()
        try scrub.start()
        for _ in 0..<30 {
            try await scrub.advance(days: 1)
            #expect(try scrub.status.oldestSeconds <= Int(14 * Self.day))
        }
        #expect(try await scrub.longestGap() <= 14)
        let count = try await scrub.placed().count
        #expect(count >= 6 * ScrubHarness.objects && scrub.readings.count <= 4 * count)
        // The reading is spread over the period, not done in one night.
        #expect(scrub.readings.count { $0.seconds < Self.day } < count / 3)
        await scrub.stop()
    }

    @Test("the age that is shown is that of the bytes that were not read for longest")
    func age() async throws {
        let scrub = try await ScrubHarness.open()
        try scrub.start()
        let disk = try await scrub.diskID(0)
        for _ in 0..<20 {
            try await scrub.advance(days: 1)
            let placed = try await scrub.placed().filter { $0.disk == disk }
            let last = placed.map { one in
                scrub.readings.last { $0.disk == disk && $0.shard == one.shard }?.seconds ?? 0
            }
            let real = scrub.seconds - (last.min() ?? 0)
            let shown = Double(try #require(try scrub.status.disks[disk]).oldestSeconds)
            // Never younger than it is, and not older by more than a part of a pass.
            #expect(shown >= real - 7_200 && shown <= real + 2 * Self.day, "\(shown / Self.day) for \(real / Self.day)")
        }
        await scrub.stop()
    }

    @Test("a restart in the middle goes on where it was", arguments: [false, true])
    func restart(isKilled: Bool) async throws {
        let scrub = try await ScrubHarness.open()
        try scrub.start()
        try await scrub.advance(days: 6)
        if isKilled { await scrub.kill() } else { await scrub.stop() }
        let before = Set(scrub.readings.map(\.shard))
        let count = scrub.readings.count
        #expect(before.count > 20 && before.count < 60)
        try scrub.start()
        try await scrub.advance(days: 7)
        let again = Self.first(Array(scrub.readings.dropFirst(count))).filter { before.contains($0.shard) }
        // One step a disk may be lost with a process that is killed.
        #expect(again.count <= (isKilled ? 6 : 0), "read again at \(again.map { $0.seconds / Self.day })")
        #expect(try await scrub.longestGap() <= 14)
        #expect(try scrub.status.disks.values.allSatisfy { $0.lastEnded != nil })
        await scrub.stop()
    }

    @Test(
        "a position that is lost, damaged, cut short or strange costs a new pass and nothing else",
        arguments: ["lost", "flipped", "cut", "strange", "unreadable"]
    )
    func position(what: String) async throws {
        let scrub = try await ScrubHarness.open()
        try scrub.start()
        try await scrub.advance(days: 6)
        await scrub.stop()
        let disk = MemoryDisk(device: 98)
        let before = scrub.diskOfPosition
        let length = try #require(before.length(ScrubFile.name))
        switch what {
        case "lost": scrub.replacePosition(disk)
        case "flipped": before.flip(ScrubFile.name, offset: length / 2, mask: 1)
        case "unreadable": before.inject(DiskFault(.read, pathPrefix: ScrubFile.name))
        default:
            let file = try await disk.mount().open(ScrubFile.name, .create)
            let bytes = what == "cut" ? Array("cairn-scrub 1\n".utf8) : [UInt8](repeating: 10, count: 5_000)
            try await file.write([BufferSlice(copying: bytes)], at: 0)
            try await file.sync()
            scrub.replacePosition(disk)
        }
        let restarted = scrub.seconds
        try scrub.start()
        try await scrub.advance(days: 0.1)
        #expect(try scrub.status.oldestSeconds <= Int(0.3 * Self.day))
        try await scrub.advance(days: 14)
        #expect(try await scrub.longestGap(since: restarted) <= 14)
        await scrub.stop()
    }

    @Test("a position that cannot be kept is said, and read on all the same")
    func unkept() async throws {
        let scrub = try await ScrubHarness.open()
        scrub.diskOfPosition.inject(DiskFault(.write, pathPrefix: ScrubFile.name))
        try scrub.start()
        try await scrub.advance(days: 1)
        #expect(!scrub.readings.isEmpty)
        let isKept = try scrub.status.problem.isEmpty
        // The fault strikes once: a later try keeps it.
        #expect(isKept)
        await scrub.stop()
    }

    @Test("a pause that was answered holds after a process that was killed at once")
    func pauseIsDurable() async throws {
        let scrub = try await ScrubHarness.open()
        try scrub.start()
        // Before its first look, too: what the run before kept does not take the operator's word back.
        await (try scrub.scrubber).load()
        try scrub.scrubber.pause()
        #expect(await (try scrub.scrubber).keep())
        await scrub.kill()
        try scrub.start()
        await (try scrub.scrubber).load()
        #expect(try scrub.status.isPaused)
        try scrub.scrubber.resume()
        scrub.diskOfPosition.inject(DiskFault(.write, pathPrefix: ScrubFile.name))
        #expect(await !(try scrub.scrubber).keep(), "said durable, though it was not written")
        await scrub.kill()
        try scrub.start()
        await (try scrub.scrubber).load()
        #expect(try scrub.status.isPaused)
        await scrub.stop()
    }

    @Test("a pause holds, over a restart too; resuming goes on and is in time")
    func pause() async throws {
        let scrub = try await ScrubHarness.open()
        try scrub.start()
        try await scrub.advance(days: 3)
        try scrub.scrubber.pause()
        try await scrub.advance(days: 0.1)
        let count = scrub.readings.count
        try await scrub.advance(days: 2)
        await scrub.stop()
        try scrub.start()
        try await scrub.advance(days: 2)
        #expect(scrub.readings.count == count)
        #expect(try scrub.status.isPaused)
        let disks: Set = [try await scrub.diskID(0)]
        #expect(try !scrub.scrubber.start(disks) && !scrub.scrubber.start(bucket: StoreHarness.bucket))
        try scrub.scrubber.resume()
        try await scrub.advance(days: 6.5)
        #expect(try await scrub.longestGap() <= 14)
        let first = Self.first(scrub.readings).map(\.shard)
        #expect(Set(first).count == first.count)
        await scrub.stop()
    }

    @Test("one disk paused: the others are read")
    func pauseOne() async throws {
        let scrub = try await ScrubHarness.open()
        try scrub.start()
        let disk = try await scrub.diskID(2)
        try await scrub.advance(days: 0.1)
        try scrub.scrubber.pause([disk])
        try await scrub.advance(days: 0.1)
        let count = scrub.readings.count { $0.disk == disk }
        try await scrub.advance(days: 13)
        #expect(scrub.readings.count { $0.disk == disk } == count)
        let status = try scrub.status
        for (id, walk) in status.disks {
            #expect((walk.lastEnded == nil) == (id == disk) && walk.isPaused == (id == disk))
        }
        await scrub.stop()
    }

    @Test("run now on a disk reads that disk, all of it, and no other")
    func nowDisk() async throws {
        let scrub = try await ScrubHarness.open(period: 1_000)
        try scrub.start()
        try await scrub.advance(days: 20)
        let disk = try await scrub.diskID(3)
        let count = scrub.readings.count
        let others = try scrub.status.disks.filter { $0.key != disk }.mapValues(\.bytesDone)
        // As it was before: nothing reads while nothing is due for a while.
        try scrub.scrubber.pause(Set(others.keys))
        try await scrub.advance(days: 0.1)
        #expect(try scrub.scrubber.start([disk]))
        try await scrub.advance(days: 0.1)
        let new = scrub.readings.dropFirst(count)
        let placed = try await scrub.placed().filter { $0.disk == disk }
        #expect(Set(new.filter { $0.disk == disk }.map(\.shard)) == Set(placed.map(\.shard)))
        let status = try scrub.status
        #expect(try #require(status.disks[disk]).oldestSeconds < Int(0.3 * Self.day))
        #expect(others.allSatisfy { status.disks[$0.key]?.oldestSeconds ?? 0 > Int(19 * Self.day) })
        await scrub.stop()
    }

    @Test("run now on a bucket reads what its objects have on all disks, and nothing else; a restart goes on")
    func nowBucket() async throws {
        let scrub = try await ScrubHarness.open(objects: 3, period: 1_000)
        let bucket = "other"
        try await scrub.harness.objects.createBucket(bucket, owner: StoreHarness.owner, region: "us-east-1")
        for number in 0..<5 {
            let bytes = ScrubHarness.content(50 + number)
            let request = PutRequest(
                bucket: bucket,
                key: "key-\(number)",
                owner: StoreHarness.owner,
                length: bytes.count,
                attributes: ObjectAttributes()
            )
            _ = try await scrub.harness.objects.put(request, body: ArrayBody(bytes))
        }
        try scrub.start()
        try await scrub.advance(days: 0.1)
        try scrub.scrubber.pause(Set(scrub.status.disks.keys))
        try await scrub.advance(days: 0.1)
        let count = scrub.readings.count
        var expected: Set<ShardID> = []
        for number in 0..<5 {
            let detail = try await scrub.store.metadata.version(bucket: bucket, key: "key-\(number)")
            for blob in try #require(detail).blobs.keys {
                expected.formUnion((0..<6).map { ShardID(blob: blob, index: $0) })
            }
        }
        try scrub.scrubber.resume()
        #expect(try scrub.scrubber.start(bucket: bucket))
        #expect(try !scrub.scrubber.start(bucket: bucket))
        try scrub.scrubber.pause(Set(scrub.status.disks.keys))
        // What was asked for is not forgotten by a restart.
        await scrub.stop()
        try scrub.start()
        try await scrub.advance(days: 0.2) { try scrub.status.bucket?.ended != nil }
        #expect(Set(scrub.readings.dropFirst(count).map(\.shard)) == expected)
        let job = try #require(try scrub.status.bucket)
        #expect(job.objects == 5 && job.shards == expected.count && job.bad == 0 && job.ended != nil)
        await scrub.stop()
    }

    @Test("a disk that is away is not said to be read, and is read on when it is back")
    func away() async throws {
        let scrub = try await ScrubHarness.open()
        try scrub.start()
        let disk = try await scrub.diskID(1)
        try await scrub.advance(days: 5)
        let view = try scrub.store.blobs.view
        view.noteUnusable(disk)
        try await scrub.advance(days: 0.1)
        let count = scrub.readings.count { $0.disk == disk }
        let done = try #require(try scrub.status.disks[disk]).bytesDone
        try await scrub.advance(days: 3)
        let walk = try #require(try scrub.status.disks[disk])
        #expect(scrub.readings.count { $0.disk == disk } == count && walk.bytesDone == done && walk.isWaiting)
        try await scrub.store.watchDisks()
        try await scrub.advance(days: 5)
        #expect(try await scrub.longestGap() <= 14)
        let shards = Self.first(scrub.readings).filter { $0.disk == disk }.map(\.shard)
        #expect(Set(shards).count == shards.count)
        await scrub.stop()
    }

    @Test("a count of everything that an operator asked for need not be done again soon")
    func credit() async throws {
        let scrub = try await ScrubHarness.open()
        try scrub.start()
        try await scrub.advance(days: 4)
        let verifier = Verifier(metadata: try scrub.store.metadata, blobs: try scrub.store.blobs, time: scrub.time)
        let scrubber = try scrub.scrubber
        verifier.onEnd { scrubber.note($0) }
        verifier.request()
        await verifier.pass()
        #expect(verifier.report.shardsVerified == verifier.report.shardsExpected && verifier.report.isCurrent)
        try await scrub.advance(days: 0.1)
        #expect(try scrub.status.oldestSeconds < Int(0.3 * Self.day))
        try await scrub.advance(days: 25)
        #expect(try await scrub.longestGap() <= 14)
        await scrub.stop()
    }
}
