import Metadata
import ObjectInterface
import ObjectModel
import SystemInterface
import TestKit
import Testing

/// A file system that is full under the database: DESIGN §6, at 100 % reads and deletes go on.
@Suite("Room for the database")
struct DatabaseReserveTests {
    private static let names = DatabaseReserve.Names(database: "m", log: "m-wal", reserve: "reserve")

    private let files = MemoryDisk(capacity: 1 << 30).mount()

    private func make(_ name: String, length: Int) async throws {
        try await files.open(name, .create).allocate(0..<length)
    }

    /// Others take all there is.
    private func occupy() async throws { try await make("others", length: try await files.space().available) }

    private func kept() async throws -> Int { try await files.status("reserve")?.allocated ?? 0 }

    private func reserve() -> DatabaseReserve { DatabaseReserve(files: files, names: Self.names) }

    /// A store whose database believes to lie on that file system.
    private func withStore(_ body: (JournaledMetadataStore, WriteLease) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let store = try await JournaledMetadataStore.openSQLite(
                path: directory + "/m",
                journal: FakeJournal(),
                reserve: reserve()
            )
            try await body(store, try await store.prepare())
        }
    }

    @Test("what is set aside is given up for what the database must grow by, and no more; and made anew")
    func givenUp() async throws {
        let reserve = reserve()
        try await make("m", length: 4 << 20)
        await reserve.settle(pages: 4 << 20, log: 0)
        #expect(try await kept() == DatabaseReserve.length)
        #expect(reserve.shortage == nil)
        try await occupy()
        await reserve.settle(pages: 4 << 20, log: 0)
        #expect(reserve.shortage?.code == .full)
        #expect(try await kept() == DatabaseReserve.length)
        // The pages of rows that were deleted take new ones.
        await reserve.settle(pages: 4 << 20, unused: DatabaseReserve.margin, log: 0)
        #expect(reserve.shortage == nil)
        for _ in 0..<2 {
            await reserve.settle(pages: 14 << 20, log: 0)
            #expect(reserve.shortage != nil)
            #expect(try await files.space().available == (10 << 20) + 2 * DatabaseReserve.step)
        }
        // Once that is taken, a log that readers hold needs some, too.
        try await make("m", length: 14 << 20)
        try await make("m-wal", length: 8 << 20)
        await reserve.settle(pages: 14 << 20, log: 8 << 20)
        #expect(try await files.space().available == 3 * DatabaseReserve.step)
        try await files.remove("others")
        await reserve.settle(pages: 14 << 20, log: 0)
        #expect(try await kept() == DatabaseReserve.length)
        #expect(reserve.shortage == nil)
    }

    @Test("a start on a full file system has room for the log that a clean stop removed", arguments: [true, false])
    func start(wasKilled: Bool) async throws {
        if wasKilled { try await make("m-wal", length: 64 << 20) }
        await reserve().settle(pages: 0, log: 0)
        try await occupy()
        await reserve().prepare()
        let room = (wasKilled ? 0 : 32 << 20) + DatabaseReserve.step
        #expect(try await files.space().available == room)
        #expect(try await kept() == DatabaseReserve.length - room)
    }

    @Test("without room nothing new is taken; what is there is read and deleted, and changed once there is room")
    func gate() async throws {
        try await withStore { store, lease in
            try await store.put(lease, 1, "old")
            try await store.createUpload(Sample.upload("b", "k", "u"))
            try await occupy()
            await store.lookAtRoom()
            #expect(await code { try await store.put(lease, 2, "new") } == .full)
            #expect(await code { try await store.putTags(bucket: "b", key: "old", tags: []) } == .full)
            #expect(await code { try await store.createUpload(Sample.upload("b", "k", "v")) } == .full)
            #expect(try await store.version(bucket: "b", key: "old") != nil)
            #expect(try await store.delete("old"))
            try await store.abortUpload(bucket: "b", key: "k", id: UploadID("u"))
            _ = try await store.grantLease(holder: NodeName("node-1"))
            // Nobody but the client asks again.
            try await files.remove("others")
            try await store.put(lease, 2, "new")
            #expect(try await store.names().names == ["new"])
        }
    }

    @Test("room that goes while rows are added is noticed by itself")
    func noticed() async throws {
        try await withStore { store, lease in
            try await occupy()
            let refusal = await code {
                for sequence in 1...5_000 as ClosedRange<UInt64> { try await store.put(lease, sequence, "\(sequence)") }
            }
            #expect(refusal == .full)
            #expect(try await store.version(bucket: "b", key: "1") != nil)
        }
    }
}
