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

    /// Bytes of a request's body at most: a user's names and keys are far below.
    private static var bodyLimit: Int { 64 << 10 }

    private let directory: String
    private let service: Operations
    private let logger: Logger

    /// `directory` is the data folder; it must exist when `run` is called.
    package init(directory: String, service: Operations, logger: Logger) {
        self.directory = directory
        self.service = service
        self.logger = logger
    }

    /// Listens and serves; throws `AdminError` when the socket cannot be had.
    package func run() async throws {
        let descriptor = try AdminSocket.listen(in: directory)
        let listener: NIOAsyncChannel<Connection, Never>
        do {
            listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .bind(descriptor) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                        try channel.pipeline.syncOperations.addHandler(ResponseAdapter())
                        return try Connection(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            AdminSocket.remove(in: directory)
            throw error
        }
        logger.info("admin socket ready", metadata: ["path": "\(directory)/\(AdminSocket.name)"])
        defer { AdminSocket.remove(in: directory) }
        try await cancelWhenGracefulShutdown { try await accept(listener) }
    }

    private func accept(_ listener: NIOAsyncChannel<Connection, Never>) async throws {
        try await listener.executeThenClose { connections in
            await withDiscardingTaskGroup { group in
                do {
                    for try await connection in connections {
                        group.addTask { await serve(connection) }
                    }
                } catch is CancellationError {
                    // The program is stopping.
                } catch {
                    logger.error("admin socket failed", metadata: ["error": "\(error)"])
                }
                group.cancelAll()
            }
        }
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
