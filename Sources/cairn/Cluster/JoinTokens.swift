import ClusterTransport
import Foundation
import JournalStorage
import LinuxSystem
import SystemInterface

/// The join tokens of a coordinator's folder and the names that have joined, durably: `JoinBook` says who may join.
actor JoinTokens {
    private static let tokensFile = "tokens.json"
    private static let namesFile = "members.json"

    private let store: ClusterFiles
    private let time = LinuxTime()
    /// One write of the files at a time, which an actor that waits does not see to.
    private let gate = CallGate(limit: JoinBook.tokenLimit)
    private var book: JoinBook

    init(_ store: ClusterFiles) throws {
        self.store = store
        book = JoinBook(
            tokens: try Self.read([JoinBook.Token].self, Self.tokensFile, store) ?? [],
            names: Set(try Self.read([String].self, Self.namesFile, store) ?? [])
        )
    }

    /// nil when it is not there, or damaged: tokens are made anew, and most names are known from elsewhere.
    private static func read<Value: Decodable>(
        _ type: Value.Type,
        _ name: String,
        _ store: ClusterFiles
    ) throws -> Value? {
        let text = try DataFolder.read(store.root + "/" + name)
        return text.flatMap { try? JSONDecoder().decode(type, from: Data($0.utf8)) }
    }

    private var now: Int { Int(time.wall.milliseconds / 1_000) }

    /// The names that have joined by this folder's coordinator.
    var names: Set<String> { book.names }

    /// A new token, kept durably before it is given out. `replacing`: the one member that may join again with it.
    func make(fingerprint: [UInt8], validFor seconds: Int, replacing name: String?) async throws -> JoinToken {
        let token = JoinToken(fingerprint: fingerprint)
        guard book.add(token, replacing: name, expires: now + seconds, now: now) else {
            throw ServeError("too many join tokens are unused: wait until some expire")
        }
        try await save()
        return token
    }

    /// The certificate that `issue` gives a node whose token lets it in; the token is used up and the name taken,
    /// durably, on return. When it throws, neither is.
    func admit(
        _ name: String,
        secret: [UInt8],
        members: Set<String>,
        present: Set<String>,
        issue: @Sendable () throws -> String
    ) async throws -> String {
        var after = book
        let admission = try after.admit(name, secret: secret, members: members, present: present, now: now)
        let certificate = try issue()
        book = after
        do { try await save() } catch {
            book.revoke(admission)
            throw error
        }
        return certificate
    }

    /// The tokens first: one that is used up for nothing can be had anew.
    private func save() async throws {
        guard await gate.enter() else { throw ServeError("too many nodes join at once: try again") }
        defer { gate.leave() }
        try await store.write(book.tokens, name: Self.tokensFile)
        try await store.write(book.names.sorted(), name: Self.namesFile)
    }
}
