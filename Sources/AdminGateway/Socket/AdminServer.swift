import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle

/// Serves an `AdminService` on the Unix socket of a data folder, until its task is cancelled or the program stops.
///
/// Only the user that runs the store can connect: that is the authentication.
package struct AdminServer<Operations: AdminService>: Service {
    private typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPPart<HTTPResponseHead, ByteBuffer>>
    private typealias Listener = NIOAsyncChannel<Connection, Never>

    /// Bytes of a request's body at most: a user's names and keys are far below.
    private static var bodyLimit: Int { 64 << 10 }

    /// How often it is looked whether the socket is still there.
    private static var lookInterval: Duration { .seconds(2) }

    private let directory: String
    private let service: Operations
    private let logger: Logger
    private let descriptor: Int32

    /// Takes the socket of the data folder `directory`: what keeps it from that is told before the program says that it
    /// is ready. Who connects before `run` waits for it.
    package init(directory: String, service: Operations, logger: Logger) throws(AdminError) {
        self.directory = directory
        self.service = service
        self.logger = logger
        descriptor = try AdminSocket.listen(in: directory)
    }

    /// Serves; to be called once. A socket that somebody removes is made again: nobody could reach the store any more.
    package func run() async throws {
        defer { AdminSocket.remove(in: directory) }
        let first = try await listener(on: descriptor)
        logger.info("admin socket ready", metadata: ["path": "\(path)"])
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { connections in
                var listener: Listener? = first
                while let current = listener {
                    let isGone = await accept(current, &connections)
                    listener = isGone ? await listenAnew() : nil
                }
                connections.cancelAll()
            }
        }
    }

    private var path: String { "\(directory)/\(AdminSocket.name)" }

    private func listener(on descriptor: Int32) async throws -> Listener {
        try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(descriptor) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(ResponseAdapter())
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
    }

    /// Until the program stops, or the socket is gone: then true. Connections go on in their group.
    private func accept(_ listener: Listener, _ connections: inout DiscardingTaskGroup) async -> Bool {
        let watch = Task { [channel = listener.channel] in
            while AdminSocket.isThere(in: directory) { try await Task.sleep(for: Self.lookInterval) }
            channel.close(promise: nil)
        }
        defer { watch.cancel() }
        do {
            try await listener.executeThenClose { inbound in
                for try await connection in inbound { connections.addTask { await serve(connection) } }
            }
        } catch is CancellationError {
            // The program is stopping.
        } catch {
            // A listener that was closed because its socket is gone has not failed.
            if AdminSocket.isThere(in: directory) {
                logger.error("admin socket failed", metadata: ["error": "\(error)"])
            }
        }
        return !Task.isCancelled && !AdminSocket.isThere(in: directory)
    }

    /// Nil when the program stops before there is a socket again.
    private func listenAnew() async -> Listener? {
        var isTold = false
        while !Task.isCancelled {
            do {
                let listener = try await listener(on: AdminSocket.listen(in: directory))
                logger.warning("the admin socket was removed and is made again", metadata: ["path": "\(path)"])
                return listener
            } catch {
                if !isTold {
                    logger.warning(
                        "the admin socket was removed and cannot be made again",
                        metadata: ["path": "\(path)", "error": "\(error)"]
                    )
                }
                isTold = true
            }
            try? await Task.sleep(for: Self.lookInterval)
        }
        return nil
    }

    private func serve(_ connection: Connection) async {
        do {
            try await connection.executeThenClose { inbound, outbound in
                var head: HTTPRequestHead?
                var body = ByteBuffer()
                for try await part in inbound {
                    switch part {
                    case .head(let value):
                        head = value
                        body.clear()
                    case .body(var bytes):
                        guard body.readableBytes + bytes.readableBytes <= Self.bodyLimit else { return }
                        body.writeBuffer(&bytes)
                    case .end:
                        guard let request = head else { return }
                        try await answer(request, Array(body.readableBytesView), outbound)
                        if !request.isKeepAlive { return }
                    }
                }
            }
        } catch {
            // The operator went away, or sent no HTTP: nothing of the store's is amiss.
            logger.debug("admin connection ended", metadata: ["error": "\(error)"])
        }
    }

    private func answer(
        _ request: HTTPRequestHead,
        _ body: [UInt8],
        _ outbound: NIOAsyncChannelOutboundWriter<HTTPPart<HTTPResponseHead, ByteBuffer>>
    ) async throws {
        let (status, data) = await respond(request, body)
        var head = HTTPResponseHead(version: .http1_1, status: status)
        head.headers.add(name: "content-type", value: "application/json")
        head.headers.add(name: "content-length", value: "\(data.count)")
        try await outbound.write(.head(head))
        try await outbound.write(.body(ByteBuffer(bytes: data)))
        try await outbound.write(.end(nil))
    }

    private func respond(_ request: HTTPRequestHead, _ body: [UInt8]) async -> (HTTPResponseStatus, Data) {
        do {
            guard let route = AdminRoute(rawValue: request.uri), route.method == request.method else {
                throw AdminError(
                    .notFound,
                    "the store does not know this command",
                    advice: "Use the same version of cairn for the command and the store."
                )
            }
            return (.ok, try await route.respond(body, by: service))
        } catch let error as AdminError {
            return (error.code.status, (try? AdminRoute.encode(error)) ?? Data())
        } catch {
            logger.error("admin command failed", metadata: ["command": "\(request.uri)", "error": "\(error)"])
            let failure = AdminError(.failed, "the store failed: \(error)", advice: "Look at its log.")
            return (failure.code.status, (try? AdminRoute.encode(failure)) ?? Data())
        }
    }
}
