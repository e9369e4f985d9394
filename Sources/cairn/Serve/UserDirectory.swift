import Metadata
import ObjectInterface
import ObjectModel
import Synchronization

/// The users and their keys, in memory: root from the data folder, the others from metadata, opened with the master
/// key.
final class UserDirectory: CredentialDirectory {
    private struct State {
        var byAccessKey: [String: Credential] = [:]
        var names: [UserID: String] = [:]
    }

    /// The canonical id of root: fixed, so that buckets stay root's when its keys change.
    static let rootID = UserID("c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00")

    private let state = Mutex(State())
    private let root: Credential
    private let masterKey: MasterKey
    private let metadata: any MetadataStore
    private let onChange: @Sendable ([Credential]) -> Void

    /// `onChange` is told all credentials whenever they have been read anew.
    init(
        root: RootCredentials,
        masterKey: MasterKey,
        metadata: any MetadataStore,
        onChange: @escaping @Sendable ([Credential]) -> Void = { _ in }
    ) {
        self.onChange = onChange
        self.root = Credential(
            user: Self.rootID,
            displayName: "root",
            accessKey: root.accessKey,
            secretKey: root.secretKey
        )
        self.masterKey = masterKey
        self.metadata = metadata
    }

    /// Reads all users anew; after start and after each change.
    func reload() async throws {
        var fresh = State()
        for user in try await metadata.users() {
            let secret = try open(user)
            fresh.byAccessKey[user.accessKey] = Credential(
                user: user.id,
                displayName: user.displayName,
                accessKey: user.accessKey,
                secretKey: secret
            )
            fresh.names[user.id] = user.displayName
        }
        // Last: root's keys may have been changed, at a start, to those that a user has; they are root's then.
        fresh.byAccessKey[root.accessKey] = root
        fresh.names[root.user] = root.displayName
        let loaded = fresh
        state.withLock { $0 = loaded }
        onChange(loaded.byAccessKey.values.sorted { $0.accessKey < $1.accessKey })
    }

    private func open(_ user: UserRecord) throws -> String {
        do {
            return try masterKey.open(user.sealedSecret, purpose: Self.purpose(user.name))
        } catch {
            throw ServeError(
                "the master key does not open the secret of user \(user.name): give the store's own --master-key"
            )
        }
    }

    func seal(_ secret: String, user: String) throws -> [UInt8] {
        try masterKey.seal(secret, purpose: Self.purpose(user))
    }

    private static func purpose(_ user: String) -> String { "cairn user secret 1:" + user }

    func isTaken(accessKey: String) -> Bool { state.withLock { $0.byAccessKey[accessKey] != nil } }

    func credential(forAccessKey accessKey: String) async -> Credential? {
        state.withLock { $0.byAccessKey[accessKey] }
    }

    func displayName(of user: UserID) async -> String? { state.withLock { $0.names[user] } }
}
