import Coordination
import LinuxSystem
import Metadata
import ObjectInterface
import ObjectModel
import Synchronization
import TestKit
import Testing

@Suite("A store after a loss of power")
struct StoreCrashTests {
    /// What one client was told.
    private final class Ledger: Sendable {
        struct Entry {
            var acknowledged: UInt64?
            var attempted: [UInt64] = []
        }

        let entries = Mutex<[String: Entry]>([:])

        func begin(_ key: String, _ seed: UInt64) {
            entries.withLock { $0[key, default: Entry()].attempted.append(seed) }
        }
        func end(_ key: String, _ seed: UInt64) {
            entries.withLock { $0[key] = Entry(acknowledged: seed, attempted: []) }
        }
    }

    private static func size(_ seed: UInt64) -> Int {
        seed % 7 == 0 ? (1 << 20) + Int(seed % 9) * 300_000 : 1 + Int(seed &* 7_919 % 30_000)
    }

    @Test("every acknowledged object is there, byte for byte", arguments: 1...12 as ClosedRange<UInt64>)
    func crash(seed: UInt64) async throws {
        let store = try await StoreHarness.open(seed: seed)
        let ledger = Ledger()
        var copies: [MemoryMetadataDatabase] = []
        for round in 0..<3 as Range<UInt64> {
            copies.append(store.database.copy())
            let clients = (0..<6 as Range<UInt64>).map { client in
                Task { await Self.write(store, client: client, round: round, ledger: ledger) }
            }
            try await store.time.sleep(for: .milliseconds(Int64(20 + store.random() % 120)))
            // An older copy of the database: what the keepers hold beyond it is replayed.
            let copy = store.random() % 2 == 0 ? nil : copies.last
            try await store.crash(database: copy)
            for client in clients { await client.value }
            try await check(store, ledger)
        }
        try await store.close()
    }

    @Test("one whose metadata has stopped ends, so that it is started anew", .timeLimit(.minutes(10)))
    func stoppedMetadata() async throws {
        let harness = try await StoreHarness.open(seed: 5)
        let store = try harness.store
        let metadata = try #require(store.metadata as? JournaledMetadataStore)
        #expect(store.stopReason == nil)
        metadata.stop(StorageError(.unavailable, "a write to the database failed"))
        await store.run()
        #expect(store.stopReason == "a write to the database failed")
        try await harness.close()
    }

    private static func write(_ store: StoreHarness, client: UInt64, round: UInt64, ledger: Ledger) async {
        for number in 0..<40 as Range<UInt64> {
            let key = "c\(client)-k\(number % 8)"
            let seed = 1 + client + 10 * number + 1_000 * round
            ledger.begin(key, seed)
            do {
                try await store.put(key, Content.random(size(seed), seed: seed))
                ledger.end(key, seed)
            } catch {
                return
            }
        }
    }

    private func check(_ store: StoreHarness, _ ledger: Ledger) async throws {
        for (key, entry) in ledger.entries.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            let allowed = entry.attempted + (entry.acknowledged.map { [$0] } ?? [])
            let found: [UInt8]
            do {
                found = try await store.get(key)
            } catch let error as StorageError where error.code == .noSuchKey {
                #expect(entry.acknowledged == nil, "\(key) was acknowledged and is gone")
                continue
            }
            let match = allowed.first { found == Content.random(Self.size($0), seed: $0) }
            #expect(match != nil, "\(key) is neither old nor new")
            if let match { ledger.end(key, match) }
        }
    }

    @Test("a store reopened from a clean stop has everything, and goes on")
    func cleanStop() async throws {
        let store = try await StoreHarness.open()
        for round in 0..<4 as Range<UInt64> {
            try await store.put("small-\(round)", Content.random(999, seed: round))
            try await store.put("large-\(round)", Content.random(5 << 20, seed: round))
            try await store.close()
            try await store.start()
            for old in 0...round {
                #expect(try await store.holds("small-\(old)", Content.random(999, seed: old)))
                #expect(try await store.holds("large-\(old)", Content.random(5 << 20, seed: old)))
            }
        }
        try await store.close()
    }

    @Test("an empty database over disks that have seen a store does not start")
    func lostDatabase() async throws {
        let store = try await StoreHarness.open()
        try await store.put("k", [1])
        await #expect(throws: StoreStartError.self) { try await store.crash(database: MemoryMetadataDatabase()) }
    }
}
