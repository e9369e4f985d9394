import ArgumentParser
import ClusterTransport
import DiskFormat
import Foundation
import ObjectModel
import StorageNode

struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "Run a storage node: its disks, and an S3 endpoint.",
        discussion: """
            The first start needs --join and --token, which `cairn admin node token` prints; what is given then is \
            kept in DIR/node.json, and later starts need only --data. One line `joined: …` is printed when the node \
            is a member, one line `ready: …` when requests of clients are taken.
            """
    )

    @Option(help: "The node's data folder: its certificate, and its disks unless --disk is given.")
    var data: String
    @Option(help: "The coordinator's ADDRESS:PORT, for the first start and to join anew.")
    var join: String?
    @Option(help: "The join token, for the first start and to join anew.")
    var token: String?
    @Option(help: "The node's name, unique in the cluster.")
    var name: String?
    @Option(help: "The site it stands in.")
    var site: String?
    @Option(help: "Address and port for the calls of the other nodes.")
    var listen: String?
    @Option(help: "Address under which the others reach this node, where that is not the one it listens on.")
    var advertise: String?
    @Option(help: "Address and port of the S3 endpoint.")
    var s3: String?
    @Option(help: "Disks in --data, as folders.")
    var disks: Int?
    @Option(help: "A real disk's mounted folder. Repeatable.")
    var disk: [String] = []
    @Option(help: "A name under which BUCKET.NAME is a bucket. Repeatable.")
    var domain: [String] = []
    @Option(help: "PEM file of the S3 endpoint's certificate chain: serves HTTPS.")
    var tlsCertificate: String?
    @Option(help: "PEM file of the certificate's key.")
    var tlsKey: String?

    func run() async throws {
        guard (tlsCertificate == nil) == (tlsKey == nil) else {
            throw ValidationError("give both --tls-certificate and --tls-key, or neither")
        }
        try await NodeProgram(options: self).run()
    }
}

/// What a node remembers: `DIR/node.json`.
struct NodeSettings: Codable, Sendable {
    var name: String
    var site: String
    var listen: String
    var advertise: String?
    var s3: String
    /// Folders of disks in the data folder; 0 when `paths` says where they are.
    var disks: Int
    var paths: [String]
    /// By path, the slot that each of them is; nil before the first start that named them.
    var slots: [String: String]?
    var domains: [String]
    var tlsCertificate: String?
    var tlsKey: String?
    /// Where the coordinator was last, ADDRESS:PORT.
    var coordinator: String

    /// What the options say, over what was remembered.
    init(_ options: NodeCommand, remembered: NodeSettings?) throws {
        func given(_ option: String?, _ old: String?, _ name: String) throws -> String {
            guard let value = option ?? old, !value.isEmpty else { throw ServeError("the first start needs --\(name)") }
            return value
        }
        name = try given(options.name, remembered?.name, "name")
        site = try given(options.site, remembered?.site, "site")
        listen = try given(options.listen, remembered?.listen, "listen")
        advertise = options.advertise ?? remembered?.advertise
        s3 = try given(options.s3, remembered?.s3, "s3")
        coordinator = try given(options.join, remembered?.coordinator, "join")
        let isNewList = options.disks != nil || !options.disk.isEmpty
        disks = isNewList ? options.disks ?? 0 : remembered?.disks ?? 0
        paths = isNewList ? options.disk : remembered?.paths ?? []
        slots = remembered?.slots
        domains = options.domain.isEmpty ? remembered?.domains ?? [] : options.domain
        tlsCertificate = options.tlsCertificate ?? remembered?.tlsCertificate
        tlsKey = options.tlsKey ?? remembered?.tlsKey
        for (text, option) in [(listen, "--listen"), (s3, "--s3"), (coordinator, "--join")] {
            _ = try ListenAddress(text, option: option)
        }
        guard JoinBook.isPlaceName(name), JoinBook.isPlaceName(site) else {
            throw ServeError("--name and --site take one to 32 of a-z, 0-9 and -")
        }
        guard JoinBook.isNodeName(name) else { throw ServeError("--name \(name): the coordinator is called so") }
        guard (disks > 0) != !paths.isEmpty, disks <= Topology.limit, paths.count <= Topology.limit else {
            throw ServeError("give either --disks N or --disk PATH, at most \(Topology.limit)")
        }
        if let remembered { try check(against: remembered) }
    }

    /// What disks and other members know the node by stays: one machine under two sites would be two failure domains.
    private func check(against remembered: NodeSettings) throws {
        guard remembered.name == name else {
            throw ServeError("this folder is node \(remembered.name)'s: give another --data for \(name)")
        }
        guard remembered.site == site else {
            throw ServeError(
                "node \(name) joined in site \(remembered.site), and its disks count there: start it with "
                    + "--site \(remembered.site), or without --site. " + Self.movingAdvice(name, to: site)
            )
        }
    }

    /// Who has joined and has lost its `node.json` is known by its certificate all the same, and where its disks count
    /// by what they say. Of a node that joins, or joins anew, the coordinator looks at that.
    func check(against identity: ClusterIdentity, in folder: DataFolder) async throws {
        guard identity.name == name else {
            throw ServeError(
                "\(folder.path) holds the certificate of node \(identity.name): give --name \(identity.name)"
            )
        }
        let sites = try await DiskFolders.look(folders(in: folder).map(\.path)).compactMap(\.identity)
            .filter { $0.node.name == name && "\($0.cluster)" == identity.cluster }.map(\.site.name)
        guard let home = sites.first, !sites.contains(site) else { return }
        throw ServeError(
            "the disks of node \(name) count in site \(home), as they say: start it with --site \(home). "
                + Self.movingAdvice(name, to: site)
        )
    }

    private static func movingAdvice(_ name: String, to site: String) -> String {
        "To move the machine to \(site), drain it (`cairn admin node drain \(name)`), stop it, remove it "
            + "(`cairn admin node remove \(name)`), empty its disks, and let it join anew with another --data and "
            + "another --name"
    }

    /// The folders of its disks, with the slot that each of them is.
    func folders(in folder: DataFolder) -> [(slot: String, path: String)] {
        guard paths.isEmpty else { return paths.map { (slots?[$0] ?? $0, $0) } }
        return (1...max(1, disks)).map { ("disk-\($0)", "\(folder.path)/disks/disk-\($0)") }
    }

    /// Says which slots the folders of `--disk` are, by what stands in them; gives what their operator should know.
    mutating func nameSlots(
        _ disks: [GivenDisk],
        of cluster: ClusterID
    ) -> [(slot: String, disk: GivenDisk, remark: String)] {
        let naming = SlotNaming(cluster: cluster, node: NodeName(name), remembered: slots ?? [:])
        let named = Array(zip(naming.names(of: disks), disks))
        slots = Dictionary(named.map { ($0.1.path, $0.0) }, uniquingKeysWith: { first, _ in first })
        return named.compactMap { slot, disk in
            naming.remark(on: disk, named: slot).map { (slot, disk, $0) }
        }
    }

    static func read(_ folder: String) throws -> NodeSettings? {
        try DataFolder.read(
            NodeSettings.self,
            folder + "/node.json",
            remedy: "remove it, and give all options of the first start again but --token; --site as it was"
        )
    }
}
