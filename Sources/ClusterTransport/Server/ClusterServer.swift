package import Logging
package import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Synchronization
package import SystemInterface

/// Takes the calls of the other members of the cluster.
///
/// A client proves with a certificate of our authority who it is. With `acceptsStrangers`, which a coordinator sets so
/// that members can join, a client without a certificate is let in too, to one small call at a time for ten seconds.
/// What a client sends never reaches the service unless it is a whole frame of an allowed size; anything else closes
/// the connection, and is told in the log (`LogTurns`).
package final class ClusterServer: Sendable {
    /// Open connections at most, where nothing else is said; more are closed as they come.
    package static let connectionLimit = 4_096
    /// How long `shutdown` waits for calls in progress.
    package static let drainTimeout = Duration.seconds(10)
    private static let listenQueue: Int32 = 1_024
    /// How often the end of the last connections is looked for.
    private static let drainResolution = Duration.milliseconds(10)

    private struct State {
        var tls: NIOSSLContext
        var cluster: String
        var links: [ObjectIdentifier: ServerLink] = [:]
        var listener: (any Channel)?
        var isStopped = false
    }

    private let host: String
    private let port: Int
    private let acceptsStrangers: Bool
    private let connectionLimit: Int
    private let time: any TimeSource
    private let logger: Logger
    private let group: any EventLoopGroup
    private let pool: BufferPool
    private let service: any ClusterService
    private let connections = Atomic(0)
    private let turns: LogTurns<StrangerTrouble>
    private let state: Mutex<State>

    /// `port` 0 lets the system choose. Requests' buffers come from `pool`. Throws when TLS does not take the identity.
    package init(
        identity: ClusterIdentity,
        host: String,
        port: Int,
        acceptsStrangers: Bool,
        connectionLimit: Int = ClusterServer.connectionLimit,
        time: any TimeSource,
        logger: Logger,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        pool: BufferPool = BufferPool(limit: ClusterClient.idlePoolBytes),
        service: any ClusterService
    ) throws {
        self.host = host
        self.port = port
        self.acceptsStrangers = acceptsStrangers
        self.connectionLimit = connectionLimit
        self.time = time
        self.logger = logger
        turns = LogTurns(time: time)
        self.group = group
        self.pool = pool
        self.service = service
        let tls = try TLSContexts.server(identity, acceptsStrangers: acceptsStrangers)
        state = Mutex(State(tls: tls, cluster: identity.cluster))
    }

    /// Serves until `shutdown`, or until the task is cancelled, which cuts off what is in progress. `onListening` is
    /// told the port as soon as connections are taken. Throws when the port cannot be bound.
    package func run(onListening: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
        let listener = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Self.listenQueue)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: SocketTuning.watermark)
            .childChannelOption(.recvAllocator, value: SocketTuning.receiving)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel) }
            }
            .bind(host: host, port: port)
            .get()
        let mayRun = state.withLock { state in
            if !state.isStopped { state.listener = listener }
            return !state.isStopped
        }
        guard mayRun else { return try await listener.close() }
        await withTaskCancellationHandler {
            await onListening(listener.localAddress?.port ?? 0)
            // It fails no one when closing fails: the socket is gone all the same.
            try? await listener.closeFuture.get()
            // Not a sleep, which would end at once on a cancelled task.
            while state.withLock({ !$0.links.isEmpty }) {
                if Task.isCancelled { cutOff() }
                _ = try? await group.next().scheduleTask(in: .nanoseconds(Self.drainResolution.nanoseconds)) {}
                    .futureResult.get()
            }
        } onCancel: {
            listener.close(promise: nil)
            cutOff()
        }
    }

    /// Takes no new connections and calls, lets the calls in progress end, and returns when all have or `drainTimeout`
    /// is over. `run` returns then.
    package func shutdown() async {
        let (listener, links) = state.withLock { state in
            state.isStopped = true
            return (state.listener, Array(state.links.values))
        }
        try? await listener?.close().get()
        for link in links { link.drain() }
        let deadline = time.monotonic.advanced(by: Self.drainTimeout)
        while time.monotonic < deadline, !Task.isCancelled, state.withLock({ !$0.links.isEmpty }) {
            try? await time.sleep(for: Self.drainResolution)
        }
        cutOff()
    }

    /// Another certificate, for the connections made from now on; those that exist go on.
    package func replaceIdentity(_ identity: ClusterIdentity) throws {
        let tls = try TLSContexts.server(identity, acceptsStrangers: acceptsStrangers)
        state.withLock { state in
            state.tls = tls
            state.cluster = identity.cluster
        }
    }

    private func cutOff() {
        for link in state.withLock({ Array($0.links.values) }) { link.cutOff() }
    }

    /// Sets a new connection up, on its event loop.
    private func accept(_ channel: any Channel) throws {
        guard connections.add(1, ordering: .relaxed).newValue <= connectionLimit else {
            connections.subtract(1, ordering: .relaxed)
            let error = WireError.unwelcome("too many connections")
            if let others = turns.take(StrangerTrouble(address: "", reason: error.description)) {
                logger.warning(
                    "too many cluster connections",
                    metadata: ["limit": "\(connectionLimit)", "unreported before": "\(others)"]
                )
            }
            throw error
        }
        channel.closeFuture.whenComplete { _ in self.connections.subtract(1, ordering: .relaxed) }
        let (tls, cluster) = state.withLock { ($0.tls, $0.cluster) }
        let link = ServerLink(
            service: service,
            cluster: cluster,
            acceptsStrangers: acceptsStrangers,
            logger: logger,
            turns: turns
        ) { link in
            self.state.withLock { _ = $0.links.removeValue(forKey: ObjectIdentifier(link)) }
        }
        let limits = FrameLimits.members
        let connection = Connection(channel, owner: link, limits: limits, pool: pool, time: time)
        link.start(connection)
        let isStopped = state.withLock { state in
            if !state.isStopped { state.links[ObjectIdentifier(link)] = link }
            return state.isStopped
        }
        guard !isStopped else { throw WireError.closedHere }
        do {
            try channel.pipeline.syncOperations.addHandlers(NIOSSLServerHandler(context: tls), connection)
        } catch {
            // Gone already: nobody will tell the link.
            state.withLock { _ = $0.links.removeValue(forKey: ObjectIdentifier(link)) }
            throw error
        }
    }
}
