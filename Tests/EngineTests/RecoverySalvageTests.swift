import BlobStorage
import Checksums
import Coordination
import Metadata
import ObjectModel
import Placement
import Recovery
import ShardStorage
import SystemInterface
import TestKit
import Testing

@Suite("Salvage from raw disks")
struct RecoverySalvageTests {
    @Test("any two of six disks may be lost: every current object comes out byte for byte, deleted ones do not")
    func twoLost() async throws {
        let harness = try await RecoveryHarness.shared.value
        for lost in [[0, 1], [3, 5]] as [Set<Int>] {
            let outcome = try await RecoveryHarness.salvage(harness.disks(without: lost))
            #expect(try await harness.wrong(in: outcome) == [])
            #expect(harness.unexpected(in: outcome) == [])
            #expect(outcome.report.count(of: .lost).objects == 0)
            #expect(outcome.report.count(of: .unconfirmed).objects == 0)
            #expect(outcome.report.count(of: .degraded).objects > 0)
            #expect(outcome.report.replay?.mayMissTail == false)
        }
    }

    @Test("what the journal knows of an object is in the manifest, and the names tell keys apart")
    func manifest() async throws {
        let harness = try await RecoveryHarness.shared.value
        let outcome = try await RecoveryHarness.salvage(harness.disks())
        #expect(outcome.report.count(of: .complete).objects == harness.current.count)
        #expect(outcome.report.isWhole)
        #expect(outcome.entry("a")?.file == "objects/archive/a%=")
        #expect(outcome.entry("a/b/c")?.file == "objects/archive/a/b/c")
        #expect(Set(outcome.entries.compactMap(\.file)).count == harness.current.count)
        let lines = try await RecoveryHarness.read("manifest.jsonl", of: outcome.output)
            .split(separator: UInt8(ascii: "\n")).map { JSONValue(parsing: $0) }
        #expect(lines.count == harness.current.count)
        let soft = lines.first { $0?["key"] == .string("soft") }
        #expect(soft??["tags"]?["study"] == .string("1.2\"3"))
        let parts = lines.first { $0?["key"] == .string("parts") }
        #expect(parts??["contentType"] == .string("application/dicom"))
        #expect(parts??["partCount"] == .number(2))
        #expect(outcome.output.files.allSatisfy { !$0.hasPrefix("partial/") && $0.utf8.count < 3_100 })
    }

    @Test("disks are only read: names, lengths and bytes stay as they were")
    func readOnly() async throws {
        let harness = try await RecoveryHarness.shared.value
        let disks = harness.disks()
        var before: [[UInt8]] = []
        for name in disks[0].disk.files { before.append(try await RecoveryHarness.read(name, of: disks[0].disk)) }
        let (files, used) = (disks[0].disk.files, disks.map(\.disk.used))
        _ = try await RecoveryHarness.salvage(disks)
        #expect(disks[0].disk.files == files)
        #expect(disks.map(\.disk.used) == used)
        var after: [[UInt8]] = []
        for name in files { after.append(try await RecoveryHarness.read(name, of: disks[0].disk)) }
        #expect(after == before)
    }

    @Test("without any journal all bytes come out as unconfirmed, parts put together")
    func noJournal() async throws {
        let harness = try await RecoveryHarness.shared.value
        let disks = harness.disks(without: [1, 4])
        for (_, disk) in disks { try await RecoveryHarness.removeJournal(disk) }
        let outcome = try await RecoveryHarness.salvage(disks)
        #expect(outcome.report.replay == nil)
        #expect(outcome.entries.allSatisfy { $0.state == .unconfirmed && $0.file?.hasPrefix("unconfirmed/") == true })
        for (key, bytes) in harness.current where !bytes.isEmpty && key != "copy" {
            var isThere = false
            for entry in outcome.entries where entry.key == key {
                guard let file = entry.file else { continue }
                let found = try await RecoveryHarness.read(file, of: outcome.output)
                isThere = isThere || found == bytes
            }
            #expect(isThere, "\(key.prefix(20))")
        }
        let parts = outcome.entries.filter { $0.key == "parts" }
        #expect(parts.map(\.parts) == [[1, 2]])
        #expect(outcome.entries.count { $0.key == "over" } == 2)
        #expect(Set(outcome.entries.compactMap(\.file)).count == outcome.entries.count)
    }

    /// Found by hand: they got one path, each was renamed over the other, and the manifest said that all were written.
    @Test("versions of one key that lie in one pack each get a file, and a second run finds them")
    func versionsOfOnePack() async throws {
        let store = try await StoreHarness.open()
        // So that the others gather while the first one is written.
        for slot in 0..<6 {
            store.disk(slot).setLatency { operation, _, _ in
                if operation == .sync { try? await Task.sleep(for: .milliseconds(20)) }
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Of equal length, so that nothing but the place tells them apart.
            for number in 0..<60 {
                group.addTask { try await store.put("k\(number % 3)", Content.random(700, seed: UInt64(number))) }
            }
            try await group.waitForAll()
        }
        for slot in 0..<6 { store.disk(slot).setLatency(nil) }
        let disks = RecoveryHarness(store: store).disks()
        for (_, disk) in disks { try await RecoveryHarness.removeJournal(disk) }
        let outcome = try await RecoveryHarness.salvage(disks)
        #expect(outcome.entries.contains { $0.start != nil })
        #expect(Set(outcome.entries.compactMap(\.file)).count == outcome.entries.count)
        var found: Set<[UInt8]> = []
        for entry in outcome.entries {
            let bytes = try await RecoveryHarness.read(entry.file ?? "", of: outcome.output)
            #expect(entry.sha256 == Hexadecimal.text(MessageDigest.sha256.digest(bytes)))
            found.insert(bytes)
        }
        #expect(found.count == outcome.entries.count)
        for key in 0..<3 { #expect(found.contains(try await store.get("k\(key)"))) }
        let second = try await RecoveryHarness.salvage(disks, into: outcome.output)
        #expect(second.entries.isEmpty && second.report.skipped == outcome.entries.count)
        try await store.close()
    }

    /// Found by hand: one key of 1,024 slashes ended the salvage of the whole archive, each time anew.
    @Test("a name that the target refuses is told as its object's problem, and everything else comes out")
    func refusedName() async throws {
        let harness = try await RecoveryHarness.shared.value
        let output = MemoryDisk()
        output.inject(DiskFault(.createDirectory, pathPrefix: "objects/archive/dir", times: .max, code: .invalid))
        let outcome = try await RecoveryHarness.salvage(harness.disks(), into: output)
        #expect(try await harness.wrong(in: outcome) == ["dir/"])
        let entry = try #require(outcome.entry("dir/"))
        #expect(entry.state == .unwritten && entry.file == nil && entry.problem?.contains("refused") == true)
        #expect(!outcome.report.isWhole && outcome.report.count(of: .unwritten).objects == 1)
        #expect(outcome.report.text.contains("NOT WRITTEN archive/dir/: "))
        #expect(output.files.contains("report.txt") && output.files.contains("report.json"))
        #expect(output.files.allSatisfy { !$0.hasPrefix("partial/") })
        output.clearFaults()
        let second = try await RecoveryHarness.salvage(harness.disks(), into: output)
        #expect(second.entries.map(\.key) == ["dir/"] && second.report.isWhole)
    }

    @Test("a target without room ends the salvage, and is not told as a problem of names")
    func fullTarget() async throws {
        let harness = try await RecoveryHarness.shared.value
        let output = MemoryDisk()
        output.inject(DiskFault(.createDirectory, pathPrefix: "objects/archive/dir", times: .max, code: .full))
        await #expect(throws: RecoveryError.self) {
            _ = try await RecoveryHarness.salvage(harness.disks(), into: output)
        }
    }

    @Test("a file of an earlier version's run whose path is as long as they go is moved aside under a short name")
    func longSuperseded() async throws {
        let harness = try await RecoveryHarness.shared.value
        let output = try await RecoveryHarness.salvage(harness.disks()).output
        let folder = "objects/archive" + String(repeating: "/%2F", count: 1_018)
        try await output.mount().createDirectory(folder)
        _ = try await output.mount().open(folder + "/%2F", .createNew)
        let second = try await RecoveryHarness.salvage(harness.disks(), into: output)
        #expect(second.report.superseded == 1 && second.report.notMoved == 0 && second.report.isWhole)
        #expect(output.files.contains { $0.hasPrefix("superseded/1/%~") })
        #expect(output.files.allSatisfy { $0.utf8.count < 3_100 })
    }

    @Test("a foreign disk and an older copy of a disk do no harm")
    func foreignAndOld() async throws {
        var harness = try await RecoveryHarness.fill()
        let old = harness.store.disk(0).copy()
        try await harness.put("later", Content.random(5_000))
        try await harness.put("over", Content.random(6_000))
        try await harness.store.delete("soft")
        harness.current["soft"] = nil
        let other = try await StoreHarness.open(seed: 77)
        try await other.put("foreign", Content.random(1_000))
        let strange = [(path: "old", disk: old), (path: "foreign", disk: other.disk(2).copy())]
        let both = try await RecoveryHarness.salvage(strange + harness.disks(without: [3]))
        #expect(both.report.ignored.map(\.path) == ["foreign", "old"])
        #expect(try await harness.wrong(in: both) == [])
        #expect(harness.unexpected(in: both) == [])
        // The older copy alone in the place of its disk.
        let alone = try await RecoveryHarness.salvage(strange + harness.disks(without: [0, 3]))
        #expect(alone.report.ignored.map(\.path) == ["foreign"])
        #expect(try await harness.wrong(in: alone) == [])
        #expect(harness.unexpected(in: alone) == [])
    }

    /// Found by hand: without its journal the newer copy was left out, and what was written since told as lost.
    @Test("a copy whose journal is gone is not the older one for that")
    func newerWithoutJournal() async throws {
        var harness = try await RecoveryHarness.fill()
        let old = harness.disks()
        try await harness.put("later", Content.random(900_000))
        let keeper = try #require(await harness.keeperSlots().first)
        let disks = harness.disks()
        try await RecoveryHarness.removeJournal(disks[keeper].disk)
        let copy = (path: "old", disk: old[keeper].disk)
        for order in [[copy] + disks, disks + [copy]] {
            let outcome = try await RecoveryHarness.salvage(order)
            #expect(outcome.report.ignored.map(\.path) == ["old"])
            #expect(try await harness.wrong(in: outcome) == [])
        }
    }

    /// Found by hand: all was told as complete, with exit code 0, and the last hour was missing.
    @Test("keepers that were all put back as they were are told by what another disk holds")
    func keepersPutBack() async throws {
        let harness = try await RecoveryHarness.fill()
        try await harness.store.close()
        let old = harness.disks()
        #expect(try await RecoveryHarness.salvage(old).report.laterBlobs == 0)
        try await harness.store.start()
        try await harness.store.put("later", Content.random(900_000))
        try await harness.store.close()
        var mixed = old
        for (place, disk) in harness.disks().enumerated()
        where try await disk.disk.mount().status(DiskFolder.journal) == nil { mixed[place] = disk }
        let report = try await RecoveryHarness.salvage(mixed).report
        #expect(report.replay?.mayMissTail == false && report.laterBlobs > 0 && !report.isWhole)
        #expect(report.text.contains("OLD: "))
    }

    @Test("a second run writes only what is not there")
    func resume() async throws {
        let harness = try await RecoveryHarness.shared.value
        let first = try await RecoveryHarness.salvage(harness.disks())
        try await first.output.mount().remove(first.entry("large")?.file ?? "")
        let second = try await RecoveryHarness.salvage(harness.disks(), into: first.output)
        #expect(second.entries.map(\.key) == ["large"])
        #expect(second.report.skipped == harness.current.count - 1)
        let large = try await RecoveryHarness.read(second.entry("large")?.file ?? "", of: first.output)
        #expect(large == harness.current["large"])
    }

    /// Found by hand: what was deleted between two runs stayed, and the manifest went on to vouch for it.
    @Test("after a second run over everything, manifest and folders hold what is current, and the rest lies aside")
    func superseded() async throws {
        var harness = try await RecoveryHarness.fill()
        let output = try await RecoveryHarness.salvage(harness.disks()).output
        for key in ["soft", "a/b", "a/b/c"] {
            try await harness.store.delete(key)
            harness.current[key] = nil
        }
        // A file where a folder has to be; `a` is one where a folder was.
        try await harness.put("large/one", Content.random(3_000))
        try await harness.put("large/two", Content.random(4_000))
        let files = Set(output.files)
        // It does not look at those that were deleted.
        var narrow = SalvageOptions()
        narrow.prefix = "over"
        _ = try await RecoveryHarness.salvage(harness.disks(), options: narrow, into: output)
        #expect(files.isSubset(of: output.files))

        let second = try await RecoveryHarness.salvage(harness.disks(), into: output)
        let named = try await RecoveryHarness.manifest(of: output)
        #expect(Set(named.keys) == Set(harness.current.keys) && named.count == harness.current.count)
        #expect(Set(output.files.filter { $0.hasPrefix("objects/") }) == Set(named.values))
        for (key, bytes) in harness.current {
            #expect(try await RecoveryHarness.read(named[key] ?? "", of: output) == bytes, "\(key.prefix(40))")
        }
        let aside = output.files.filter { $0.hasPrefix("superseded/1/objects/archive/") }
        #expect(aside.contains("superseded/1/objects/archive/soft") && second.report.superseded == aside.count)
        #expect(second.report.text.contains("now in superseded/1/"))
        // Nothing is left to be done, and quickly so.
        let third = try await RecoveryHarness.salvage(harness.disks(), into: output)
        #expect(third.entries.isEmpty && third.report.superseded == 0)
        #expect(third.report.skipped == harness.current.count)
    }

    @Test("a run whose journal may lack its end moves nothing aside")
    func supersededByLess() async throws {
        let harness = try await RecoveryHarness.shared.value
        let output = try await RecoveryHarness.salvage(harness.disks()).output
        let files = Set(output.files)
        let disks = harness.disks()
        for (_, disk) in disks { try await RecoveryHarness.removeJournal(disk) }
        let second = try await RecoveryHarness.salvage(disks, into: output)
        #expect(second.report.superseded == 0 && files.isSubset(of: output.files))
    }

    @Test("an earlier run's file of the right length and other bytes is written anew")
    func resumeOverOtherBytes() async throws {
        let harness = try await RecoveryHarness.shared.value
        let first = try await RecoveryHarness.salvage(harness.disks())
        first.output.flip(first.entry("over")?.file ?? "", offset: 5_000, mask: 1)
        let second = try await RecoveryHarness.salvage(harness.disks(), into: first.output)
        #expect(second.entries.map(\.key) == ["over"])
        let over = try await RecoveryHarness.read(second.entry("over")?.file ?? "", of: first.output)
        #expect(over == harness.current["over"])
    }

    @Test("with three of six disks lost objects are told as lost, and nothing wrong is written")
    func tooManyLost() async throws {
        let harness = try await RecoveryHarness.shared.value
        let outcome = try await RecoveryHarness.salvage(harness.disks(without: [0, 2, 4]))
        let lost = outcome.entries.filter { $0.state == .lost }.map(\.key).sorted()
        #expect(try await harness.wrong(in: outcome) == lost.map { String($0.prefix(40)) })
        #expect(outcome.report.count(of: .lost).objects == lost.count)
        #expect(outcome.entry("empty")?.state == .complete)
        #expect(outcome.entry("large")?.problem?.contains("3 good shards, 4 needed") == true)
        #expect(outcome.entry("large")?.file == nil)
        #expect(!outcome.report.isWhole)
    }

    /// Found by hand: a server gave objects that salvage told as lost.
    @Test("what lies in the shards that are left comes out, though they are fewer than k")
    func fewerThanK() async throws {
        let store = try await StoreHarness.open()
        try await store.put("byte", [7])
        let metadata = try store.store.metadata
        var holder: DiskID?
        for blob in try await metadata.blobs(after: nil, limit: 256)
        where try await metadata.owners(of: blob.id).contains(where: { $0.key == "byte" }) {
            holder = try store.store.blobs.view.group(blob.group)?.members.first
        }
        let slot = try await metadata.disks().first { $0.id == holder }?.slot
        let first = try #require((0..<6).first { StoreHarness.name($0) == slot })
        try await store.wait { try store.store.journal.report.members.allSatisfy { $0.lag == 0 } }
        let lost = Set((0..<6).filter { $0 != first }.prefix(3))
        let outcome = try await RecoveryHarness.salvage(RecoveryHarness(store: store).disks(without: lost))
        #expect(outcome.entry("byte")?.state == .degraded)
        #expect(try await RecoveryHarness.read(outcome.entry("byte")?.file ?? "", of: outcome.output) == [7])
        try await store.close()
    }

    @Test("rotten bytes on two disks are found by their checksums and never written out")
    func rot() async throws {
        let harness = try await RecoveryHarness.shared.value
        let disks = harness.disks()
        var generator = SplitMix64(seed: 5)
        for (_, disk) in disks.prefix(2) {
            for path in disk.files where path.hasPrefix("segments/") {
                let length = try await disk.mount().status(path)?.length ?? 0
                for _ in 0..<200 {
                    disk.flip(path, offset: Int(generator.next() % UInt64(max(1, min(length, 3 << 20)))), mask: 0x10)
                }
            }
        }
        let outcome = try await RecoveryHarness.salvage(disks)
        #expect(try await harness.wrong(in: outcome) == [])
        #expect(outcome.report.count(of: .degraded).objects > 0)
    }

    @Test("prefix, bucket, newest first and listing choose what comes out")
    func options() async throws {
        let harness = try await RecoveryHarness.shared.value
        var options = SalvageOptions()
        options.prefix = "a/"
        let some = try await RecoveryHarness.salvage(harness.disks(), options: options)
        #expect(Set(some.entries.map(\.key)) == ["a/b", "a/b/c"])
        options.bucket = "another"
        #expect(try await RecoveryHarness.salvage(harness.disks(), options: options).entries.isEmpty)
        var listing = SalvageOptions(mode: .list)
        listing.newestFirst = true
        listing.parallelism = 1
        let listed = try await RecoveryHarness.salvage(harness.disks(without: [0]), options: listing)
        #expect(listed.output.files.isEmpty)
        let times = listed.entries.compactMap(\.modified)
        #expect(times.count == harness.current.count)
        #expect(times == times.sorted(by: >))
        options = SalvageOptions(mode: .verify)
        options.since = WallTime(milliseconds: (times.first?.milliseconds ?? 0) + 1)
        #expect(try await RecoveryHarness.salvage(harness.disks(), options: options).entries.isEmpty)
    }
}
