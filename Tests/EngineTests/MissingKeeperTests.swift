import ClusterProtocol
import Coordination
import DiskFormat
import JournalStorage
import Metadata
import ObjectModel
import SystemInterface
import TestKit
import Testing

/// What a start says of journal keepers that it lacks: nothing of it may lead an operator to give up what is there.
@Suite("Starts without enough journal keepers")
struct MissingKeeperTests {
    enum Trouble: CaseIterable {
        case gone, readOnly, readOnlyJournal, stray, rotten

        func strike(_ disk: MemoryDisk) async throws {
            switch self {
            case .gone: disk.isGone = true
            case .readOnly: disk.inject(DiskFault(.lock, times: .max, code: .readOnly))
            case .readOnlyJournal:
                disk.inject(DiskFault(.open, pathPrefix: "journal", times: .max, code: .readOnly))
            case .stray: try await copyLog(on: disk)
            case .rotten:
                for path in disk.files where path.contains("/log-") {
                    for offset in [10, 64 << 10 + 10] { disk.flip(path, offset: offset, mask: 1) }
                }
            }
        }

        func end(on disk: MemoryDisk) async throws {
            disk.isGone = false
            disk.clearFaults()
            disk.clearFlips()
            if self == .stray { try await disk.mount().remove(MissingKeeperTests.stray) }
        }

        /// Words that the operator needs.
        var words: [String] {
            switch self {
            case .gone: ["not found: its folder is not there"]
            case .readOnly: ["there, but the disk failed (", "its file system is mounted read-only", "fsck"]
            case .readOnlyJournal: ["there, but its journal log cannot be used: ", "mounted read-only", "fsck"]
            case .stray: [MissingKeeperTests.stray, "by its header", "move it away"]
            case .rotten: ["journal/log-", "is damaged"]
            }
        }

        var isMendable: Bool { self != .gone && self != .rotten }
    }

    private static let stray = "journal/log-0000000000000fff"

    /// As a hand does that keeps a copy beside it.
    private static func copyLog(on disk: MemoryDisk) async throws {
        let files = disk.mount()
        let log = try #require(disk.files.first { $0.contains("/log-") })
        let from = try await files.open(log, .read)
        let length = try await from.length()
        let buffer = AlignedBuffer(capacity: length)
        _ = try await from.read(into: buffer, at: 0, count: length, from: 0)
        let to = try await files.open(stray, .create)
        try await to.write([buffer.slice(0..<length)], at: 0)
        try await to.sync()
        try await files.syncDirectory("journal")
    }

    private static func keepers(of store: StoreHarness) async throws -> [(slot: Int, name: String)] {
        let keepers = try store.store.journal.report.keepers
        let records = try await store.store.metadata.disks().filter { keepers.contains($0.id) }
        return store.disks.indices.compactMap { slot in
            records.first { $0.slot == StoreHarness.name(slot) }.map { (slot, $0.name) }
        }
    }

    /// Once every keeper has all: one that lags would be behind the database.
    private static func close(_ store: StoreHarness) async throws {
        try await store.wait {
            try store.store.journal.report.members.allSatisfy { $0.isWhole && $0.lag == 0 }
        }
        try await store.close()
    }

    private static func refusal(of store: StoreHarness) async -> String {
        do {
            try await store.start()
            return ""
        } catch {
            // Its process has ended.
            for disk in store.disks { disk.restart() }
            return "\(error)"
        }
    }

    /// Found by hand: of three disks that were there and read-only, and of logs beside which a copy lay, a start said
    /// that they were missing, and offered to give up what only they had.
    @Test(
        "Each missing keeper is named with its reason, and what is there is not given up",
        arguments: Trouble.allCases
    )
    func reasons(trouble: Trouble) async throws {
        let store = try await StoreHarness.open(scheme: "rs-2-1", disks: 4)
        try await store.put("object", Content.random(1_000))
        let lost = try await Self.keepers(of: store).prefix(2)
        #expect(lost.count == 2)
        try await Self.close(store)
        for keeper in lost { try await trouble.strike(store.disk(keeper.slot)) }
        let text = await Self.refusal(of: store)
        for keeper in lost { #expect(text.contains(keeper.name), "\(text)") }
        for word in trouble.words { #expect(text.contains(word), "\(word) in \(text)") }
        #expect(text.contains("--force-journal") != trouble.isMendable, "\(text)")
        #expect(text.contains("Mend those that are there") == trouble.isMendable, "\(text)")
        #expect(!text.contains("replace the disk"), "\(text)")
        for keeper in lost { try await trouble.end(on: store.disk(keeper.slot)) }
        try await store.start()
        #expect(try await store.holds("object", Content.random(1_000)))
        try await store.close()
    }

    @Test("Where mending what is there is enough, nothing is offered to be given up; else that comes first")
    func offer() async throws {
        let store = try await StoreHarness.open()
        let keepers = try await Self.keepers(of: store)
        #expect(keepers.count == 5)
        try await Self.close(store)
        for keeper in keepers.prefix(2) { store.disk(keeper.slot).isGone = true }
        try await Trouble.readOnly.strike(store.disk(keepers[2].slot))
        let one = await Self.refusal(of: store)
        #expect(one.contains("Mend those that are there") && !one.contains("--force-journal"), "\(one)")
        store.disk(keepers[3].slot).isGone = true
        let more = await Self.refusal(of: store)
        #expect(more.contains("Mend those that are there") && more.contains("and the first are mended"), "\(more)")
    }

    @Test("Why a keeper is out: what was seen, and never that its disk is to be replaced")
    func words() {
        let error = FileError(.readOnly, operation: "pwritev", path: "journal/log-1", number: 30)
        let failed = KeeperError.failed(error.description).description
        let disk = DiskID(Identifier128(high: 0, low: 1))
        let stopped = JournalError.quorumLost([disk: failed]).text { _ in "site-1/node-1/d1" }
        for text in [failed, KeeperError.notServed.description, stopped] { #expect(!text.contains("replace the disk")) }
        #expect(failed.contains("pwritev journal/log-1: its file system is mounted read-only"))
        #expect(failed.contains("fsck") && failed.contains("errno 30"))
        #expect(stopped.contains("site-1/node-1/d1: ") && !stopped.contains(disk.description))
        #expect(KeeperError.damaged(7..<UInt64.max).description.contains("from 7 on"))
    }
}
