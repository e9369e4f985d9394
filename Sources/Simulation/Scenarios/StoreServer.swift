import Checksums
import Coordination
import Metadata
import ObjectInterface
import ObjectModel
import ShardStorage
import Synchronization
import SystemInterface

/// The store under test, as its clients reach it: up, down, or up again.
final class StoreServer: Sendable {
    /// Disks of the store; slot n holds disk n until it is replaced by its spare.
    static let slotCount = 6

    private struct State {
        var store: Store?
        var process: SimulatedProcess?
        var database = MemoryMetadataDatabase()
        /// Older copies of the database: what a loss of power may leave of it.
        var copies: [MemoryMetadataDatabase] = []
        var disks = (0..<StoreServer.slotCount).map { StoreServer.diskName($0) }
        var nextCall = 0
        var calls: [Int: @Sendable () -> Void] = [:]
        var waiters: [CheckedContinuation<Store, Never>] = []
    }

    private let world: World
    private let state = Mutex(State())

    init(world: World) { self.world = world }

    static func diskName(_ slot: Int) -> String { "disk-\(slot + 1)" }
    static func spareName(_ slot: Int) -> String { "spare-\(slot + 1)" }
    static func slotName(_ slot: Int) -> String { "slot-\(slot + 1)" }

    /// The disk in a slot.
    func disk(_ slot: Int) -> String { state.withLock { $0.disks[slot] } }

    /// Puts the spare into a slot.
    func useSpare(_ slot: Int) { state.withLock { $0.disks[slot] = Self.spareName(slot) } }

    // MARK: Up and down

    func start() {
        let all = (0..<Self.slotCount).flatMap { [Self.diskName($0), Self.spareName($0)] }
        let process = world.start("server", disks: all) { [self] process in
            let database = state.withLock { $0.database }
            let store = try await Store.open(
                configuration(process),
                time: process.time,
                random: process.random,
                md5: .inline
            ) { journal async throws(MetadataError) in JournaledMetadataStore.inMemory(database, journal: journal) }
            serve(store, from: process)
            await store.run()
            if process.isAlive { throw BrokenPromise("the store stopped by itself") }
        }
        state.withLock { $0.process = process }
    }

    private func serve(_ store: Store, from process: SimulatedProcess) {
        guard process.isAlive else { return }
        let waiters = state.withLock { state in
            state.store = store
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: store) }
    }

    /// Loses power and starts again, perhaps with an older database.
    func crash(olderDatabase: Int?) async throws {
        let (process, calls) = state.withLock { state in
            let copy = olderDatabase.flatMap { back in state.copies.dropLast(back).last }
            state.database = (copy ?? state.database).copy()
            state.store = nil
            defer { state.calls = [:] }
            return (state.process, state.calls.sorted { $0.key < $1.key }.map(\.value))
        }
        process?.crash()
        for call in calls { call() }
        try await world.time.sleep(for: .milliseconds(50))
        start()
    }

    /// Lets go of the store, whose slots refer back to this.
    func end() {
        state.withLock { state in
            state.store = nil
            state.process = nil
            state.copies = []
        }
    }

    /// Keeps what the database holds now.
    func keepCopy() { state.withLock { $0.copies.append($0.database.copy()) } }

    private func configuration(_ process: SimulatedProcess) throws -> StoreConfiguration {
        // Small cells, segments and reserves: the same paths with less to move.
        guard let scheme = Scheme(dataCount: 4, parityCount: 2, cellSize: Leaf.size) else {
            throw BrokenPromise("no such scheme")
        }
        let slots = (0..<Self.slotCount).map { number in
            StoreSlot(site: SiteName("site-1"), node: NodeName("node-1"), name: Self.slotName(number)) {
                [self] () throws(FileError) in process.files(disk(number))
            }
        }
        var configuration = StoreConfiguration(slots: slots, scheme: scheme)
        configuration.disk.segmentLength = 2 << 20
        configuration.disk.growthLength = 256 << 10
        configuration.disk.reserveLength = 64 << 10
        return configuration
    }

    // MARK: Calls

    /// The store, once it serves.
    func store() async -> Store {
        await withCheckedContinuation { continuation in
            let store = state.withLock { state in
                if state.store == nil { state.waiters.append(continuation) }
                return state.store
            }
            if let store { continuation.resume(returning: store) }
        }
    }

    /// Runs `body` in the server's process; nil when the server dies before the answer.
    func call<Value: Sendable>(_ body: @escaping @Sendable (Store) async -> Value) async -> Value? {
        let store = await store()
        return await withCheckedContinuation { continuation in
            let number = state.withLock { state -> Int? in
                guard state.store === store else { return nil }
                state.nextCall += 1
                state.calls[state.nextCall] = { continuation.resume(returning: nil) }
                return state.nextCall
            }
            guard let number else { return continuation.resume(returning: nil) }
            Task { [self] in
                let value = await body(store)
                let isWaiting = state.withLock { $0.calls.removeValue(forKey: number) != nil }
                if isWaiting { continuation.resume(returning: value) }
            }
        }
    }
}
