import Checksums
import ClusterProtocol
import Coordination
import JournalStorage
import Metadata
import ObjectModel
import Recovery
import ShardStorage
import Synchronization
import SystemInterface

/// A coordinator as `cairn coordinator` runs it: starts its store, starts it again when the journal has stopped, and
/// ends for good when another has taken over.
final class SimulatedCoordinator: Sendable {
    /// Between two tries to start.
    private static let retry = Duration.seconds(1)

    private struct State {
        var process: SimulatedProcess?
        var store: Store?
        /// What its folder holds.
        var database = MemoryMetadataDatabase()
        var copies: [MemoryMetadataDatabase] = []
        var incarnation: UInt32 = 0
        var nodes: [NodeAddress] = []
        var isFormed: Bool
        var isRebuilt: Bool
        var isTakingOver: Bool
        var isSuperseded = false
        /// Why it does not start.
        var problem = ""
    }

    let name: String
    private let cluster: ClusterID
    private let world: World
    private let mischief: StoreMischief
    private let settings: OperatorSettings
    private let state: Mutex<State>

    /// `takesOver`: begins with nothing but the nodes' addresses, as with `--take-over`.
    init(
        _ number: Int,
        of cluster: ClusterID,
        takesOver: Bool,
        world: World,
        mischief: StoreMischief,
        settings: OperatorSettings
    ) {
        name = ClusterLayout.coordinatorName(number)
        self.cluster = cluster
        self.world = world
        self.mischief = mischief
        self.settings = settings
        var first = State(isFormed: takesOver, isRebuilt: !takesOver, isTakingOver: takesOver)
        if takesOver { first.nodes = (0..<ClusterLayout.nodeCount).map(SimulatedCluster.address) }
        state = Mutex(first)
    }

    /// The store that runs; nil while none does.
    var store: Store? { state.withLock { $0.store } }
    /// What the store that runs has committed; nil while none does.
    var committed: MemoryMetadataDatabase? { state.withLock { $0.store == nil ? nil : $0.database } }
    /// Of the store that runs; 0 while none does.
    var incarnation: UInt32 { store?.journal.incarnation ?? 0 }
    /// No other has taken over from it, as far as it knows.
    var mayStart: Bool { state.withLock { !$0.isSuperseded } }
    /// Its data folder, as far as it is files.
    private var folder: String { "\(name)/folder" }
    var isUp: Bool { state.withLock { $0.process != nil } }
    var problem: String { state.withLock { $0.problem } }

    // MARK: Up and down

    func start() {
        guard !isUp, mayStart else { return }
        let process = world.start(name, disks: [folder]) { [self] process in try await run(process) }
        state.withLock { $0.process = process }
    }

    /// Ends the process; a loss of power may take the database's newest commits, so many copies back.
    func crash(losingPower: Bool, databaseBack: Int?) {
        world.noteScrub(of: store)
        let process = state.withLock { state in
            state.database =
                databaseBack.map { back in
                    state.database.fallingBack(to: state.copies.dropLast(back).last)
                } ?? state.database.copy()
            defer { (state.process, state.store, state.copies) = (nil, nil, []) }
            return state.process
        }
        process?.crash(losingPower: losingPower)
    }

    func pause() { state.withLock { $0.process }?.pause() }
    func resume() { state.withLock { $0.process }?.resume() }

    /// Keeps what the database holds now.
    func keepCopy() { state.withLock { $0.copies.append($0.database.copy()) } }

    /// Lets go of the store, which refers back to this.
    func end() {
        world.noteScrub(of: store)
        state.withLock { ($0.store, $0.process, $0.copies) = (nil, nil, []) }
    }

    // MARK: The process

    /// What belongs to one life of the process.
    private struct Life {
        let process: SimulatedProcess
        let buggify: Buggify
        let transport: AddressedTransport
        let membership: Membership
        let service: CoordinatorService
        let duties: CoordinatorDuties
    }

    private func life(of process: SimulatedProcess) -> Life {
        let transport = AddressedTransport(process.transport)
        let membership = Membership(
            known: state.withLock { $0.nodes },
            region: ClusterLayout.region,
            addresses: transport,
            transport: transport,
            time: process.time
        ) { [self] nodes in state.withLock { $0.nodes = nodes } }
        membership.setCredentials([
            CredentialsUpdate.Entry(user: "owner", displayName: "owner", accessKey: "key", secretKey: "secret")
        ])
        return Life(
            process: process,
            buggify: mischief.buggify { [self] in endAndStart(process) },
            transport: transport,
            membership: membership,
            service: CoordinatorService(membership: membership) { _ in throw NobodyJoins() },
            duties: CoordinatorDuties(
                membership: membership,
                transport: transport,
                host: name,
                port: ClusterLayout.port,
                time: process.time
            )
        )
    }

    /// As by a supervisor.
    private func endAndStart(_ process: SimulatedProcess) {
        guard state.withLock({ $0.process === process }) else { return }
        crash(losingPower: false, databaseBack: nil)
        Task { [self] in
            try? await world.time.sleep(for: Self.retry)
            start()
        }
    }

    private struct NobodyJoins: Error {}

    private func run(_ process: SimulatedProcess) async throws {
        let life = life(of: process)
        process.serve(name, CoordinatorPort(service: life.service))
        var pauses = TakeOverPauses(random: process.random)
        while true {
            do {
                try await rebuild(life)
                let store = try await open(life)
                await life.duties.announce(incarnation: store.journal.incarnation)
                await life.duties.run(store)
                try await close(store, life)
            } catch StoreStartError.superseded where !state.withLock({ $0.isTakingOver }) {
                return stopForGood(process)
            } catch StoreStartError.databaseBehind {
                state.withLock { $0.isRebuilt = false }
            } catch {
                note(problem: "\(error)")
                let pause = state.withLock { $0.isTakingOver } ? pauses.next() : Self.retry
                try await process.time.sleep(for: pause)
            }
        }
    }

    private func note(problem: String) {
        let isNew = state.withLock { state in
            defer { state.problem = problem }
            return state.problem != problem
        }
        if isNew { world.trace.record("\(name) does not start: \(problem)") }
    }

    private func stopForGood(_ process: SimulatedProcess) {
        state.withLock { ($0.isSuperseded, $0.process, $0.store) = (true, nil, nil) }
        world.trace.record("\(name) is superseded")
        process.crash(losingPower: false)
    }

    /// The database of one that takes over or has an old copy, from what the nodes hold.
    private func rebuild(_ life: Life) async throws {
        guard !state.withLock({ $0.isRebuilt }) else { return }
        let database = MemoryMetadataDatabase()
        let rebuild = ClusterRebuild(
            nodes: state.withLock { $0.nodes }.map { NodeMember(name: $0.name, site: $0.site) },
            cluster: cluster,
            transport: life.transport,
            isForced: false,
            buggify: life.buggify
        )
        _ = try await rebuild.run(time: life.process.time, random: life.process.random) { journal in
            JournaledMetadataStore.inMemory(database, journal: journal)
        }
        state.withLock { ($0.database, $0.isRebuilt) = (database.copy(), true) }
    }

    private func open(_ life: Life) async throws -> Store {
        if !state.withLock({ $0.isTakingOver }) { await life.duties.awaitNodes() }
        let (database, settings) = try state.withLock { state in
            (state.database, try configuration(life, state))
        }
        let store = try await Store.open(
            settings,
            time: life.process.time,
            random: life.process.random,
            md5: .inline
        ) { journal async throws(MetadataError) in
            JournaledMetadataStore.inMemory(database, journal: journal, buggify: life.buggify)
        }
        world.watch(store)
        life.service.attach(store)
        state.withLock { state in
            (state.isFormed, state.isTakingOver, state.problem) = (true, false, "")
            if state.process === life.process { state.store = store }
        }
        world.trace.record("\(name) runs as incarnation \(store.journal.incarnation)")
        return store
    }

    private func close(_ store: Store, _ life: Life) async throws {
        let stopped = store.journal.report.stopped
        world.trace.record("\(name) has stopped: \(stopped.map { "\($0)" } ?? store.stopReason ?? "")")
        state.withLock { if $0.process === life.process { $0.store = nil } }
        world.noteScrub(of: store)
        life.service.detach()
        await store.close()
        // What this life's store still holds of the database changes nothing any more.
        state.withLock { $0.database = $0.database.copy() }
        if case .superseded(let incarnation)? = stopped { throw StoreStartError.superseded(incarnation) }
    }

    private func configuration(_ life: Life, _ state: State) throws -> StoreConfiguration {
        let nodes = life.membership.nodes
        var configuration = StoreConfiguration(
            slots: [],
            scheme: try ClusterLayout.scheme(),
            journal: JournalConfiguration(),
            repackGrace: .milliseconds(500),
            orphanQuarantine: SimulatedCluster.orphanQuarantine
        )
        configuration.buggify = life.buggify
        settings.apply(to: &configuration, folder: life.process.files(folder))
        configuration.nodes = nodes.map { NodeMember(name: $0.name, site: $0.site) }
        configuration.transport = life.transport
        configuration.cluster = cluster
        configuration.mayFound = !state.isFormed && nodes.count == ClusterLayout.nodeCount
        configuration.holder = NodeName(CoordinatorName.name)
        configuration.ownIncarnation = state.isTakingOver ? .max : state.incarnation
        configuration.recordIncarnation = { [self] incarnation in
            self.state.withLock { $0.incarnation = incarnation }
        }
        return configuration
    }
}

/// The port of a coordinator.
private struct CoordinatorPort: PeerService {
    let service: CoordinatorService

    func answer(_ message: TransportMessage, from process: String) async -> TransportMessage {
        await service.answer(message, from: .node(NodeName(process)))
    }
}
