import BlobStorage
import Checksums
import Coordination
import DiskFormat
import JournalStorage
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import Placement
import ShardStorage
import StorageNode
import Synchronization
import SystemInterface
import TestKit

/// The store under test, as its clients reach it: up, down, or up again.
final class StoreServer: ObjectServer {
    /// Disks of the store; a slot holds its first disk until that is replaced by its next.
    static let slotCount = 8
    /// Disks that a slot may see in a run: each fault of a plan may swap it, and each round replace it.
    private static let generationCount = 20
    static let node = NodeName("node-1")
    /// Where the program keeps what is not on the store's disks.
    private static let folder = "folder"
    /// How long a server is down.
    private static let downTime = Duration.milliseconds(50)

    private struct State {
        var store: Store?
        var process: SimulatedProcess?
        var database = MemoryMetadataDatabase()
        /// Older copies of the database: what a loss of power may leave of it.
        var copies: [MemoryMetadataDatabase] = []
        /// Which of its disks stands in each slot.
        var generations = Array(repeating: 0, count: StoreServer.slotCount)
        /// Counts crashes: whoever wants to start the server again must be of the last one.
        var crashes = 0
        var nextCall = 0
        var calls: [Int: @Sendable () -> Void] = [:]
        var waiters: [CheckedContinuation<Store, Never>] = []
    }

    private let world: World
    private let mischief: StoreMischief
    private let settings: OperatorSettings
    private let state: Shared
    let link: StoreLink

    /// What the link's watch looks at, too.
    private final class Shared: Sendable {
        private let state = Mutex(State())
        func withLock<Value>(_ body: (inout sending State) throws -> sending Value) rethrows -> sending Value {
            try state.withLock(body)
        }
    }

    init(world: World, mischief: StoreMischief, settings: OperatorSettings) {
        self.world = world
        self.mischief = mischief
        self.settings = settings
        let state = Shared()
        self.state = state
        let watch = ErasureWatch(
            counts: { shard, disk in
                state.withLock { $0.store == nil ? nil : $0.database }?.counts(shard, on: disk)
            },
            report: { world.report($0) }
        )
        link = StoreLink(seed: world.random.next(), watch: watch)
    }

    static func diskName(_ slot: Int, _ generation: Int) -> String { "disk-\(slot + 1).\(generation)" }
    static func slotName(_ slot: Int) -> String { "slot-\(slot + 1)" }

    /// The disk in a slot.
    func disk(_ slot: Int) -> String { Self.diskName(slot, state.withLock { $0.generations[slot] }) }

    /// Puts the next, empty disk into a slot.
    func useSpare(_ slot: Int) { state.withLock { $0.generations[slot] += 1 } }

    // MARK: Up and down

    func start() {
        let all = (0..<Self.slotCount).flatMap { slot in
            (0..<Self.generationCount).map { Self.diskName(slot, $0) }
        }
        let process = world.start("server", disks: all + [Self.folder]) { [self] process in
            let buggify = buggify(process)
            let database = state.withLock { $0.database }
            let store = try await Store.open(
                configuration(process, buggify),
                time: process.time,
                random: process.random,
                md5: .inline
            ) { [buggify] journal async throws(MetadataError) in
                JournaledMetadataStore.inMemory(database, journal: journal, buggify: buggify)
            }
            world.watch(store)
            await learnDisks(store)
            serve(store, from: process)
            await store.run()
            if process.isAlive { throw BrokenPromise("the store stopped by itself") }
        }
        state.withLock { $0.process = process }
    }

    /// Lets the link know which disk stands in which slot.
    func learnDisks(_ store: Store) async {
        guard let records = try? await store.metadata.disks() else { return }
        link.know(Dictionary(records.map { ($0.id, $0.slot) }) { first, _ in first })
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

    /// Ends the process, perhaps with its power, and starts it again, perhaps with an older database. `whileDown` is
    /// done between the two.
    func crash(losingPower: Bool, databaseBack: Int?, whileDown: () -> Void = {}) async {
        world.noteScrub(of: state.withLock { $0.store })
        let (process, calls, crash) = state.withLock { state in
            state.database =
                databaseBack.map { back in
                    state.database.fallingBack(to: state.copies.dropLast(back).last)
                } ?? state.database.copy()
            state.copies = []
            state.store = nil
            state.crashes += 1
            defer { state.calls = [:] }
            return (state.process, state.calls.sorted { $0.key < $1.key }.map(\.value), state.crashes)
        }
        process?.crash(losingPower: losingPower)
        for call in calls { call() }
        whileDown()
        try? await world.time.sleep(for: Self.downTime)
        if state.withLock({ $0.crashes == crash }) { start() }
    }

    /// Lets go of the store, whose slots refer back to this.
    func end() {
        world.count(.callsRepeated, times: link.repeated)
        world.count(.erasuresJudged, times: link.watch.judged)
        world.noteScrub(of: state.withLock { $0.store })
        state.withLock { state in
            state.store = nil
            state.process = nil
            state.copies = []
        }
    }

    /// Keeps what the database holds now.
    func keepCopy() { state.withLock { $0.copies.append($0.database.copy()) } }

    static let segmentLength = 2 << 20
    /// Of a journal's file: a run fills several.
    private static let logLength = 256 << 10
    /// Of the journal in memory, where it forgets.
    private static let shortRing = 1 << 10
    /// Short, so that a run meets it.
    static let orphanQuarantine = Duration.seconds(1)

    /// What makes the process end is followed by a start, as by a supervisor.
    private func buggify(_ process: SimulatedProcess) -> Buggify {
        mischief.buggify { [weak self] in
            guard let self, process.isAlive else { return }
            Task.immediate { await self.crash(losingPower: false, databaseBack: nil) }
        }
    }

    private func configuration(_ process: SimulatedProcess, _ buggify: Buggify) throws -> StoreConfiguration {
        // Small cells, segments and reserves: the same paths with less to move.
        guard let scheme = Scheme(dataCount: 4, parityCount: 2, cellSize: Leaf.size) else {
            throw BrokenPromise("no such scheme")
        }
        let slots = (0..<Self.slotCount).map { number in
            StoreSlot(site: SiteName("site-1"), node: Self.node, name: Self.slotName(number)) {
                [self] () throws(FileError) in process.files(disk(number))
            }
        }
        var configuration = StoreConfiguration(slots: slots, scheme: scheme)
        configuration.disk.segmentLength = Self.segmentLength
        configuration.disk.growthLength = 256 << 10
        configuration.disk.reserveLength = 64 << 10
        configuration.disk.quarantine = .seconds(2)
        configuration.keeper = KeeperLog.Configuration(fileLength: Self.logLength)
        configuration.repackGrace = .milliseconds(500)
        configuration.orphanQuarantine = Self.orphanQuarantine
        configuration.buggify = buggify
        configuration.disk.buggify = buggify
        if buggify.strikes(.journalForgets) { configuration.journal.ringBytes = Self.shortRing }
        if buggify.strikes(.smallRounds) { configuration.disk.roundLength = 1 }
        settings.apply(to: &configuration, folder: process.files(Self.folder))
        configuration.link = { [link] in link.wrapping($0, time: process.time) }
        return configuration
    }

    func describeShards(of key: String) async -> [String] {
        let store = await store()
        return await store.describeShards(of: key, on: store.hosted.map(\.disk))
    }

    // MARK: Calls

    var mayBeUnavailable: Bool { false }

    func use<Value: Sendable>(_ body: @escaping @Sendable (ObjectStore) async -> Value) async -> Value? {
        await call { store in await body(store.objects) }
    }

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
