import AdminGateway
import Checksums
import ClusterProtocol
import ClusterTransport
import Coordination
import ErasureCoding
import Foundation
import LinuxSystem
import Logging
import ObjectModel
import S3Gateway
import ServiceLifecycle
import Synchronization
import SystemInterface
import UnixSignals

extension ClusterClient: AddressBook {}

/// The composition root of `cairn coordinator`.
struct CoordinatorProgram {
    let options: CoordinatorCommand
    let uploadAge: Duration
    let scrub: ScrubSettings

    /// What the folder holds of the cluster.
    private struct Contents {
        let folder: DataFolder
        let store: ClusterFiles
        let settings: ClusterFiles.Settings
        let authority: ClusterAuthority
        let tokens: JoinTokens
    }

    /// What the folder and the options give.
    struct Parts: Sendable {
        var folder: DataFolder
        var store: ClusterFiles
        var settings: ClusterFiles.Settings
        var masterKey: MasterKey
        var root: RootCredentials
        var membership: Membership
        var service: CoordinatorService
        var client: ClusterClient
        var advertised: ListenAddress
        var logger: Logger
    }

    func run() async throws {
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        try ErasureCoder.selfTest()
        try ChecksumSelfTest.run()
        let logger = Logger(label: "cairn")
        let contents = try await openFolder(logger)
        let (folder, authority) = (contents.folder, contents.authority)
        let identity = try Self.identity(authority)
        let client = try ClusterClient(identity: identity, time: LinuxTime(), logger: logger)
        let listen = try ListenAddress(options.listen ?? contents.settings.listen, option: "--listen")
        let parts = try await parts(contents, client, listen, logger)
        let control = try CoordinatorControl(parts, options: options, uploadAge: uploadAge, scrub: scrub)
        let server = try ClusterServer(
            identity: identity,
            host: listen.host,
            port: listen.port,
            acceptsStrangers: true,
            connectionLimit: try OpenFileBudget(disks: 0, ports: 1, limit: LinuxLimits.raiseOpenFiles()).connections,
            time: LinuxTime(),
            logger: logger,
            service: CoordinatorPort(service: parts.service)
        )
        let services: [any Service] = [
            CoordinatorLife(control: control),
            try AdminServer(
                directory: folder.path,
                service: CoordinatorAdmin(control: control, tokens: contents.tokens, authority: authority),
                logger: logger
            ),
            Listening(
                address: listen,
                option: "--listen",
                base: ClusterPortService(server: server) { port in
                    Announcement.say("ready: coordinator on \(listen.urlHost):\(port)")
                }
            ),
            Self.renewal(of: identity, by: authority, client, server, logger),
        ]
        let probes: [any Service] = try options.metrics.map { [try Self.probes($0, control, logger)] } ?? []
        try await ServiceRun.run(services + probes, logger: logger)
        client.close()
        withExtendedLifetime(contents.store) {}
    }

    /// Opens the folder, after a take-over if that is asked for. Throws when another coordinator has taken over.
    private func openFolder(_ logger: Logger) async throws -> Contents {
        let folder = DataFolder(path: options.data)
        if options.takeOver { try TakeOver.check(options) }
        let store = ClusterFiles(files: try await folder.open())
        if options.takeOver {
            try await TakeOver(options: options, folder: folder, store: store, logger: logger).run()
        } else {
            try store.checkNotTakingOver()
        }
        guard !store.has(.superseded) else {
            throw ServeError(CoordinatorControl.supersededAdvice)
        }
        return Contents(
            folder: folder,
            store: store,
            settings: try store.settings(),
            authority: try store.authority(),
            tokens: try JoinTokens(store)
        )
    }

    /// Gives the client and the server a certificate in time before theirs expires.
    private static func renewal(
        of identity: ClusterIdentity,
        by authority: ClusterAuthority,
        _ client: ClusterClient,
        _ server: ClusterServer,
        _ logger: Logger
    ) -> Renewal {
        let current = Mutex(identity)
        return Renewal(logger: logger) {
            current.withLock { $0 }
        } renew: {
            let fresh = try Self.identity(authority)
            try client.replaceIdentity(fresh)
            try server.replaceIdentity(fresh)
            current.withLock { $0 = fresh }
        }
    }

    private func parts(
        _ contents: Contents,
        _ client: ClusterClient,
        _ listen: ListenAddress,
        _ logger: Logger
    ) async throws -> Parts {
        let (folder, store, settings) = (contents.folder, contents.store, contents.settings)
        // Made by `cluster init`, or brought by a take-over.
        let masterKey = try await MasterKey.load(given: nil, folder: folder, files: store.files, isExpected: true)
        let root = try await RootCredentials.load(folder: folder, files: store.files, random: LinuxRandom())
        guard let id = Identifier128(text: settings.cluster) else {
            throw ServeError("\(store.root)/cluster.json names no cluster: restore it")
        }
        let membership = try await Self.membership(contents, client, logger)
        let certificates = MemberCertificates(
            cluster: ClusterID(id),
            authority: contents.authority,
            tokens: contents.tokens,
            membership: membership,
            store: store,
            logger: logger
        )
        let service = CoordinatorService(
            membership: membership,
            onRefusal: RefusalLog(logger).report,
            onDismissal: RefusalLog(logger).reportDismissed,
            certify: certificates.certify
        )
        return Parts(
            folder: folder,
            store: store,
            settings: settings,
            masterKey: masterKey,
            root: root,
            membership: membership,
            service: service,
            client: client,
            advertised: try options.advertise.map { try ListenAddress($0, option: "--advertise") } ?? listen,
            logger: logger
        )
    }

    /// The nodes as last heard of. What changes of them is written, and the client calls only those that count.
    private static func membership(
        _ contents: Contents,
        _ client: ClusterClient,
        _ logger: Logger
    ) async throws -> Membership {
        let saver = NodeListSaver(store: contents.store, logger: logger)
        let membership = Membership(
            known: try contents.store.nodes(),
            floors: await contents.tokens.floors,
            region: contents.settings.region,
            addresses: client,
            transport: client,
            time: LinuxTime(),
            onCopies: CopiesLog(logger).report
        ) { nodes in Task { await saver.save(nodes) } }
        client.setAdmission { [weak membership] peer in
            peer.role != .node || membership?.counts(NodeName(peer.name), generation: peer.generation) ?? true
        }
        return membership
    }

    /// `/-/ready` and `/-/metrics` of the store, while there is one.
    private static func probes(
        _ address: String,
        _ control: CoordinatorControl,
        _ logger: Logger
    ) throws -> Listening<ProbeServer> {
        let address = try ListenAddress(address, option: "--metrics")
        let server = ProbeServer(
            host: address.host,
            port: address.port,
            logger: logger,
            ready: {
                if let store = await control.running?.store { return StoreProbes.problem(of: store) }
                guard control.store.has(.formed) else { return "the cluster is not formed yet" }
                let problem = await control.problem
                return "the store does not run" + (problem.isEmpty ? " yet" : ": \(problem)")
            },
            metrics: {
                guard let store = await control.running?.store else { return "cairn_up 0\n" }
                let members = control.membership.nodes.map { NodeMember(name: $0.name, site: $0.site) }
                return await StoreProbes.metrics(store, control.folder, members: Set(members))
            }
        )
        return Listening(address: address, option: "--metrics", base: server)
    }

    /// A certificate and key of this run's own.
    static func identity(_ authority: ClusterAuthority) throws -> ClusterIdentity {
        let key = ClusterAuthority.makeKey()
        let certificate = try authority.issue(
            name: CoordinatorName.name,
            role: .coordinator,
            publicKeyPEM: key.publicPEM,
            now: LinuxTime().wall
        )
        return try ClusterIdentity(
            certificatePEM: certificate,
            keyPEM: key.privatePEM,
            authorityPEM: authority.certificatePEM
        )
    }
}

/// The port of the coordinator.
private struct CoordinatorPort: ClusterService {
    let service: CoordinatorService

    func answer(
        _ message: TransportMessage,
        from peer: ClusterPeer?,
        at address: String
    ) async -> TransportMessage {
        await service.answer(message, from: ClusterCaller(peer, at: address))
    }
}

/// The coordinator's store as a service: its end is the program's.
private struct CoordinatorLife: Service {
    let control: CoordinatorControl

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await control.run() }
        } catch is CancellationError {}
    }
}

/// Writes the list of nodes, one write at a time, the newest list last.
private actor NodeListSaver {
    private let store: ClusterFiles
    private let logger: Logger

    init(store: ClusterFiles, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    private var newest: [NodeAddress]?
    private var isSaving = false

    func save(_ nodes: [NodeAddress]) async {
        newest = nodes
        guard !isSaving else { return }
        isSaving = true
        defer { isSaving = false }
        while let nodes = newest {
            newest = nil
            do {
                try await store.write(nodes)
            } catch {
                logger.error("the list of nodes cannot be written", metadata: ["error": "\(error)"])
            }
        }
    }
}
