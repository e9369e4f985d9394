import ClusterTransport
import JournalStorage
import LinuxSystem
import ObjectModel
import SystemInterface

/// The join tokens of a coordinator's folder, the names that have joined and which of their certificates count,
/// durably: `JoinBook` says who may join.
actor JoinTokens {
    private static let tokensFile = "tokens.json"
    private static let spentFile = "spent-tokens.json"
    private static let namesFile = "members.json"

    private let store: ClusterFiles
    private let time = LinuxTime()
    /// One write of the files at a time, which an actor that waits does not see to.
    private let gate = CallGate(limit: JoinBook.tokenLimit)
    private var book: JoinBook

    init(_ store: ClusterFiles) throws {
        self.store = store
        book = JoinBook(
            tokens: try store.read([JoinBook.Token].self, Self.tokensFile, remedy: Self.tokensRemedy) ?? [],
            // It says why a token is refused, and lets nobody in: a damaged one ends no start.
            spent: (try? store.read([JoinBook.Spent].self, Self.spentFile, remedy: Self.tokensRemedy)) ?? [],
            names: Set(try store.read([String].self, Self.namesFile, remedy: Self.namesRemedy) ?? []),
            floors: try store.read([String: UInt32].self, ClusterFiles.floorsFile, remedy: Self.floorsRemedy) ?? [:]
        )
    }

    private static let tokensRemedy =
        "remove it, and make the tokens that have not been used yet anew (`cairn admin node token`)"
    private static let namesRemedy =
        "restore it from a backup, or remove it: the names of members that hold no disk and have not run since can be "
        + "given to other machines then"
    private static let floorsRemedy =
        "restore it from a backup. Without it, machines that were removed or replaced are members again when they are "
        + "started: make sure that they are not, and remove it"

    private var now: Int { Int(time.wall.milliseconds / 1_000) }

    /// The names that have joined by this folder's coordinator.
    var names: Set<String> { book.names }
    /// Which certificates count: `Membership`.
    var floors: [NodeName: UInt32] {
        Dictionary(uniqueKeysWithValues: book.floors.map { (NodeName($0.key), $0.value) })
    }

    /// A new token, kept durably before it is given out. `replacing`: the one member that may join again with it.
    func make(fingerprint: [UInt8], validFor seconds: Int, replacing name: String?) async throws -> JoinToken {
        let token = JoinToken(fingerprint: fingerprint)
        guard book.add(token, replacing: name, expires: now + seconds, now: now) else {
            throw ServeError("too many join tokens are unused: wait until some expire")
        }
        try await save()
        return token
    }

    /// The certificate that `issue` gives a node whose token lets it in, of a generation that counts alone of its name;
    /// the token is used up and the name taken, durably, on return. When it throws, neither is.
    func admit(
        _ name: String,
        in site: String,
        secret: [UInt8],
        _ known: JoinBook.Known,
        issue: @Sendable (_ generation: UInt32) throws -> String
    ) async throws -> (certificate: String, generation: UInt32) {
        var after = book
        let admission = try after.admit(name, in: site, secret: secret, known, now: now)
        let certificate = try issue(admission.generation)
        book = after
        do { try await save() } catch {
            book.revoke(admission)
            throw error
        }
        return (certificate, admission.generation)
    }

    /// The generation from which on certificates of the name count, which none that it has been given is of: durably
    /// on return. When it throws, that is not known, and asking again settles it.
    func dismiss(_ name: String, shown: UInt32) async throws -> UInt32 {
        let generation = book.dismiss(name, shown: shown, now: now)
        try await save()
        return generation
    }

    /// The names of nodes that joined by another coordinator, for the folder that takes over from it.
    static func write(joined names: Set<String>, to store: ClusterFiles) async throws {
        try await store.write(names.sorted(), name: namesFile)
    }

    /// The tokens first: one that is used up for nothing can be had anew.
    private func save() async throws {
        guard await gate.enter() else { throw ServeError("too many nodes join at once: try again") }
        defer { gate.leave() }
        try await store.write(book.tokens, name: Self.tokensFile)
        try await store.write(book.names.sorted(), name: Self.namesFile)
        try await store.write(book.floors, name: ClusterFiles.floorsFile)
        // For words alone: what was let in is let in without it.
        try? await store.write(book.spent, name: Self.spentFile)
    }
}
