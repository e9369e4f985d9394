internal import NIOCore

/// Sets how a connection reads: 1 MiB at a time, one read per turn of its event loop. Uploads then arrive in few
/// large pieces.
final class ReceiveTuning: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private static let bufferSize = 1 << 20

    func handlerAdded(context: ChannelHandlerContext) {
        context.channel.setOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.bufferSize))
            .assumeIsolated().whenComplete { _ in }
        context.channel.setOption(.maxMessagesPerRead, value: 1).assumeIsolated().whenComplete { _ in }
    }
}
