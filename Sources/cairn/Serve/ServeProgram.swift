import AdminGateway
import BlobStorage
import Checksums
import Coordination
import ErasureCoding
import Foundation
import LinuxSystem
import Logging
import Metadata
import ObjectModel
import S3Gateway
import ServiceLifecycle
import ShardStorage
import StorageNode
import SystemInterface

/// The composition root of `cairn serve`: builds every part in the order of their dependencies and runs them until a
/// signal.
struct ServeProgram {
    let options: ServeCommand
    let scheme: Scheme
    let uploadAge: Duration
    let outAfter: Duration?
    let scrub: ScrubSettings
    let repairRates: RepairRates

    func run() async throws {
        // Standard output is for the lines that scripts wait for.
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        try ErasureCoder.selfTest()
        try ChecksumSelfTest.run()
        let folder = DataFolder(path: options.data)
        let files = try await folder.open()
        let masterKey = try await MasterKey.load(
            given: options.masterKey,
            folder: folder,
            files: files,
            isExpected: folder.wasFounded
        )
        let root = try await RootCredentials.load(folder: folder, files: files, random: LinuxRandom())
        let reserve = LogReserve()
        let topology = Topology(
            sites: options.sites,
            nodes: options.nodes,
            disks: options.disks,
            given: options.disk
        )
        let slots = try topology.slots(in: folder)
        let budget = try OpenFileBudget(disks: slots.count, ports: 1, limit: LinuxLimits.raiseOpenFiles())
        let store = try await openStore(
            folder: folder,
            files: files,
            reserve: reserve,
            slots: slots,
            disk: budget.disk
        )
        let users = UserDirectory(root: root, masterKey: masterKey, metadata: store.metadata)
        try await users.reload()
        let admin = StoreAdmin(
            store: store,
            users: users,
            masterKey: masterKey,
            folder: folder,
            files: files,
            random: LinuxRandom()
        )
        let logger = Logger(label: "cairn")
        EventLog(logger: logger).follow(store)
        if options.scheme != nil, let own = store.blobs.view.standardScheme, own != scheme {
            logger.warning("--scheme \(scheme.name) is for a new store: this one keeps its own, \(own.name)")
        }
        let port = try port(of: store, users: users, root: root, connections: budget.connections, logger: logger)
        let services: [any Service] = [
            StoreService(store: store),
            MemoryService(store: store),
            try AdminServer(directory: folder.path, service: admin, logger: logger),
            port,
        ]
        try await ServiceRun.run(services, logger: logger)
        await store.close()
        withExtendedLifetime((files, store, reserve)) {}
    }

    private func openStore(
        folder: DataFolder,
        files: LinuxFileSystem,
        reserve: LogReserve,
        slots: [StoreSlot],
        disk: ShardDiskConfiguration
    ) async throws -> Store {
        let executor = InlineExecutor()
        var configuration = StoreConfiguration(
            slots: slots,
            scheme: scheme,
            disk: disk,
            uploadAge: uploadAge,
            callExecutor: executor,
            forcesJournal: options.forceJournal
        )
        configuration.requestMemory = MemoryShare.ofRequests
        configuration.wasFounded = folder.wasFounded
        configuration.wasForced = folder.mayBeForced
        if options.forceJournal { try await folder.markForced(in: files) }
        configuration.outAfter = outAfter
        configuration.scrub = scrub
        configuration.repairRates = repairRates
        configuration.stateFolder = files
        let databaseReserve = try await folder.databaseReserve()
        let store = try await Store.open(
            configuration,
            time: LinuxTime(),
            random: LinuxRandom(),
            md5: try HashThread().makeEngine()
        ) { journal throws(MetadataError) in
            let metadata = try await JournaledMetadataStore.openSQLite(
                path: folder.metadata,
                journal: journal,
                executor: executor,
                reserve: databaseReserve
            )
            await reserve.fill(folder, in: files)
            return metadata
        }
        try await folder.unmarkForced(in: files)
        try await folder.markFounded(in: files)
        return store
    }

    /// The S3 port, announced once it listens.
    private func port(
        of store: Store,
        users: UserDirectory,
        root: RootCredentials,
        connections: Int,
        logger: Logger
    ) throws -> Listening<S3Service> {
        let address = try ListenAddress(options.listen, option: "--listen")
        let server = S3Server(
            serverConfiguration(address, connections: connections),
            objects: store.objects,
            credentials: users,
            time: LinuxTime(),
            random: LinuxRandom(),
            logger: logger,
            probes: StoreProbes.probes(store, DataFolder(path: options.data))
        )
        return Listening(
            address: address,
            option: "--listen",
            base: S3Service(server: server) { port in
                announce(host: address.urlHost, port: port, root: root, store: store)
            }
        )
    }

    private func serverConfiguration(_ address: ListenAddress, connections: Int) -> S3ServerConfiguration {
        S3ServerConfiguration(
            host: address.host,
            port: address.port,
            region: options.region,
            domains: options.domain,
            tls: options.tlsFiles,
            logsAccess: options.accessLog,
            maximumConnections: connections
        )
    }

    /// What a person sees at start; scripts wait for the line that begins with `ready:`.
    private func announce(host: String, port: Int, root: RootCredentials, store: Store) {
        let schemes = store.blobs.view.schemes.map(\.name)
        let scheme = schemes.isEmpty ? self.scheme.name : schemes.joined(separator: " and ")
        let endpoint = "\(options.tlsCertificate == nil ? "http" : "https")://\(host):\(port)"
        Self.show(root.lines(folder: options.data))
        // Before `ready:`: whoever has read that line may kill the server, and has seen the keys.
        RootCredentials.noteSeen(in: DataFolder(path: options.data))
        Self.show(store.absentSlots.map { slot, reason in "disk \(slot) is not served: \(reason)" })
        Self.show(["ready: S3 on \(endpoint), \(store.hosted.count) disks, \(scheme)"])
    }

    /// Writes whole lines at once, past any buffer: the process may be killed behind it.
    private static func show(_ lines: [String]) {
        FileHandle.standardOutput.write(Data(lines.map { $0 + "\n" }.joined().utf8))
    }
}

/// The engine as a service: its end is the program's end.
private struct StoreService: Service {
    let store: Store

    func run() async throws {
        await cancelWhenGracefulShutdown { await store.run() }
        if let reason = store.stopReason, !Task.isCancelled, !Task.isShuttingDownGracefully {
            throw ServeError("the store has stopped: \(reason)")
        }
    }
}

/// The S3 port as a service: drains on a signal.
private struct S3Service: Service {
    let server: S3Server
    let onListening: @Sendable (Int) async -> Void

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await server.run(onListening: onListening)
        } onGracefulShutdown: {
            Task { await server.shutdown() }
        }
    }
}
