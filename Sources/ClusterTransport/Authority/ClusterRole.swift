/// What a member of a cluster may be, as its certificate says.
package enum ClusterRole: String, Sendable {
    case coordinator
    case node

    /// The one name that only a coordinator may carry, and by which nodes call it.
    package static let coordinatorName = "coordinator"

    /// The role that whoever answers to `name` must have: nobody but a coordinator is called "coordinator".
    package static func expected(of name: String) -> ClusterRole { name == coordinatorName ? .coordinator : .node }
}

/// Who is at the other end of an authenticated connection: what its certificate says, which our authority signed.
package struct ClusterPeer: Hashable, Sendable {
    package let name: String
    package let role: ClusterRole
    /// Higher with each time that the name was given anew, 0 at first; renewing the certificate changes nothing.
    package let generation: UInt32

    package init(name: String, role: ClusterRole, generation: UInt32) {
        self.name = name
        self.role = role
        self.generation = generation
    }
}

/// Why a certificate, a key or a token is not accepted.
package enum AuthorityError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The text or its encoding is not what it should be; `what` says which.
    case malformed(what: String)
    /// A name that is empty, too long, has other characters than letters, digits, `.`, `-` and `_`, or does not go
    /// with the role.
    case invalidName(String)
    /// Signed by somebody else, or for another cluster.
    case foreign
    /// Not valid at the time asked about.
    case expired
    /// The key is not the one in the certificate.
    case keyMismatch

    package var description: String {
        switch self {
        case .malformed(let what): "the \(what) is missing or damaged"
        case .invalidName(let name): "no member can be called \(String(reflecting: name))"
        case .foreign: "the certificate is of another cluster"
        case .expired: "the certificate has expired, or is not valid yet"
        case .keyMismatch: "the key does not belong to the certificate"
        }
    }
}
