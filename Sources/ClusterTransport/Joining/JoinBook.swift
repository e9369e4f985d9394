internal import Foundation

/// Who may join a cluster: the tokens that were given out and not used yet, and the names that have been given a
/// certificate.
///
/// A name is given once. What it stands for are the disks of one machine: were another let in under it, because its
/// owner was silent for a while, two machines of one name would take each other's place again and again. A machine that
/// has lost its folder joins with a token that an operator made for its name. That gives the name anew: certificates
/// are of a later generation, and those of the generations before count no more.
package struct JoinBook: Hashable, Sendable {
    /// A token that is out; of its secret only the digest is kept.
    package struct Token: Codable, Hashable, Sendable {
        /// SHA-256 of the secret, in base64.
        package var digest: String
        /// Seconds since 1970.
        package var expires: Int
        /// The member that may join again with it, and no other name; nil is good for one new name.
        package var name: String?
    }

    /// A token that lets nobody in any more: kept so that who comes with it is told why, not for what is let in.
    package struct Spent: Codable, Hashable, Sendable {
        /// `Token.digest`.
        package var digest: String
        /// False when it expired before anybody used it.
        package var wasUsed: Bool
    }

    /// Why a join costs no token and gives no certificate.
    package enum Refusal: Error, Hashable, CustomStringConvertible {
        case invalidName
        case unknownToken
        case usedToken
        case expiredToken
        case nameOfMember(String)
        case tokenOfMember(String)
        case memberRuns(String)
        case siteOfDisks(String, site: String)

        package var description: String {
            switch self {
            case .invalidName:
                "a node's name is one to 32 of a-z, 0-9 and -, and not `coordinator`: give another --name"
            case .unknownToken:
                "the token is none of this cluster's, or has not been good for long: copy all of it, or make another "
                    + "by `cairn admin node token`"
            case .usedToken: "the token has been used: each lets one node in; `cairn admin node token` makes another"
            case .expiredToken: "the token has expired: `cairn admin node token` makes another"
            case .nameOfMember(let name):
                "a node \(name) is a member: give another --name; if this is that node and it has lost its folder, "
                    + "use a token of `cairn admin node token --replace \(name)`"
            case .tokenOfMember(let name): "the token lets node \(name) join again, and no other"
            case .memberRuns(let name): "node \(name) runs: stop it before another machine takes its place"
            case .siteOfDisks(let name, let site):
                "the disks of node \(name) count in site \(site): start it with --site \(site), with the same token. A "
                    + "machine in another site is another node: give it another --name and a token without --replace"
            }
        }
    }

    /// What is known of a name from elsewhere than this book.
    package struct Known: Sendable {
        /// The name is a node's that joined before this folder was made.
        package var isMember: Bool
        package var isPresent: Bool
        /// The latest generation that was seen in a certificate.
        package var shown: UInt32
        /// Where its disks count; nil when it holds none that is in use.
        package var site: String?

        package init(isMember: Bool = false, isPresent: Bool = false, shown: UInt32 = 0, site: String? = nil) {
            self.isMember = isMember
            self.isPresent = isPresent
            self.shown = shown
            self.site = site
        }
    }

    /// A join that was let in, until it is kept durably.
    package struct Admission: Hashable, Sendable {
        let name: String
        let isNew: Bool
        let token: Token
        /// Of the certificate.
        package let generation: UInt32
        let floor: UInt32?
    }

    /// Tokens at a time at most: a cluster's nodes join one after another.
    package static let tokenLimit = 4_096
    /// Tokens of before at most of which is known why they are not good any more: the latest.
    package static let spentLimit = 1_024
    private static let nameLimit = 32

    package private(set) var tokens: [Token]
    /// The latest last.
    package private(set) var spent: [Spent]
    /// All that were ever given a certificate, as far as this coordinator's folder knows.
    package private(set) var names: Set<String>
    /// The generation from which on the certificates of a name count; of a name that is not here all do.
    package private(set) var floors: [String: UInt32]

    package init(
        tokens: [Token] = [],
        spent: [Spent] = [],
        names: Set<String> = [],
        floors: [String: UInt32] = [:]
    ) {
        self.tokens = tokens
        self.spent = spent
        self.names = names
        self.floors = floors
    }

    /// Whether a node may be called so: as its certificate allows, and not like the coordinator.
    package static func isNodeName(_ name: String) -> Bool {
        isPlaceName(name) && name != ClusterRole.coordinatorName
    }

    /// Whether a node or a site may be called so, by its letters.
    package static func isPlaceName(_ name: String) -> Bool {
        (1...nameLimit).contains(name.utf8.count)
            && name.utf8.allSatisfy { ($0 >= 0x61 && $0 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2D }
    }

    /// Notes a token that is given out; false when too many are out. `replacing`: `Token.name`.
    package mutating func add(_ token: JoinToken, replacing name: String? = nil, expires: Int, now: Int) -> Bool {
        for token in tokens where token.expires <= now { note(token, wasUsed: false) }
        tokens.removeAll { $0.expires <= now }
        guard tokens.count < Self.tokenLimit else { return false }
        tokens.append(Token(digest: Data(token.secretDigest).base64EncodedString(), expires: expires, name: name))
        return true
    }

    /// Uses the token up and gives the name away, to a machine in that site; throws, and changes nothing, where that
    /// must not be. The token is looked at first: without one nobody learns which names there are.
    package mutating func admit(
        _ name: String,
        in site: String,
        secret: [UInt8],
        _ known: Known,
        now: Int
    ) throws(Refusal) -> Admission {
        guard Self.isNodeName(name) else { throw .invalidName }
        let digest = JoinToken.digest(secret)
        guard let found = tokens.firstIndex(where: { Self.isDigest($0.digest, digest) }) else {
            throw refusal(of: digest)
        }
        guard tokens[found].expires > now else { throw .expiredToken }
        if let member = tokens[found].name {
            guard member == name else { throw .tokenOfMember(member) }
            guard !known.isPresent else { throw .memberRuns(name) }
            // One machine in two sites would be two failure domains.
            if let home = known.site, home != site { throw .siteOfDisks(name, site: home) }
        } else if isTaken(name, known) {
            throw .nameOfMember(name)
        }
        let floor = floors[name]
        let generation = tokens[found].name == nil ? 0 : raiseFloor(of: name, above: known.shown, now: now)
        let token = tokens.remove(at: found)
        note(token, wasUsed: true)
        return Admission(
            name: name,
            isNew: names.insert(name).inserted,
            token: token,
            generation: generation,
            floor: floor
        )
    }

    /// Also of a name that only its certificates tell of: they were of a machine, and those of it that count no more
    /// say that it was removed or replaced.
    private func isTaken(_ name: String, _ known: Known) -> Bool {
        names.contains(name) || known.isMember || floors[name] != nil || known.shown > 0
    }

    private static func isDigest(_ text: String, _ digest: [UInt8]) -> Bool {
        JoinToken.areEqual(Array(Data(base64Encoded: text) ?? Data()), digest)
    }

    /// Why a secret that no token has lets nobody in.
    private func refusal(of digest: [UInt8]) -> Refusal {
        guard let token = spent.last(where: { Self.isDigest($0.digest, digest) }) else { return .unknownToken }
        return token.wasUsed ? .usedToken : .expiredToken
    }

    private mutating func note(_ token: Token, wasUsed: Bool) {
        spent.append(Spent(digest: token.digest, wasUsed: wasUsed))
        spent.removeFirst(max(0, spent.count - Self.spentLimit))
    }

    /// No certificate that a name has been given counts any more; gives the generation from which on others do. The
    /// name stays taken, also where it was given by another coordinator. `shown`: `Known`.
    package mutating func dismiss(_ name: String, shown: UInt32, now: Int) -> UInt32 {
        names.insert(name)
        return raiseFloor(of: name, above: shown, now: now)
    }

    /// What is known of generations may be less than what was: the folder was put back from a backup, or is that of a
    /// take-over. So none is below the clock's seconds, and a later one is higher than one that is forgotten.
    private mutating func raiseFloor(of name: String, above shown: UInt32, now: Int) -> UInt32 {
        let last = max(shown, floors[name] ?? 0)
        // Nobody replaces a machine four thousand million times.
        let next = max(last == .max ? last : last + 1, UInt32(exactly: now) ?? 0)
        floors[name] = next
        return next
    }

    /// Takes a join back that could not be kept.
    package mutating func revoke(_ admission: Admission) {
        if admission.isNew { names.remove(admission.name) }
        if floors[admission.name] == admission.generation { floors[admission.name] = admission.floor }
        tokens.append(admission.token)
        spent.removeAll { $0.digest == admission.token.digest }
    }
}
