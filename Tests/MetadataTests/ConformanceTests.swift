import Metadata
import TestKit
import Testing

@Suite("Every metadata store")
struct ConformanceTests {
    @Test("in memory", arguments: Check.all)
    func memory(check: Check) async throws {
        try await check.run(JournaledMetadataStore.inMemory(journal: FakeJournal()))
    }

    @Test("from a gateway, over messages", arguments: Check.all)
    func remote(check: Check) async throws {
        try await check.run(RemoteTestStore(JournaledMetadataStore.inMemory(journal: FakeJournal())))
    }

    @Test("on SQLite", arguments: Check.all)
    func sqlite(check: Check) async throws {
        try await withTemporaryDirectory { directory in
            let store = try await JournaledMetadataStore.openSQLite(
                path: directory + "/metadata.sqlite",
                journal: FakeJournal()
            )
            try await check.run(store)
        }
    }
}
