import BlobStorage
import Checksums
import ClusterProtocol
import ClusterTransport
import Coordination
import Foundation
import LinuxSystem
import Logging
import Metadata
import ObjectInterface
import ObjectModel
import Placement
import SystemInterface

/// The life of a coordinator's store: not founded yet, starting, running, starting again.
actor CoordinatorControl {
    /// Until which nodes of the last run are waited for at a start.
    private static let patience = Duration.seconds(5)
    private static let poll = Duration.milliseconds(100)
    /// Between two tries to start.
    private static let retry = Duration.seconds(1)
    /// How often the leases of silent nodes are looked for.
    private static let leaseCheck = Duration.seconds(20)

    /// A store that runs, with what belongs to it.
    struct Running: Sendable {
        var store: Store
        var users: UserDirectory
        /// Holds the database's reserve.
        var reserve: LogReserve
    }

    let folder: DataFolder
    let store: ClusterFiles
    let settings: ClusterFiles.Settings
    let masterKey: MasterKey
    let root: RootCredentials
    let membership: Membership
    let service: CoordinatorService
    let client: ClusterClient
    private let advertised: ListenAddress
    private let options: CoordinatorCommand
    private let uploadAge: Duration
    private let scrub: ScrubSettings
    private let logger: Logger
    private let time = LinuxTime()
    private let random = LinuxRandom()
    private let md5: MD5Engine
    private(set) var running: Running?
    /// Why the last try to start failed; empty when none has.
    private(set) var problem = ""
    private var isOpening = false
    /// The operator's word is for one start.
    private var mayForce: Bool
    /// The first start of a take-over, and that alone, may begin although another coordinator has.
    private var isTakingOver: Bool

    init(
        _ parts: CoordinatorProgram.Parts,
        options: CoordinatorCommand,
        uploadAge: Duration,
        scrub: ScrubSettings
    ) throws {
        folder = parts.folder
        store = parts.store
        settings = parts.settings
        masterKey = parts.masterKey
        root = parts.root
        membership = parts.membership
        service = parts.service
        client = parts.client
        advertised = parts.advertised
        logger = parts.logger
        self.options = options
        mayForce = options.forceJournal
        isTakingOver = options.takeOver
        self.uploadAge = uploadAge
        self.scrub = scrub
        md5 = try HashThread().makeEngine()
    }

    /// Runs the store until cancelled, and starts it again when it stops: a journal that lost its quorum finds it again
    /// once enough keepers answer. Throws when another coordinator has taken over.
    func run() async throws {
        while !Task.isCancelled {
            guard store.has(.formed) else {
                try await time.sleep(for: Self.poll)
                continue
            }
            do {
                if running == nil { try await open(mayFound: false) }
                problem = ""
            } catch StoreStartError.superseded(let incarnation) {
                throw try await superseded(by: incarnation)
            } catch {
                if problem != "\(error)" {
                    logger.warning("the store does not start", metadata: ["reason": "\(error)"])
                }
                problem = "\(error)"
                try await time.sleep(for: Self.retry)
                continue
            }
            guard let running else { continue }
            await work(running)
            try await end(running)
        }
        if let running { try await end(running) }
    }

    /// The store's own work in the background, and what the cluster adds to it.
    private func work(_ running: Running) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await running.store.run() }
            group.addTask { [membership, time] in
                while (try? await time.sleep(for: Self.leaseCheck)) != nil { await membership.endLeasesOfTheSilent() }
            }
            group.addTask { [time] in
                while (try? await time.sleep(for: Self.patience)) != nil { await self.announceToTheSilent(running) }
            }
            await group.next()
            group.cancelAll()
        }
    }

    private func end(_ running: Running) async throws {
        let stopped = running.store.journal.report.stopped
        service.detach()
        await running.store.close()
        self.running = nil
        if case .superseded(let incarnation)? = stopped { throw try await superseded(by: incarnation) }
        if let stopped { logger.error("the store has stopped and starts again", metadata: ["reason": "\(stopped)"]) }
    }

    /// Marks this folder, so that it never starts again, and gives the error to end with.
    private func superseded(by incarnation: UInt32) async throws -> ServeError {
        try await store.set(.superseded, "a coordinator of incarnation \(incarnation) has taken over this cluster")
        return ServeError(
            "another coordinator has taken over: this one stops for good. To make it the coordinator again, run it "
                + "with --take-over and the recovery kit on an empty --data folder"
        )
    }

    /// Founds the store on the empty disks of all nodes that are here.
    func form() async throws -> String {
        guard !store.has(.formed) else { throw ServeError("the cluster is formed already") }
        let nodes = membership.present(within: Self.patience)
        try await open(mayFound: true)
        try await store.set(.formed)
        let disks = running?.store.blobs.view.map.disks.count ?? 0
        let sites = Set(nodes.map(\.site)).count
        return "\(settings.scheme) on \(disks) disks of \(nodes.count) nodes in \(sites) sites"
    }

    private func open(mayFound: Bool) async throws {
        guard !isOpening, running == nil else { throw ServeError("the store is being started: try again") }
        isOpening = true
        defer { isOpening = false }
        await awaitNodes()
        guard let scheme = Scheme(name: settings.scheme), let cluster = Identifier128(text: settings.cluster) else {
            throw ServeError("\(store.root)/cluster.json names no scheme or cluster: restore it")
        }
        var configuration = StoreConfiguration(
            slots: [],
            scheme: scheme,
            journal: JournalConfiguration(),
            uploadAge: uploadAge,
            forcesJournal: mayForce
        )
        configuration.outAfter = try options.out.patience()
        configuration.scrub = scrub
        configuration.scrubFolder = store.files
        if mayForce { try await store.set(.forced) }
        configuration.keepsOrphans = store.has(.forced)
        configuration.ownIncarnation = isTakingOver ? .max : try store.ownIncarnation()
        configuration.recordIncarnation = { [store] in try await store.recordIncarnation($0) }
        configuration.nodes = membership.nodes.map { NodeMember(name: $0.name, site: $0.site) }
        configuration.transport = client
        configuration.cluster = ClusterID(cluster)
        configuration.mayFound = mayFound
        configuration.holder = NodeName(CoordinatorName.name)
        let reserve = LogReserve()
        let (folder, files) = (folder, store.files)
        let opened = try await Store.open(configuration, time: time, random: random, md5: md5) {
            journal throws(MetadataError) in
            let metadata = try await JournaledMetadataStore.openSQLite(path: folder.metadata, journal: journal)
            await reserve.fill(folder, in: files)
            return metadata
        }
        let membership = membership
        let users = UserDirectory(root: root, masterKey: masterKey, metadata: opened.metadata) { credentials in
            membership.setCredentials(
                credentials.map {
                    CredentialsUpdate.Entry(
                        user: $0.user.text,
                        displayName: $0.displayName,
                        accessKey: $0.accessKey,
                        secretKey: $0.secretKey
                    )
                }
            )
        }
        try await users.reload()
        service.attach(opened)
        mayForce = false
        isTakingOver = false
        running = Running(store: opened, users: users, reserve: reserve)
        await announce(incarnation: opened.journal.incarnation, to: membership.nodes)
    }

    /// Nodes that were there in the last run get a moment to beat.
    private func awaitNodes() async {
        let start = time.monotonic
        let known = Set(membership.nodes.map(\.name))
        while time.monotonic.duration(since: start) < Self.patience {
            let present = Set(membership.present(within: Self.patience).map(\.name))
            if !known.isEmpty, known.isSubset(of: present) { return }
            guard (try? await time.sleep(for: Self.poll)) != nil else { return }
        }
    }

    /// Nodes that were away when this coordinator began may still look for the one before.
    private func announceToTheSilent(_ running: Running) async {
        let present = Set(membership.present(within: Self.patience).map(\.name))
        let silent = membership.nodes.filter { !present.contains($0.name) }
        guard !silent.isEmpty else { return }
        await announce(incarnation: running.store.journal.incarnation, to: silent)
    }

    /// Tells nodes where the coordinator is: those of one that was elsewhere follow at once.
    private func announce(incarnation: UInt32, to nodes: [NodeAddress]) async {
        let call = GatewayCall.follow(incarnation: incarnation, host: advertised.host, port: advertised.port)
        let message = TransportMessage(header: call.encoded)
        await withTaskGroup(of: Void.self) { group in
            for node in nodes {
                group.addTask { [client] in
                    _ = try? await client.call(node.name.name, message, timeout: Self.patience)
                }
            }
        }
    }
}
