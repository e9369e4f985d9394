import Coordination
import DiskFormat
import JournalStorage
import Metadata
import ObjectInterface
import ObjectModel
import ShardStorage
import StorageNode
import Synchronization
import SystemInterface
import TestKit
import Testing

@Suite("A store outlives its disks")
struct StoreDiskLossTests {
    static let sizes = [0, 700, 90_000, 1 << 20, (1 << 20) + 1, (5 << 20) + 99, (13 << 20) + 1]

    private static func fill(_ store: StoreHarness) async throws {
        for size in sizes {
            try await store.put("random-\(size)", Content.random(size))
            try await store.put("even-\(size)", Content.compressible(size))
        }
    }

    private static func check(_ store: StoreHarness, _ note: String = "") async throws {
        for size in sizes {
            #expect(try await store.holds("random-\(size)", Content.random(size)), "random \(size) \(note)")
            #expect(try await store.holds("even-\(size)", Content.compressible(size)), "even \(size) \(note)")
        }
    }

    @Test("a status tells of each disk how many of its shards are missing")
    func missingByDisk() async throws {
        let store = try await StoreHarness.open()
        try await store.put("k", Content.random(90_000))
        let blob = try #require(try await store.store.metadata.blobs(after: nil, limit: 1).first)
        try await store.store.metadata.markMissing(wherePlaced: [1, 4].map { ShardID(blob: blob.id, index: $0) })
        let members = try await store.store.metadata.groups().first { $0.id == blob.group }?.members
        for disk in try await store.store.status().disks {
            let place = members?.firstIndex(of: disk.record.id)
            #expect(disk.missingShards == (place == 1 || place == 4 ? 1 : 0))
        }
        try await store.close()
    }

    @Test("with any two of six disks gone everything is read back")
    func anyTwoLost() async throws {
        let store = try await StoreHarness.open()
        try await Self.fill(store)
        for first in 0..<6 {
            for second in first + 1..<6 {
                for slot in [first, second] { store.disk(slot).isGone = true }
                try await Self.check(store, "without \(first) and \(second)")
                for slot in [first, second] { store.disk(slot).isGone = false }
            }
        }
        try await store.close()
    }

    @Test("a PUT goes on with one disk gone, and with two it is refused and leaves nothing")
    func writes() async throws {
        let store = try await StoreHarness.open()
        try await Self.fill(store)
        store.disk(4).isGone = true
        for size in [900, 6 << 20] { try await store.put("one-gone-\(size)", Content.random(size)) }
        store.disk(1).isGone = true
        for size in [900, 6 << 20] {
            #expect(await code(of: { try await store.put("two-gone", Content.random(size)) }) == .unavailable)
            #expect(try await store.holds("one-gone-\(size)", Content.random(size)))
        }
        #expect(await code(of: { _ = try await store.get("two-gone") }) == .noSuchKey)
        try await Self.check(store)
        try await store.delete("random-700")
        #expect(await code(of: { _ = try await store.get("random-700") }) == .noSuchKey)
        try await store.close()
    }

    /// Found by the simulator: PUT said that the disks were full.
    @Test("a disk whose journal log failed while its reserve was in use takes shards: a PUT goes on with one more gone")
    func failedLog() async throws {
        let store = try await StoreHarness.open { $0.keeper = KeeperLog.Configuration(fileLength: 64 << 10) }
        store.disk(0).inject(DiskFault(.allocate, pathPrefix: "journal/new", times: .max))
        for number in 0..<40 { try await store.put("filler-\(number)", Content.random(100)) }
        try await store.store.watchDisks()
        let first = try await store.store.metadata.disks().first { $0.slot == StoreHarness.name(0) }
        let hosted = try store.store.hosted.first { $0.disk.shards.identity.disk == first?.id }
        let log = try #require(hosted?.disk.journal)
        #expect(log.failure != nil && !log.isReserveWhole)
        store.disk(5).isGone = true
        try await store.store.watchDisks()
        try await store.put("object", Content.random(1_000))
        try await store.close()
    }

    @Test("replaced disks are filled again, and a verification counts every shard")
    func replacement() async throws {
        let store = try await StoreHarness.open()
        try await Self.fill(store)
        try await store.running {
            for slot in [0, 3] {
                store.swapDisk(slot)
                _ = try await store.store.replaceDisk(inSlot: StoreHarness.name(slot))
            }
            try await store.wait { try await Self.isWhole(store) }
        }
        // Now any other two may go.
        for slot in [1, 2] { store.disk(slot).isGone = true }
        try await Self.check(store, "after the rebuild")
        for slot in [1, 2] { store.disk(slot).isGone = false }
        try await store.close()
        try await store.start()
        try await Self.check(store, "after a restart")
        try await store.close()
    }

    /// Found by killing the server at each file call of a replacement: two disks stayed in use in one slot, and the
    /// store never became whole again.
    @Test(
        "a replacement that was cut off is ended by the next start, or by the next replacement",
        arguments: [false, true]
    )
    func replacementCutOff(isNewDiskGone: Bool) async throws {
        let store = try await StoreHarness.open()
        try await Self.fill(store)
        let name = StoreHarness.name(2)
        try await store.running {
            let metadata = try store.store.metadata
            let old = try #require(try await metadata.disks().first { $0.slot == name })
            store.swapDisk(2)
            let new = try await store.store.replaceDisk(inSlot: name).new
            // As it is when only the new disk's record has been put.
            try await metadata.replaceMember(new, with: old.id)
            var revived = old
            revived.epoch += 2
            try await metadata.putDisk(revived)
        }
        if isNewDiskGone { store.swapDisk(2) }
        try await store.close()
        try await store.start()
        try await store.running {
            if isNewDiskGone { _ = try await store.store.replaceDisk(inSlot: name) }
            try store.store.verifier.request()
            try await store.wait { try await Self.isWhole(store) }
            let active = try await store.store.metadata.disks().filter { $0.state == .active }
            #expect(active.count == 6)
        }
        try await Self.check(store, "after the replacement")
        try await store.close()
    }

    /// A store with three keepers, of which one may be lost, and the slots of the keepers.
    private static func openWithThreeKeepers() async throws -> (StoreHarness, slots: [Int]) {
        let store = try await StoreHarness.open(scheme: "rs-2-2", disks: 4)
        try await fill(store)
        let slots = try await keeperSlots(of: store)
        try #require(slots.count == 3)
        return (store, slots)
    }

    /// Found by failing every write and sync of a replacement: it waited for the journal, the journal waited for a log
    /// that nobody opened again while a replacement went on, and after 30 s the store stopped.
    @Test(
        "a keeper's log that fails while another keeper's disk is replaced is opened again; the replacement goes on",
        arguments: [DiskOperation.write, .sync]
    )
    func logFailsDuringReplacement(operation: DiskOperation) async throws {
        let (store, slots) = try await Self.openWithThreeKeepers()
        try await store.running {
            store.disk(slots[1]).inject(DiskFault(operation, pathPrefix: "journal/"))
            store.swapDisk(slots[0])
            _ = try await store.store.replaceDisk(inSlot: StoreHarness.name(slots[0]))
            try await store.wait { try await Self.isWhole(store) }
        }
        try await Self.check(store, "after the replacement")
        try await store.close()
    }

    private static func comeBack(_ slot: Int, whileReplacing other: Int, of store: StoreHarness) async throws {
        store.disk(slot).isGone = true
        store.swapDisk(other)
        async let replacement: Void = replace(other, of: store)
        try await waitUntilAway(slot, of: store)
        store.disk(slot).isGone = false
        try await replacement
        try await store.wait { try await Self.isWhole(store) }
    }

    private static func waitUntilAway(_ slot: Int, of store: StoreHarness) async throws {
        let name = StoreHarness.name(slot)
        try await store.wait { try store.store.absentSlots.map(\.slot).contains(name) }
    }

    private static func replace(_ slot: Int, of store: StoreHarness) async throws {
        _ = try await store.store.replaceDisk(inSlot: StoreHarness.name(slot))
    }

    @Test("a keeper's disk that goes and comes back while another keeper's disk is replaced is taken up again")
    func returnedDuringReplacement() async throws {
        let (store, slots) = try await Self.openWithThreeKeepers()
        try await store.running { try await Self.comeBack(slots[1], whileReplacing: slots[0], of: store) }
        try await Self.check(store, "after the replacement")
        try await store.close()
    }

    /// Found by hand: a start that is forced makes a set which the metadata had not heard of, and every later change
    /// was refused.
    @Test(
        "keepers that a forced start went on without come back, also when they had changed before",
        arguments: [false, true]
    )
    func keepersAfterForcedStart(hadChanged: Bool) async throws {
        let isForced = Atomic(false)
        let store = try await StoreHarness.open(scheme: "rs-2-2", disks: 4) {
            $0.forcesJournal = isForced.load(ordering: .relaxed)
        }
        try await Self.fill(store)
        if hadChanged {
            let first = try #require(try await Self.keeperSlots(of: store).first)
            store.swapDisk(first)
            try await store.running {
                try await Self.replace(first, of: store)
                try await store.wait { try await Self.isWhole(store) }
            }
        }
        let lost = try await Self.keeperSlots(of: store).prefix(2)
        for slot in lost { store.disk(slot).isGone = true }
        isForced.store(true, ordering: .relaxed)
        try await store.crash()
        #expect(try store.store.journal.report.keepers.keepers.count < 3)
        for slot in lost { store.disk(slot).isGone = false }
        try await store.running {
            try await store.wait { try store.store.journal.report.keepers.keepers.count == 3 }
        }
        isForced.store(false, ordering: .relaxed)
        try await store.crash()
        try await Self.check(store, "after the start behind it")
        try await store.close()
    }

    private static func keeperSlots(of store: StoreHarness) async throws -> [Int] {
        let keepers = try store.store.journal.report.keepers
        let records = try await store.store.metadata.disks().filter { $0.isInUse && keepers.contains($0.id) }
        return store.disks.indices.filter { slot in records.contains { $0.slot == StoreHarness.name(slot) } }
    }

    /// Found by killing the server at each file call of a replacement: now and then the next one was told that another
    /// disk was being replaced, when the store itself had looked at its keepers at that moment.
    @Test("a replacement waits for a step of the background instead of being refused")
    func replacementWaits() async throws {
        let (store, slots) = try await Self.openWithThreeKeepers()
        let slow = store.disk(slots[1])
        slow.inject(DiskFault(.write, pathPrefix: "journal/", times: .max))
        try await store.put("object", Content.random(1_000))
        try await store.wait { try store.store.hosted.contains { $0.disk.journal?.failure != nil } }
        slow.clearFaults()
        try await store.store.watchDisks()
        let isHeld = Atomic(true)
        let isReached = Atomic(false)
        slow.setLatency { operation, path, _ in
            guard operation == .status, path == "journal/promise" else { return }
            isReached.store(true, ordering: .relaxed)
            while isHeld.load(ordering: .relaxed) { try? await Task.sleep(for: .milliseconds(2)) }
        }
        let step = Task { try await store.store.mendKeepers() }
        try await store.wait { isReached.load(ordering: .relaxed) }
        store.swapDisk(slots[0])
        let replacement = Task { try await store.store.replaceDisk(inSlot: StoreHarness.name(slots[0])) }
        try await Task.sleep(for: .milliseconds(100))
        isHeld.store(false, ordering: .relaxed)
        try await step.value
        _ = try await replacement.value
        try await Self.check(store, "after the replacement")
        try await store.close()
    }

    @Test("a disk that comes back while the store serves is taken up again and gets what it missed")
    func returned() async throws {
        let store = try await StoreHarness.open()
        try await Self.fill(store)
        store.disk(2).isGone = true
        try await store.store.watchDisks()
        #expect(try store.store.absentSlots.map(\.slot) == [StoreHarness.name(2)])
        for size in [900, 6 << 20] { try await store.put("missed-\(size)", Content.random(size)) }
        store.disk(2).isGone = false
        try await store.store.takeUpReturned()
        #expect(try store.store.absentSlots.isEmpty)
        try await store.running { try await store.wait { try await Self.isWhole(store) } }
        // Now it is needed.
        for slot in [0, 5] { store.disk(slot).isGone = true }
        try await Self.check(store, "after the return")
        for size in [900, 6 << 20] { #expect(try await store.holds("missed-\(size)", Content.random(size))) }
        for slot in [0, 5] { store.disk(slot).isGone = false }
        try await store.close()
    }

    /// Nothing is missing, and a verification has counted every shard.
    private static func isWhole(_ store: StoreHarness) async throws -> Bool {
        let status = try await store.store.status()
        let report = status.verification
        return status.statistics.missingShards == 0 && report.isCurrent && report.shardsExpected > 0
            && report.shardsVerified == report.shardsExpected
    }

    @Test("a healthy disk and one that is not empty are not replaced")
    func noReplacement() async throws {
        let store = try await StoreHarness.open()
        await #expect(throws: DiskReplacementError.isHealthy("site-1/node-1/disk-1")) {
            _ = try await store.store.replaceDisk(inSlot: "disk-1")
        }
        await #expect(throws: DiskReplacementError.noSuchDisk("disk-9")) {
            _ = try await store.store.replaceDisk(inSlot: "disk-9")
        }
        try await store.close()
    }

    @Test("every byte of a header flipped, each in a shard of its own: found by one verification, and repaired")
    func headers() async throws {
        let headerLength = 108
        let store = try await StoreHarness.open()
        // One after the other: each is a blob of its own.
        for number in 0..<headerLength { try await store.put("\(number)", Content.random(900 + number)) }
        for slot in [1, 4] {
            let shards = try store.store.hosted.map(\.disk.shards)
            let disk = try #require(
                shards.first { ($0.fileSystem as? MemoryFileSystem)?.disk === store.disk(slot) }
            )
            let entries = disk.inventory(after: nil, limit: 1_000)
            #expect(entries.count >= headerLength)
            for (number, entry) in entries.prefix(headerLength).enumerated() {
                let path = "segments/\(SegmentHeader.fileName(entry.segment))"
                let byte = (number + slot * 27) % headerLength
                #expect(store.disk(slot).flip(path, offset: entry.offset + byte, mask: 1 << UInt8(number % 8)))
            }
        }
        try await store.running {
            try store.store.verifier.request()
            try await store.wait {
                let status = try await store.store.status()
                let report = status.verification
                return status.statistics.missingShards == 0 && report.isCurrent && report.shardsExpected > 0
                    && report.shardsVerified == report.shardsExpected && report.shardsBad >= 2 * headerLength
            }
        }
        // The repair of a few shards has cost no second reading of all: the count was corrected.
        for slot in [0, 2] { store.disk(slot).isGone = true }
        for number in 0..<headerLength { #expect(try await store.holds("\(number)", Content.random(900 + number))) }
        for slot in [0, 2] { store.disk(slot).isGone = false }
        try await store.close()
    }

    @Test("flipped bits are never served; they are found, and repaired", arguments: 1...4 as ClosedRange<UInt64>)
    func flips(seed: UInt64) async throws {
        let store = try await StoreHarness.open(seed: seed)
        try await Self.fill(store)
        var generator = SplitMix64(seed: seed)
        let slots = [Int(seed % 6), Int((seed + 2) % 6)]
        for slot in slots {
            let disk = store.disk(slot)
            for path in disk.files where path.hasPrefix("segments/") {
                let length = try await disk.mount().status(path)?.length ?? 0
                for _ in 0..<400 where length > 0 {
                    let offset = Int(generator.next() % UInt64(length))
                    disk.flip(path, offset: offset, mask: 1 << UInt8(generator.next() % 8))
                }
            }
        }
        try await Self.check(store, "with flips on \(slots)")
        try await store.running {
            try store.store.verifier.request()
            try await store.wait {
                let status = try await store.store.status()
                guard status.statistics.missingShards == 0, status.verification.isCurrent else { return false }
                if status.verification.shardsVerified == status.verification.shardsExpected { return true }
                try store.store.verifier.request()
                return false
            }
        }
        let others = (0..<6).filter { !slots.contains($0) }.prefix(2)
        for slot in others { store.disk(slot).isGone = true }
        try await Self.check(store, "without \(Array(others)), after the repair")
        try await store.close()
    }

    /// Found by hand: the status was OK, and two disks more would have been two too many.
    @Test("a disk that is put back as it was before lacks what came since, which is found at the start")
    func olderCopy() async throws {
        let store = try await StoreHarness.open()
        for number in 0..<40 { try await store.put("early-\(number)", Content.random(3_000)) }
        try await store.close()
        let old = store.disk(2).copy()
        try await store.start()
        for number in 0..<40 { try await store.put("late-\(number)", Content.random(3_000)) }
        try await store.close()
        store.putBack(old, 2)
        try await store.start()
        #expect(try await store.store.metadata.missingShardCount() == 0)
        #expect(await (try store.store).inventory.pass())
        let missing = try await store.store.metadata.missingShards(limit: 1_000)
        let disk = try await store.store.metadata.disks().first { $0.slot == StoreHarness.name(2) }?.id
        let groups = try await store.store.metadata.groups()
        #expect(!missing.isEmpty)
        for shard in missing {
            #expect(groups.first { $0.id == shard.group }?.members[Int(shard.shard.index)] == disk)
        }
        try await store.store.repairer.pass()
        #expect(try await store.store.metadata.missingShardCount() == 0)
        // Compared once more, nothing is found.
        #expect(await (try store.store).inventory.pass())
        #expect(try await store.store.metadata.missingShardCount() == 0)
        try await store.close()
    }

    /// Found by the simulator, seed 273 of `store`: what lay on such a disk was never collected.
    @Test("a disk that an old copy of the database takes for in use, and the journal for retired, is not served")
    func retiredSince() async throws {
        let store = try await StoreHarness.open(scheme: "rs-1-2", disks: 6)
        try await store.put("object", Content.random(1_000))
        let keepers = try store.store.journal.report.keepers
        let retired = try #require(try await store.store.metadata.disks().first { !keepers.contains($0.id) }).id
        let before = store.database.copy()
        _ = try await store.store.beginMoves(.empty([retired]))
        func isRetired() async throws -> Bool {
            try await store.store.metadata.disks().contains { $0.id == retired && $0.state == .retired }
        }
        try await store.running { try await store.wait(until: isRetired) }
        try await store.crash(database: before)
        #expect(try await isRetired())
        #expect(try store.store.hosted.count == 5)
        #expect(try store.store.hosted.allSatisfy { $0.disk.shards.identity.disk != retired })
        #expect(try await store.holds("object", Content.random(1_000)))
        try await store.close()
    }

    @Test("one on which no segment can be made is not taken up again before that works")
    func returnedWithoutWrites() async throws {
        let store = try await StoreHarness.open()
        try await Self.fill(store)
        store.disk(2).isGone = true
        try await store.store.watchDisks()
        store.disk(2).isGone = false
        // As of a folder that may not be written: what is there can be read, written and synced.
        store.disk(2).inject(DiskFault(.open, pathPrefix: "segments/probe", times: .max, code: .notPermitted))
        try await store.store.takeUpReturned()
        #expect(try store.store.absentSlots.map(\.slot) == [StoreHarness.name(2)])
        let reason = try #require(try store.store.absentSlots.first?.reason)
        #expect(reason.hasPrefix("it is there, but ") && reason.contains("segments/probe: notPermitted"), "\(reason)")
        store.disk(2).clearFaults()
        try await store.store.takeUpReturned()
        #expect(try store.store.absentSlots.isEmpty)
        #expect(store.disk(2).files.allSatisfy { !$0.hasSuffix("probe") })
        try await store.close()
    }

    @Test("a replacement takes the disk that one before had formatted, and names whose disk another is")
    func strangers() async throws {
        let store = try await StoreHarness.open()
        try await Self.fill(store)
        let other = try await StoreHarness.open(seed: 77)
        try await other.close()
        store.disk(1).isGone = true
        store.putBack(other.disk(0).copy(), 1)
        try await store.store.watchDisks()
        try await store.store.takeUpReturned()
        let absent = try store.store.absentSlots
        #expect(absent.contains { $0.reason.contains("a disk of another store") })
        do {
            _ = try await store.store.replaceDisk(inSlot: StoreHarness.name(1))
            Issue.record("a foreign disk was taken")
        } catch DiskReplacementError.notEmpty(let reason) {
            #expect(reason.contains("another store"))
        }
        store.putBack(store.disk(3).copy(), 1)
        do {
            _ = try await store.store.replaceDisk(inSlot: StoreHarness.name(1))
            Issue.record("a disk in use was taken")
        } catch DiskReplacementError.notEmpty(let reason) {
            #expect(reason.contains("the disk of site-1/node-1/disk-4"))
        }
        store.swapDisk(1)
        let identity = DiskIdentity(
            cluster: try store.store.cluster,
            disk: DiskID(Identifier128(high: 1, low: 2)),
            site: SiteName("site-1"),
            node: NodeName("node-1"),
            epoch: 1,
            created: 0
        )
        try await ShardDisk.format(fileSystem: store.disk(1).mount(), identity: identity)
        let done = try await store.store.replaceDisk(inSlot: StoreHarness.name(1))
        #expect(done.new == identity.disk)
        try await store.store.repairer.pass()
        #expect(try await store.store.metadata.missingShardCount() == 0)
        try await Self.check(store)
        try await store.close()
    }

    @Test("disks in each other's slots are known to be no loss, and are served once they are where they belong")
    func swapped() async throws {
        let store = try await StoreHarness.open()
        try await Self.fill(store)
        let (one, three) = (store.disk(1).copy(), store.disk(3).copy())
        func place(_ disks: (MemoryDisk, slot: Int)...) async throws -> [StoreDiskStatus] {
            for (disk, slot) in disks {
                store.disk(slot).isGone = true
                store.putBack(disk, slot)
            }
            try await store.store.watchDisks()
            try await store.store.takeUpReturned()
            return try await store.store.status().disks
        }
        let swapped = try await place((three.copy(), 1), (one.copy(), 3))
        #expect(swapped.map(\.isMisplaced) == [false, true, false, true, false, false])
        #expect(swapped[1].reason.contains("the disk of site-1/node-1/disk-4 stands there"))
        let elsewhere = DiskReplacementError.standsElsewhere("site-1/node-1/disk-2", "node-1/disk-4")
        await #expect(throws: elsewhere) {
            let slot = StoreHarness.name(1)
            _ = try await store.store.retireDisk(inSlot: slot, of: NodeName("node-1"), isForced: false)
        }
        // One slot is empty, and its disk still stands in the other.
        let empty = try await place((MemoryDisk(device: 4), 3))
        #expect(empty.map(\.isMisplaced) == [false, true, false, true, false, false])
        #expect(empty[3].reason == "it stands in slot site-1/node-1/disk-2")
        let right = try await place((one.copy(), 1), (three.copy(), 3))
        #expect(right.allSatisfy { $0.isServed && !$0.isMisplaced })
        try await Self.check(store)
        try await store.close()
    }

    @Test("an empty folder wants a replacement where a disk was, and to be added where none ever was")
    func emptySlots() async throws {
        let store = try await StoreHarness.open()
        store.addSlot()
        store.swapDisk(0)
        try await store.crash()
        let reasons = try store.store.absentSlots.map { "\($0.slot): \($0.reason)" }
        #expect(reasons.count == 2)
        let replacing = "`cairn admin disk replace site-1/node-1/disk-1`"
        #expect(reasons.contains { $0.contains(replacing) && $0.contains("file `disk`") })
        #expect(reasons.contains { $0.hasPrefix("disk-7: ") && $0.contains("`cairn admin disk add --node node-1`") })
        try await store.close()
    }

    @Test("disks that a node was given beside those in use are told with what they are, and each once in the log")
    func unusedDisks() async throws {
        let store = try await StoreHarness.open()
        let other = try await StoreHarness.open(seed: 77)
        try await other.close()
        for _ in 0..<4 { store.addSlot() }
        store.putBack(other.disk(0).copy(), 6)
        store.disk(8).isGone = true
        try await store.close()
        store.putBack(store.disk(2).copy(), 9)
        try await store.start()
        let told = StoreEventTests.Told()
        try store.store.events.observe(told.note)
        for _ in 0..<2 { try await store.store.lookAtSlots() }
        let unused = try await store.store.status().unused
        #expect(unused.map(\.slot) == [9, 6, 7, 8].map(StoreHarness.name))
        #expect(unused.map(\.kind) == [.foreign, .foreign, .new, .unusable])
        #expect(unused[0].reason.contains("the disk of site-1/node-1/disk-3"))
        #expect(unused[1].reason.contains("another store"))
        #expect(told.take() == [unused[1], unused[3], unused[0]].map { .diskUnused($0) })
        // One is taken into use, and another changes.
        _ = try await store.store.addDisks(of: NodeName("node-1"), slot: StoreHarness.name(7))
        store.putBack(MemoryDisk(device: 7), 6)
        try await store.store.lookAtSlots()
        #expect(try await store.store.status().unused.map(\.kind) == [.foreign, .new, .unusable])
        #expect(!told.take().contains { if case .diskUnused = $0 { true } else { false } })
        try await store.close()
    }

    @Test("a store that cannot be made for want of disks names those that cannot be used")
    func unusableSlots() {
        let one = StoreStartError.tooFewDisks(found: 1, needed: 6, scheme: "rs-4-2")
        #expect(one.description.hasPrefix("1 disk can be used and rs-4-2 needs 6: "))
        #expect(!one.description.contains("Not usable"))
        let five = StoreStartError.tooFewDisks(
            found: 5,
            needed: 6,
            scheme: "rs-4-2",
            unusable: ["b (/mnt/b): its folder is not there"]
        )
        #expect(five.description.hasPrefix("5 disks can be used"))
        #expect(five.description.hasSuffix(". Not usable: b (/mnt/b): its folder is not there"))
    }
}
