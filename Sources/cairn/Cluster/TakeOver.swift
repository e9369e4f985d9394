import ClusterProtocol
import ClusterTransport
import Coordination
import Foundation
import LinuxSystem
import Logging
import Metadata
import ObjectModel
import Recovery
import SystemInterface

/// `cairn coordinator --take-over`: makes a coordinator's folder from the recovery kit and what the nodes hold
/// (DESIGN §7, Start). The start that follows draws a higher incarnation: an old coordinator that still runs can change
/// nothing from then on, and stops.
///
/// A node is found before anything is written. From the first file on until the store has started once the folder says
/// that it is taking over (`ClusterFiles.Mark.takingOver`): whatever happens meanwhile, it starts as nothing else, and
/// the same command goes on.
struct TakeOver {
    private static let timeout = Duration.seconds(10)
    private static let tries = 3

    let options: CoordinatorCommand
    let folder: DataFolder
    let store: ClusterFiles
    let logger: Logger

    func run() async throws {
        let begun = try store.text(of: .takingOver)
        try checkFolder(isBegun: begun != nil)
        // Only its first start is missing.
        if store.has(.formed) { return }
        let (kit, authority) = try Self.given(options)
        guard begun == nil || begun == kit.cluster else {
            throw ServeError("a take-over of another cluster has begun in \(folder.path): give an empty --data folder")
        }
        let identity = try CoordinatorProgram.identity(authority)
        let client = try ClusterClient(identity: identity, time: LinuxTime(), logger: logger)
        defer { client.close() }
        let nodes = try await findNodes(client)
        try await store.set(.takingOver, kit.cluster)
        try await keep(kit, authority)
        try await rebuild(kit, nodes, client)
        try await store.write(nodes)
        try await JoinTokens.write(joined: Set(nodes.map(\.name.name)), to: store)
        try await store.set(.formed)
    }

    /// Before a folder is made for it: nothing is to be left of a command that cannot be.
    static func check(_ options: CoordinatorCommand) throws {
        guard !FileManager.default.fileExists(atPath: options.data) else { return }
        _ = try given(options)
    }

    /// The kit, and the authority in it.
    private static func given(
        _ options: CoordinatorCommand
    ) throws -> (RecoveryKitText.Kit, ClusterAuthority) {
        guard let path = options.kit, let text = try DataFolder.read(path) else {
            throw ServeError("--take-over needs the recovery kit: --kit FILE")
        }
        guard !options.node.isEmpty else {
            throw ServeError("--take-over needs a node that runs: --node NAME=ADDRESS:PORT")
        }
        let kit = try RecoveryKitText.Kit(text, file: path)
        do {
            return (kit, try ClusterAuthority(certificatePEM: kit.authorityCertificate, keyPEM: kit.authorityKey))
        } catch {
            throw ServeError("\(path) is damaged: give another copy of the kit (its authority: \(error))")
        }
    }

    private func checkFolder(isBegun: Bool) throws {
        guard !store.has(.superseded) else {
            throw ServeError("\(folder.path) holds an old coordinator: give an empty --data folder for --take-over")
        }
        guard !isBegun else { return }
        guard !store.has(.formed) else {
            throw ServeError("\(folder.path) is a coordinator's folder already: start it without --take-over")
        }
        guard try DataFolder.read(store.root + "/cluster.json") == nil else {
            throw ServeError("\(folder.path) holds a cluster of its own: give an empty --data folder for --take-over")
        }
    }

    /// Writes what the kit says, so that the folder is like the old one's.
    private func keep(_ kit: RecoveryKitText.Kit, _ authority: ClusterAuthority) async throws {
        try await store.write(authority)
        try await DataFolder.writeSecret(kit.masterKey + "\n", name: "master.key", in: store.files)
        let keys = "access_key=\(kit.accessKey)\nsecret_key=\(kit.secretKey)\n"
        try await DataFolder.writeSecret(keys, name: "credentials", in: store.files)
        try await store.write(
            ClusterFiles.Settings(
                cluster: kit.cluster,
                scheme: kit.scheme,
                region: kit.region,
                listen: options.listen ?? "127.0.0.1:7400"
            )
        )
        // The operator has the kit that all of this is from.
        try await DataFolder.noteRecoveryKitTaken(in: store.files)
    }

    /// Asks the given nodes where all the others are: side by side, since those of a lost site take their time not to
    /// answer.
    private func findNodes(_ client: ClusterClient) async throws -> [NodeAddress] {
        let given = try options.node.map { text in
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw ServeError("--node \(text): give NAME=ADDRESS:PORT") }
            return (text: text, name: parts[0], address: try ListenAddress(parts[1], option: "--node"))
        }
        for node in given { client.setAddress(node.name, host: node.address.host, port: node.address.port) }
        let lists = await withTaskGroup(of: [NodeAddress].self) { group in
            for node in given { group.addTask { await nodes(known: node.name, at: node.text, client) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var found: [NodeName: NodeAddress] = [:]
        for node in lists.joined() { found[node.name] = node }
        guard !found.isEmpty else { throw ServeError("no node that was given by --node answers: name others") }
        for node in found.values { client.setAddress(node.name.name, host: node.host, port: node.port) }
        return found.values.sorted { $0.name < $1.name }
    }

    /// None when the node does not answer.
    private func nodes(known name: String, at text: String, _ client: ClusterClient) async -> [NodeAddress] {
        let message = TransportMessage(header: GatewayCall.nodes.encoded)
        guard let answer = try? await client.call(name, message, timeout: Self.timeout),
            case .nodes(let nodes)? = try? GatewayResponse(decoding: answer.header)
        else {
            logger.warning("a node does not answer", metadata: ["node": "\(text)"])
            return []
        }
        return nodes
    }

    private func rebuild(_ kit: RecoveryKitText.Kit, _ nodes: [NodeAddress], _ client: ClusterClient) async throws {
        guard let cluster = Identifier128(text: kit.cluster) else { throw ServeError("the kit names no cluster") }
        let rebuild = ClusterRebuild(
            nodes: nodes.map { NodeMember(name: $0.name, site: $0.site) },
            cluster: ClusterID(cluster),
            transport: client,
            isForced: options.forceJournal
        )
        var metadata: JournaledMetadataStore?
        let report = try await rebuild.run(time: LinuxTime(), random: LinuxRandom()) { journal in
            let opened = try await JournaledMetadataStore.openSQLite(path: folder.metadata, journal: journal)
            metadata = opened
            return opened
        }
        // Before the first node calls: which machines were removed is known from nowhere else.
        try await store.write(metadata?.certificateFloors() ?? [])
        logger.info("metadata read from the nodes", metadata: ["position": "\(report.position)"])
    }
}
