import AdminGateway
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
import Recovery
import SystemInterface

/// The life of a coordinator's store: not founded yet, starting, running, starting again.
actor CoordinatorControl {
    private static let poll = Duration.milliseconds(100)
    /// Between two tries to start.
    private static let retry = Duration.seconds(1)

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
    private let duties: CoordinatorDuties
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
    /// The first start of a take-over, and that alone, may begin although another coordinator has: also when that one
    /// came back and began in the same moment, which otherwise would stop both.
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
        duties = CoordinatorDuties(
            membership: parts.membership,
            transport: parts.client,
            host: parts.advertised.host,
            port: parts.advertised.port,
            time: LinuxTime()
        )
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
        var pauses = TakeOverPauses(random: random)
        while !Task.isCancelled {
            guard store.has(.formed) else {
                try await time.sleep(for: Self.poll)
                continue
            }
            do {
                if running == nil { try await open(mayFound: false) }
                problem = ""
            } catch StoreStartError.superseded(let incarnation) where !isTakingOver {
                throw try await superseded(by: incarnation)
            } catch {
                if problem != "\(error)" {
                    logger.warning("the store does not start", metadata: ["reason": "\(error)"])
                }
                problem = "\(error)"
                try await time.sleep(for: isTakingOver ? pauses.next() : Self.retry)
                continue
            }
            guard let running else { continue }
            await duties.run(running.store)
            try await end(running)
        }
        if let running { try await end(running) }
    }

    private func end(_ running: Running) async throws {
        let stopped = running.store.journal.report.stopped
        let reason = running.store.stopReason
        service.detach()
        await running.store.close()
        self.running = nil
        if case .superseded(let incarnation)? = stopped { throw try await superseded(by: incarnation) }
        if let reason { logger.error("the store has stopped and starts again", metadata: ["reason": "\(reason)"]) }
    }

    /// Marks this folder, so that it never starts again, and gives the error to end with.
    private func superseded(by incarnation: UInt32) async throws -> ServeError {
        try await store.set(.superseded, "a coordinator of incarnation \(incarnation) has taken over this cluster")
        return ServeError(Self.supersededAdvice)
    }

    /// Also of a folder that comes from a backup: it cannot know what was decided since.
    static let supersededAdvice =
        "the keepers know a newer coordinator than this folder's: it may not run again. If there is none (the folder "
        + "was restored from a backup), or this machine is to be the coordinator again, run it with --take-over and "
        + "the recovery kit on an empty --data folder"

    /// Founds the store on the empty disks of all nodes that are here.
    func form() async throws -> String {
        guard !store.has(.formed) else { throw ServeError("the cluster is formed already") }
        let nodes = membership.present(within: CoordinatorDuties.patience)
        try await open(mayFound: true)
        try await store.set(.formed)
        let disks = running?.store.blobs.view.map.disks.count ?? 0
        let sites = Set(nodes.map(\.site)).count
        return "\(settings.scheme) on \(Words.plural(disks, "disk")) of \(Words.plural(nodes.count, "node")) in "
            + Words.plural(sites, "site")
    }

    private func open(mayFound: Bool) async throws {
        guard !isOpening, running == nil else { throw ServeError("the store is being started: try again") }
        isOpening = true
        defer { isOpening = false }
        // Those of another coordinator beat there until this one runs: they are not waited for.
        if !isTakingOver { await duties.awaitNodes() }
        do {
            try await openNow(mayFound: mayFound)
        } catch StoreStartError.databaseBehind {
            // An old copy, or one that was made while the coordinator before still checkpointed; that one is fenced off
            // by now.
            try await readCheckpoint()
            try await openNow(mayFound: false)
        } catch StoreStartError.notFounded where store.has(.formed) {
            // The database is gone, or was moved aside because it was damaged.
            try await readCheckpoint()
            try await openNow(mayFound: false)
        }
    }

    /// From here on the folder is a coordinator's like any other.
    private func endTakeOver() async {
        isTakingOver = false
        do {
            try await store.clear(.takingOver)
        } catch {
            logger.error(
                "the end of the take-over cannot be noted: remove the file, or the next start asks for it again",
                metadata: ["file": "\(store.root)/\(ClusterFiles.Mark.takingOver.rawValue)", "error": "\(error)"]
            )
        }
    }

    /// Brings the database to where the journal ends, from the checkpoint that the nodes hold.
    private func readCheckpoint() async throws {
        guard let cluster = Identifier128(text: settings.cluster) else { return }
        logger.warning("the database is gone, or older than the journal's beginning: it is read anew from the nodes")
        let rebuild = ClusterRebuild(
            nodes: membership.nodes.map { NodeMember(name: $0.name, site: $0.site) },
            cluster: ClusterID(cluster),
            transport: client,
            isForced: mayForce
        )
        _ = try await rebuild.run(time: time, random: random) { [folder] journal in
            try await JournaledMetadataStore.openSQLite(path: folder.metadata, journal: journal)
        }
    }

    /// What this folder knows of certificates a take-over is to know, too: also what came to be known while no store
    /// ran. What is known already writes nothing.
    private func noteCertificates(in opened: Store) async {
        do {
            try await opened.metadata.noteCertificateFloors(membership.certificateFloors)
        } catch {
            logger.warning(
                "which certificates count no more could not be written to the metadata: tried again at the next start",
                metadata: ["error": "\(error)"]
            )
        }
    }

    /// A start that is forced is noted in the folder, from here on.
    private func storeConfiguration(mayFound: Bool) async throws -> StoreConfiguration {
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
        configuration.repairRates = try options.repair.rates()
        configuration.site = options.site.map { SiteName($0) }
        configuration.scrub = scrub
        configuration.stateFolder = store.files
        configuration.wasForced = folder.mayBeForced
        if mayForce { try await folder.markForced(in: store.files) }
        configuration.ownIncarnation = isTakingOver ? .max : try store.ownIncarnation()
        configuration.recordIncarnation = { [store] in try await store.recordIncarnation($0) }
        configuration.nodes = membership.nodes.map { NodeMember(name: $0.name, site: $0.site) }
        configuration.transport = client
        configuration.cluster = ClusterID(cluster)
        configuration.mayFound = mayFound
        configuration.holder = NodeName(CoordinatorName.name)
        return configuration
    }

    /// The users of a store; who they are is told to every node.
    private func userDirectory(in opened: Store) -> UserDirectory {
        let membership = membership
        return UserDirectory(root: root, masterKey: masterKey, metadata: opened.metadata) { credentials in
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
    }

    private func openNow(mayFound: Bool) async throws {
        let configuration = try await storeConfiguration(mayFound: mayFound)
        let reserve = LogReserve()
        let databaseReserve = try await folder.databaseReserve()
        let (folder, files) = (folder, store.files)
        let opened = try await Store.open(configuration, time: time, random: random, md5: md5) {
            journal throws(MetadataError) in
            let metadata = try await JournaledMetadataStore.openSQLite(
                path: folder.metadata,
                journal: journal,
                reserve: databaseReserve
            )
            await reserve.fill(folder, in: files)
            return metadata
        }
        let users = userDirectory(in: opened)
        try await users.reload()
        await noteCertificates(in: opened)
        try await folder.unmarkForced(in: store.files)
        EventLog(logger: logger).follow(opened)
        service.attach(opened)
        mayForce = false
        if isTakingOver { await endTakeOver() }
        running = Running(store: opened, users: users, reserve: reserve)
        await duties.announce(incarnation: opened.journal.incarnation)
    }
}
