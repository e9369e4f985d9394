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
///     DIR/formed                the store was founded
///     DIR/superseded            another coordinator has taken over
///     DIR/incarnation           the highest incarnation that this one has drawn
///     DIR/forced                a start was forced once: nothing inferred to be garbage is erased any more
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
        guard let text = try DataFolder.read(root + "/cluster.json") else {
            throw ServeError("\(root) is no coordinator's folder: run `cairn cluster init --data \(root)` first")
        }
        do {
            return try JSONDecoder().decode(Settings.self, from: Data(text.utf8))
        } catch {
            throw ServeError("\(root)/cluster.json cannot be read: restore it from a backup, or take over from the kit")
        }
    }

    func write(_ settings: Settings) async throws { try await write(settings, name: "cluster.json") }

    func authority() throws -> ClusterAuthority {
        guard let certificate = try DataFolder.read(root + "/authority.pem"),
            let key = try DataFolder.read(root + "/authority.key")
        else { throw ServeError("\(root) has no authority.pem and authority.key: take over from the recovery kit") }
        return try ClusterAuthority(certificatePEM: certificate, keyPEM: key)
    }

    func write(_ authority: ClusterAuthority) async throws {
        try await DataFolder.writeSecret(authority.certificatePEM, name: "authority.pem", in: files)
        try await DataFolder.writeSecret(authority.keyPEM, name: "authority.key", in: files)
    }

    // MARK: Nodes

    private struct Node: Codable {
        var name: String
        var site: String
        var host: String
        var port: Int
    }

    /// Empty when none was heard of, or the file is damaged: the nodes beat again by themselves.
    func nodes() -> [NodeAddress] {
        guard let text = try? DataFolder.read(root + "/nodes.json"),
            let nodes = try? JSONDecoder().decode([Node].self, from: Data(text.utf8))
        else { return [] }
        return nodes.map {
            NodeAddress(name: NodeName($0.name), site: SiteName($0.site), host: $0.host, port: $0.port)
        }
    }

    func write(_ nodes: [NodeAddress]) async throws {
        try await write(
            nodes.map { Node(name: $0.name.name, site: $0.site.name, host: $0.host, port: $0.port) },
            name: "nodes.json"
        )
    }

    // MARK: Marks

    enum Mark: String {
        case formed
        case superseded
        /// A start was forced once: metadata may lack what only lost keepers knew.
        case forced
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

/// The join tokens that are given out and not used yet: only digests are kept.
actor JoinTokens {
    private struct Token: Codable {
        var digest: String
        /// Seconds since 1970.
        var expires: Int
    }

    /// Tokens at a time at most: a cluster's nodes join one after another.
    private static let limit = 4_096

    private let store: ClusterFiles
    private let time = LinuxTime()
    /// One write of the file at a time, which an actor that waits does not see to.
    private let gate = CallGate(limit: JoinTokens.limit)
    private var tokens: [Token]

    init(_ store: ClusterFiles) throws {
        self.store = store
        let text = try DataFolder.read(store.root + "/tokens.json")
        tokens = text.flatMap { try? JSONDecoder().decode([Token].self, from: Data($0.utf8)) } ?? []
    }

    private var now: Int { Int(time.wall.milliseconds / 1_000) }

    /// A new token, kept durably before it is given out.
    func make(fingerprint: [UInt8], validFor seconds: Int) async throws -> JoinToken {
        let token = JoinToken(fingerprint: fingerprint)
        tokens.removeAll { $0.expires <= now }
        guard tokens.count < Self.limit else {
            throw ServeError("too many join tokens are unused: wait until some expire")
        }
        tokens.append(Token(digest: Base64.encode(token.secretDigest), expires: now + seconds))
        try await save()
        return token
    }

    /// Whether the token was valid; it is used up, durably, on return.
    func use(_ secret: [UInt8]) async throws -> Bool {
        let digest = JoinToken.digest(secret)
        let found = tokens.firstIndex { token in
            token.expires > now && JoinToken.areEqual(Base64.decode(token.digest) ?? [], digest)
        }
        guard let found else { return false }
        tokens.remove(at: found)
        try await save()
        return true
    }

    private func save() async throws {
        guard await gate.enter() else { throw ServeError("too many nodes join at once: try again") }
        defer { gate.leave() }
        try await store.write(tokens, name: "tokens.json")
    }
}
