import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle

/// Serves `GET /-/ready` and `GET /-/metrics` on a port of their own, for a program that has no S3 endpoint to answer
/// them. They need no credentials and tell nothing of buckets, keys or users.
package struct ProbeServer: Service {
    private typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPPart<HTTPResponseHead, ByteBuffer>>

    /// A monitor or two ask; more connections wait until one of these has ended.
    private static let connections = 32
    /// A client that says nothing for so long is cut off.
    private static let patience = TimeAmount.seconds(30)

    private let host: String
    private let port: Int
    private let logger: Logger
    private let ready: @Sendable () async -> String?
    private let metrics: @Sendable () async -> String
    private let onListening: @Sendable (Int) -> Void

    /// `port` 0 lets the system choose; `onListening` is told which. `ready`: nil when all is well, else why not.
    /// `metrics`: Prometheus text.
    package init(
        host: String,
        port: Int,
        logger: Logger,
        ready: @escaping @Sendable () async -> String?,
        metrics: @escaping @Sendable () async -> String,
        onListening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.host = host
        self.port = port
        self.logger = logger
        self.ready = ready
        self.metrics = metrics
        self.onListening = onListening
    }

    /// Until the task is cancelled or the program stops; throws when the port cannot be had.
    package func run() async throws {
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(IdleStateHandler(allTimeout: Self.patience))
                    try channel.pipeline.syncOperations.addHandler(IdleEnd())
                    try channel.pipeline.syncOperations.addHandler(ResponseAdapter())
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
        onListening(listener.channel.localAddress?.port ?? port)
        try await cancelWhenGracefulShutdown {
            do { try await accept(listener) } catch is CancellationError {}
        }
    }

    private func accept(_ listener: NIOAsyncChannel<Connection, Never>) async throws {
        try await listener.executeThenClose { connections in
            try await withThrowingTaskGroup(of: Void.self) { group in
                var open = 0
                for try await connection in connections {
                    if open == Self.connections {
                        try await group.next()
                        open -= 1
                    }
                    group.addTask { await serve(connection) }
                    open += 1
                }
                group.cancelAll()
            }
        }
    }

    /// One request a connection: monitors come seldom.
    private func serve(_ connection: Connection) async {
        do {
            try await connection.executeThenClose { inbound, outbound in
                for try await part in inbound {
                    guard case .head(let request) = part else { continue }
                    let (status, text) = await respond(request)
                    let body = ByteBuffer(string: text)
                    var head = HTTPResponseHead(version: .http1_1, status: status)
                    head.headers.add(name: "content-type", value: "text/plain; version=0.0.4; charset=utf-8")
                    head.headers.add(name: "content-length", value: "\(body.readableBytes)")
                    head.headers.add(name: "connection", value: "close")
                    try await outbound.write(.head(head))
                    if request.method != .HEAD { try await outbound.write(.body(body)) }
                    try await outbound.write(.end(nil))
                    return
                }
            }
        } catch {
            logger.debug("a connection for metrics ended", metadata: ["error": "\(error)"])
        }
    }

    private func respond(_ request: HTTPRequestHead) async -> (HTTPResponseStatus, String) {
        guard request.method == .GET || request.method == .HEAD else { return (.methodNotAllowed, "") }
        switch request.uri.prefix(while: { $0 != "?" }) {
        case "/-/ready":
            guard let reason = await ready() else { return (.ok, "ready\n") }
            return (.serviceUnavailable, reason + "\n")
        case "/-/metrics": return (.ok, await metrics())
        default: return (.notFound, "not found\n")
        }
    }
}

/// Ends a connection on which nothing happens.
private final class IdleEnd: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}
