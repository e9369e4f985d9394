internal import NIOCore
internal import NIOSSL
internal import SystemInterface

/// TLS 1.3 with certificates of one authority at both ends.
enum TLSContexts {
    /// How long a connection that we close waits for the peer's goodbye.
    private static let shutdownTimeout = Duration.seconds(1)

    static func client(_ identity: ClusterIdentity) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        try fill(&configuration, identity)
        // Names are checked once the handshake is done: a member is known by its common name, not by its address.
        configuration.certificateVerification = .noHostnameVerification
        return try NIOSSLContext(configuration: configuration)
    }

    static func server(_ identity: ClusterIdentity, acceptsStrangers: Bool) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: [],
            privateKey: .privateKey(try key(identity))
        )
        try fill(&configuration, identity)
        configuration.certificateVerification = acceptsStrangers ? .optionalVerification : .noHostnameVerification
        return try NIOSSLContext(configuration: configuration)
    }

    /// Of a client that has no certificate and does not know the authority's yet: its own check comes on top.
    static func stranger() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        // Not the system's: nobody outside the cluster is trusted.
        configuration.trustRoots = .certificates([])
        configuration.minimumTLSVersion = .tlsv13
        configuration.maximumTLSVersion = .tlsv13
        configuration.shutdownTimeout = .nanoseconds(shutdownTimeout.nanoseconds)
        configuration.certificateVerification = .noHostnameVerification
        return try NIOSSLContext(configuration: configuration)
    }

    private static func key(_ identity: ClusterIdentity) throws -> NIOSSLPrivateKey {
        try NIOSSLPrivateKey(bytes: Array(identity.keyPEM.utf8), format: .pem)
    }

    private static func fill(_ configuration: inout TLSConfiguration, _ identity: ClusterIdentity) throws {
        let authority = try NIOSSLCertificate.fromPEMBytes(Array(identity.authorityPEM.utf8))
        let own = try NIOSSLCertificate.fromPEMBytes(Array(identity.certificatePEM.utf8))
        configuration.minimumTLSVersion = .tlsv13
        configuration.maximumTLSVersion = .tlsv13
        configuration.shutdownTimeout = .nanoseconds(shutdownTimeout.nanoseconds)
        configuration.trustRoots = .certificates(authority)
        configuration.certificateChain = (own + authority).map { .certificate($0) }
        configuration.privateKey = .privateKey(try key(identity))
    }
}
