internal import Crypto
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Synchronization
package import SystemInterface

/// Why a call to join brought no answer.
package enum JoinError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nobody there, or the connection did not come about; `reason` is for people.
    case unreachable(reason: String)
    /// Whoever is there is not a coordinator of the cluster that the token names. Nothing was sent.
    case untrusted(reason: String)
    /// The call was sent, but no answer came in time: it may have been carried out.
    case unknownOutcome

    package var description: String {
        switch self {
        case .unreachable(let reason): reason
        case .untrusted(let reason): "whoever is there is not to be trusted: \(reason)"
        case .unknownOutcome: "no answer came in time, and the token may be used up"
        }
    }
}

/// The one call of a machine that is no member yet: at most 64 KiB, without buffers.
package enum Joining {
    /// Idle bytes of receive buffers: an answer's certificates come in its header.
    private static let idlePoolBytes = 1 << 20

    /// Calls the coordinator there, without a certificate of our own. The message is sent only once the server has
    /// proved to be a coordinator under the authority with that fingerprint (32 bytes, from the join token). Throws
    /// after `timeout` at the latest, but for the time it takes to look the host's name up.
    package static func call(
        host: String,
        port: Int,
        fingerprint: [UInt8],
        message: TransportMessage,
        timeout: Duration,
        time: any TimeSource
    ) async throws(JoinError) -> TransportMessage {
        guard FrameLimits.strangers.allow(Frame(kind: .request, call: 0, message: message).head) else {
            throw .unreachable(reason: "the message is too large")
        }
        let link = JoinLink(message)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                link.begin(continuation)
                do {
                    connect(link, host, port, fingerprint, timeout, time, tls: try TLSContexts.stranger())
                } catch {
                    link.finish(.failure(.unreachable(reason: "\(error)")))
                }
            }
        } onCancel: {
            // Not here: the runtime holds a lock of the task that would go on inline.
            Task { link.giveUp() }
        }
        return try result.get()
    }

    private static func connect(
        _ link: JoinLink,
        _ host: String,
        _ port: Int,
        _ fingerprint: [UInt8],
        _ timeout: Duration,
        _ time: any TimeSource,
        tls: NIOSSLContext
    ) {
        ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.nanoseconds(min(timeout, ClusterClient.connectTimeout).nanoseconds))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pool = BufferPool(limit: idlePoolBytes)
                    let connection = Connection(channel, owner: link, limits: .members, pool: pool, time: time)
                    let handler = try NIOSSLClientHandler(
                        context: tls,
                        serverHostname: nil,
                        customVerificationCallback: { chain, promise in
                            let objection = objection(to: chain, fingerprint, now: time.wall)
                            if let objection { link.distrust(objection) }
                            promise.succeed(objection == nil ? .certificateVerified : .failed)
                        }
                    )
                    try channel.pipeline.syncOperations.addHandlers(handler, connection)
                    connection.closeAfter(timeout, .handshakeTimeout)
                    link.start(connection)
                }
            }
            .connect(host: host, port: port)
            .whenFailure { link.finish(.failure(.unreachable(reason: ConnectionTrouble.text($0)))) }
    }

    /// What is wrong with a server's chain; nil when it is a coordinator's under the authority of that fingerprint.
    private static func objection(to chain: [NIOSSLCertificate], _ fingerprint: [UInt8], now: WallTime) -> String? {
        guard chain.count == 2, let leafBytes = try? chain[0].toDERBytes(), let rootBytes = try? chain[1].toDERBytes()
        else { return "it shows no chain of two certificates" }
        guard JoinToken.areEqual(Array(SHA256.hash(data: rootBytes)), fingerprint) else {
            return "its authority is not the token's"
        }
        do throws(AuthorityError) {
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
