package import Logging
package import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Synchronization
package import SystemInterface

/// Calls to the other members of the cluster, each over TLS connections of its own that both ends prove themselves on.
///
/// Connections are made when a call needs one. A call to a member whose address is not known, that cannot be reached,
/// or that turns out to be somebody else is `.unreachable`, and so is one that was not written when its time was over;
/// once it was written, no answer means `.unknownOutcome`. After a failed attempt calls are `.unreachable` at once for
/// a short while. A timeout strikes up to 20 ms late. Safe to use from any thread; ends with `close()`.
package final class ClusterClient: Transport, Sendable {
    /// Until TCP is connected.
    package static let connectTimeout = Duration.seconds(2)
    /// Idle bytes of receive buffers that a client keeps for itself unless it is given a pool.
    package static let idlePoolBytes = 64 << 20

    private struct State {
        var peers: [String: PeerLanes] = [:]
        var tls: NIOSSLContext
        var admission: @Sendable (ClusterPeer) -> Bool = { _ in true }
        var isClosed = false
    }

    private let time: any TimeSource
    private let logger: Logger
    private let group: any EventLoopGroup
    private let pool: BufferPool
    private let nextCall = Atomic<UInt64>(0)
    private let state: Mutex<State>

    /// Throws when TLS does not take the identity. Answers' buffers come from `pool`.
    package init(
        identity: ClusterIdentity,
        time: any TimeSource,
        logger: Logger,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        pool: BufferPool = BufferPool(limit: ClusterClient.idlePoolBytes)
    ) throws {
        self.time = time
        self.logger = logger
        self.group = group
        self.pool = pool
        state = Mutex(State(tls: try TLSContexts.client(identity)))
    }

    /// Where members listen.
    package var addresses: [String: (host: String, port: Int)] {
        state.withLock { $0.peers }.compactMapValues { peer in
            peer.address.map { (host: $0.host, port: $0.port) }
        }
    }

    /// Where `node` is from now on. A change closes the connections to where it was.
    package func setAddress(_ node: String, host: String, port: Int) {
        let peer = state.withLock { state -> PeerLanes? in
            guard !state.isClosed else { return nil }
            if let known = state.peers[node] { return known }
            let admits = { @Sendable [weak self] peer in self?.admits(peer) ?? false }
            let new = PeerLanes(name: node, admits: admits, time: time, logger: logger) { [weak self] link, address in
                guard let self else { return link.failed(WireError.closedHere) }
                connect(link, address)
            }
            state.peers[node] = new
            return new
        }
        peer?.setAddress(PeerAddress(host: host, port: port))
    }

    /// Calls to `node` are `.unreachable` from now on; those written are `.unknownOutcome`.
    package func removeAddress(_ node: String) {
        state.withLock { $0.peers.removeValue(forKey: node) }?.setAddress(nil)
    }

    /// Another certificate, for the connections made from now on; those that exist go on.
    package func replaceIdentity(_ identity: ClusterIdentity) throws {
        let tls = try TLSContexts.client(identity)
        state.withLock { $0.tls = tls }
    }

    /// Servers that `admits` denies are called no more over new connections, whatever their name; all are admitted
    /// until this is set.
    package func setAdmission(_ admits: @escaping @Sendable (ClusterPeer) -> Bool) {
        state.withLock { $0.admission = admits }
    }

    private func admits(_ peer: ClusterPeer) -> Bool {
        let admission = state.withLock { $0.admission }
        return admission(peer)
    }

    /// Closes every connection; all calls from now on are `.unreachable`.
    package func close() {
        let peers = state.withLock { state in
            state.isClosed = true
            defer { state.peers = [:] }
            return state.peers
        }
        for peer in peers.values { peer.setAddress(nil) }
    }

    package func call(
        _ node: String,
        _ message: TransportMessage,
        timeout: Duration
    ) async throws(TransportError) -> TransportMessage {
        let frame = Frame(kind: .request, call: 0, message: message)
        guard let peer = state.withLock({ $0.peers[node] }) else { throw .unreachable(node: node) }
        guard frame.isAllowed else {
            logger.error("a call to \(node) is too large to send", metadata: ["bytes": "\(frame.head.charge)"])
            throw .unreachable(node: node)
        }
        let id = nextCall.wrappingAdd(1, ordering: .relaxed).newValue
        let deadline = time.monotonic.advanced(by: timeout)
        let size = frame.head.charge
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                peer.begin(
                    id,
                    PendingCall(deadline: deadline, size: size, continuation: continuation, message: message)
                )
            }
        } onCancel: {
            peer.cancel(id)
        }
        // A cancellation that came after the answer left a note.
        if Task.isCancelled { peer.forget(id) }
        return try result.get()
    }

    private func connect(_ link: ClientLink, _ address: PeerAddress) {
        let tls = state.withLock { $0.tls }
        ClientBootstrap(group: group)
            .connectTimeout(.nanoseconds(Self.connectTimeout.nanoseconds))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.writeBufferWaterMark, value: SocketTuning.watermark)
            .channelOption(.recvAllocator, value: SocketTuning.receiving)
            .channelInitializer { [pool, time] channel in
                channel.eventLoop.makeCompletedFuture {
                    let connection = Connection(channel, owner: link, limits: .members, pool: pool, time: time)
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOSSLClientHandler(context: tls, serverHostname: nil),
                        connection
                    )
                    link.start(connection)
                }
            }
            .connect(host: address.host, port: address.port)
            .whenFailure { link.failed($0) }
    }
}
