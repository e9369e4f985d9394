import Checksums
import ClusterProtocol
import ClusterTransport
import Foundation
import JournalStorage
import LinuxSystem
import ObjectModel
import SystemInterface

/// What `cairn cluster init` makes in a coordinator's data folder, beside what `DataFolder` names.
///
///     DIR/cluster.json          cluster id, scheme, region, address
///     DIR/authority.pem, .key   the cluster's own certificate authority (key: mode 0600)
///     DIR/nodes.json            where the nodes were last heard of
///     DIR/tokens.json           digests of the join tokens that are not used yet (mode 0600)
///     DIR/spent-tokens.json     digests of the latest that were used or have expired, to say so (mode 0600)
///     DIR/members.json          the names that have joined
///     DIR/certificates.json     from which generation on their certificates count, where not all do
///     DIR/formed                the store was founded
///     DIR/taking-over           a take-over has begun, of this cluster, and the store has not started since
///     DIR/superseded            another coordinator has taken over
///     DIR/incarnation           the highest incarnation that this one has drawn
struct ClusterFiles: Sendable {
    struct Settings: Codable, Sendable {
        var cluster: String
        var scheme: String
        var region: String
        var listen: String
    }

    let files: LinuxFileSystem
    var root: String { files.root }

    func settings() throws -> Settings {
        let remedy = "restore it from a backup, or take over from the kit"
        guard let settings = try read(Settings.self, "cluster.json", remedy: remedy) else {
            throw ServeError("\(root) is no coordinator's folder: run `cairn cluster init --data \(root)` first")
        }
        return settings
    }

    /// `DataFolder.read`.
    func read<Value: Decodable>(_ type: Value.Type, _ name: String, remedy: String) throws -> Value? {
        try DataFolder.read(type, root + "/" + name, remedy: remedy)
    }

    func write(_ settings: Settings) async throws { try await write(settings, name: "cluster.json") }

    private static let authorityFile = "authority.pem"
    private static let authorityKeyFile = "authority.key"

    func authority() throws -> ClusterAuthority {
        guard let certificate = try readAuthority(Self.authorityFile),
            let key = try readAuthority(Self.authorityKeyFile)
        else { throw ServeError("\(root) has no authority.pem and authority.key: take over from the recovery kit") }
        do throws(AuthorityError) {
            return try ClusterAuthority(certificatePEM: certificate, keyPEM: key)
        } catch {
            switch error {
            case .malformed(what: "key"): throw damaged(Self.authorityKeyFile)
            case .keyMismatch:
                throw ServeError(
                    "\(root)/\(Self.authorityKeyFile) does not belong to \(root)/\(Self.authorityFile): "
                        + Self.authorityRemedy
                )
            case .malformed, .invalidName, .foreign, .expired: throw damaged(Self.authorityFile)
            }
        }
    }

    private func readAuthority(_ name: String) throws -> String? {
        do { return try DataFolder.read(root + "/" + name) } catch { throw damaged(name) }
    }

    private func damaged(_ name: String) -> ServeError {
        ServeError("\(root)/\(name) cannot be read, or is damaged: \(Self.authorityRemedy)")
    }

    private static let authorityRemedy =
        "restore authority.pem and authority.key from a backup, or take over from the kit, with an empty --data folder"

    func write(_ authority: ClusterAuthority) async throws {
        try await DataFolder.writeSecret(authority.certificatePEM, name: Self.authorityFile, in: files)
        try await DataFolder.writeSecret(authority.keyPEM, name: Self.authorityKeyFile, in: files)
    }

    // MARK: Nodes

    private struct Node: Codable {
        var name: String
        var site: String
        var host: String
        var port: Int
    }

    /// Empty when none was heard of.
    func nodes() throws -> [NodeAddress] {
        let remedy =
            "restore it from a backup, or remove it: nodes that run tell anew where they are, and of one that does "
            + "not, and holds no disk, it is forgotten that it was a member"
        return try (read([Node].self, "nodes.json", remedy: remedy) ?? []).map {
            NodeAddress(name: NodeName($0.name), site: SiteName($0.site), host: $0.host, port: $0.port)
        }
    }

    func write(_ nodes: [NodeAddress]) async throws {
        try await write(
            nodes.map { Node(name: $0.name.name, site: $0.site.name, host: $0.host, port: $0.port) },
            name: "nodes.json"
        )
    }

    // MARK: Certificates

    static let floorsFile = "certificates.json"

    /// From which generation on certificates of nodes count; `JoinTokens` goes on from there.
    func write(_ floors: [CertificateFloor]) async throws {
        let generations = Dictionary(floors.map { ($0.node.name, $0.generation) }) { max($0, $1) }
        try await write(generations, name: Self.floorsFile)
    }

    // MARK: Marks

    enum Mark: String {
        case formed
        case superseded
        /// Made by a take-over, whose first start has not succeeded yet; says of which cluster.
        case takingOver = "taking-over"
    }

    /// The highest incarnation that this folder's coordinator has drawn; 0 before the first.
    func ownIncarnation() throws -> UInt32 {
        guard let text = try DataFolder.read(root + "/incarnation") else { return 0 }
        guard let number = UInt32(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw ServeError("\(root)/incarnation is damaged: take over from the recovery kit")
        }
        return number
    }

    func recordIncarnation(_ incarnation: UInt32) async throws {
        try await DataFolder.writeSecret("\(incarnation)\n", name: "incarnation", in: files)
    }

    func has(_ mark: Mark) -> Bool { FileManager.default.fileExists(atPath: root + "/" + mark.rawValue) }

    func set(_ mark: Mark, _ text: String = "") async throws {
        try await DataFolder.writeSecret(text + "\n", name: mark.rawValue, in: files)
    }

    /// What was said when it was set; nil where it is not.
    func text(of mark: Mark) throws -> String? {
        try DataFolder.read(root + "/" + mark.rawValue)?.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Durable on return.
    func clear(_ mark: Mark) async throws {
        guard has(mark) else { return }
        try await files.remove(mark.rawValue)
        try await files.syncDirectory(".")
    }

    /// Throws where a take-over has begun and not come to its end: the folder is nothing else.
    func checkNotTakingOver() throws {
        guard has(.takingOver) else { return }
        throw ServeError(
            "a take-over has begun in \(root) and is not finished: run it again (`cairn coordinator --take-over --data "
                + "\(root)` with --kit and --node), or give it up and remove the folder"
        )
    }

    func write(_ value: some Encodable, name: String) async throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try await DataFolder.writeSecret(
            String(decoding: try encoder.encode(value), as: UTF8.self),
            name: name,
            in: files
        )
    }
}
