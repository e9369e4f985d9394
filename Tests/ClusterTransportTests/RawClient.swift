import ClusterTransport
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A TLS client that sends whatever bytes it is told, and notes whether it is cut off.
final class RawClient: Sendable {
    /// Of ten milliseconds each, until what is to come counts as never to come.
    private static let looks = 6_000

    private let channel: any Channel
    private let sink = Sink()

    /// `identity` nil shows no certificate.
    init(port: Int, trusting authority: ClusterAuthority, as identity: ClusterIdentity?) throws {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateVerification = .noHostnameVerification
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(authority.certificatePEM.utf8)))
        if let identity {
            tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(identity.certificatePEM.utf8))
                .map { .certificate($0) }
            tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(identity.keyPEM.utf8), format: .pem))
        }
        let context = try NIOSSLContext(configuration: tls)
        let sink = sink
        channel = try ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOSSLClientHandler(context: context, serverHostname: nil),
                        SinkHandler(sink)
                    )
                }
            }
            .connect(host: "127.0.0.1", port: port).wait()
    }

    /// Bytes that came.
    var received: Int { sink.count.load(ordering: .relaxed) }

    /// Whether the server sends its first frame, and does not close.
    func isWelcome() async throws -> Bool { try await has(received: 1) }

    /// Whether so many bytes come, and the server does not close.
    func has(received count: Int) async throws -> Bool {
        for _ in 0..<Self.looks {
            if received >= count { return true }
            if !channel.isActive { return false }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }

    func send(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }
    func close() { channel.close(promise: nil) }

    /// Whether the server closes within eight seconds: it closes a stranger that does nothing wrong after ten.
    func isCutOff() async throws -> Bool {
        for _ in 0..<800 {
            if !channel.isActive { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}

private final class Sink: Sendable {
    let count = Atomic(0)
}

private final class SinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let sink: Sink
    init(_ sink: Sink) { self.sink = sink }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        sink.count.add(unwrapInboundIn(data).readableBytes, ordering: .relaxed)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
