internal import Crypto
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import SystemInterface

/// One connection to whoever is there, for a link that tells nothing before that server has proved who it is.
struct JoinAttempt: Sendable {
    let link: JoinLink
    /// Of the authority under which the server must be.
    let fingerprint: [UInt8]
    let timeout: Duration
    let time: any TimeSource
    let tls: NIOSSLContext

    /// Idle bytes of receive buffers: an answer's certificates come in its header.
    private static let idlePoolBytes = 1 << 20

    /// Begins to connect; the link is told what comes of it.
    func connect(host: String, port: Int) {
        ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.nanoseconds(min(timeout, ClusterClient.connectTimeout).nanoseconds))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try prepare(channel) }
            }
            .connect(host: host, port: port)
            .whenFailure { link.finish(.failure(.unreachable(reason: ConnectionTrouble.text($0)))) }
    }

    /// On the channel's event loop.
    private func prepare(_ channel: any Channel) throws {
        let pool = BufferPool(limit: Self.idlePoolBytes)
        let connection = Connection(channel, owner: link, limits: .members, pool: pool, time: time)
        try channel.pipeline.syncOperations.addHandlers(try handshake(), connection)
        connection.closeAfter(timeout, .handshakeTimeout)
        link.start(connection)
    }

    /// Fails, and has the link know why, with a server that is not the one looked for.
    private func handshake() throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(
            context: tls,
            serverHostname: nil,
            customVerificationCallback: { chain, promise in
                let objection = objection(to: chain)
                if let objection { link.distrust(objection) }
                promise.succeed(objection == nil ? .certificateVerified : .failed)
            }
        )
    }

    /// What is wrong with a server's chain; nil when it is a coordinator's under the authority of that fingerprint.
    private func objection(to chain: [NIOSSLCertificate]) -> String? {
        guard chain.count == 2, let leafBytes = try? chain[0].toDERBytes(), let rootBytes = try? chain[1].toDERBytes()
        else { return "it shows no chain of two certificates" }
        guard JoinToken.areEqual(Array(SHA256.hash(data: rootBytes)), fingerprint) else {
            return "its authority is not the token's"
        }
        do throws(AuthorityError) {
            let now = time.wall
            let leaf = try CertificateReading.parse(der: leafBytes)
            let root = try CertificateReading.parse(der: rootBytes)
            try CertificateReading.checkAuthority(root)
            try CertificateReading.checkChain(leaf, to: root)
            try CertificateReading.checkDates(root, now: now)
            try CertificateReading.checkDates(leaf, now: now)
            guard try CertificateReading.subject(leaf).role == .coordinator else { return "it is no coordinator" }
            return nil
        } catch { return "\(error)" }
    }
}
