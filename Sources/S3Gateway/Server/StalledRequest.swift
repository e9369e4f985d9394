import HTTPTypes
internal import NIOCore
import NIOHTTPTypes
import S3Protocol

/// Tells a client that is silent in the middle of a request's body that its time is over, as AWS does: with a
/// `Content-Length` that is more than it sends, both sides would wait for one another.
///
/// Counts the client's turns: one begins when something is to be read and ends with what comes. Of each `limit` it
/// sees whether one turn filled it all, so that the answer comes after one to two of them, and a client that waits
/// because the server does not read is never blamed.
final class StalledRequest: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let limit: TimeAmount
    private let identity: ResponseIdentity
    private var timer: Scheduled<Void>?

    /// Requests whose head was read and whose answer is not written yet: more than one when they are pipelined.
    private var unanswered = 0
    private var isAnswering = false
    /// Whether the end of the last request is still to come.
    private var owesBody = false
    /// Whether a client that expects to be told may send its body.
    private var isInvited = true
    private var isClientsTurn = false
    private var turns: UInt64 = 0
    private var isRefused = false

    init(limit: TimeAmount, identity: ResponseIdentity) {
        self.limit = limit
        self.identity = identity
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
    }

    func read(context: ChannelHandlerContext) {
        if !isClientsTurn {
            isClientsTurn = true
            turns &+= 1
        }
        if owesBody, timer == nil { watch(context) }
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isClientsTurn = false
        switch unwrapInboundIn(data) {
        case .head(let head):
            unanswered += 1
            owesBody = true
            isInvited = head.headerFields[.expect]?.lowercased() != "100-continue"
        case .body: break
        case .end: owesBody = false
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isRefused else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(let head) where head.status.kind == .informational:
            isInvited = true
            turns &+= 1
        case .head: isAnswering = true
        case .body: break
        case .end:
            isAnswering = false
            unanswered -= 1
        }
        context.write(data, promise: promise)
    }

    private func watch(_ context: ChannelHandlerContext) {
        let seen = turns
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { self.look(context, since: seen) }
    }

    private func look(_ context: ChannelHandlerContext, since seen: UInt64) {
        timer = nil
        guard owesBody else { return }
        // What was answered already, or waits for an answer to one before it, is nothing to be told of.
        let isAwaited = unanswered == 1 && !isAnswering && isInvited
        if isAwaited, isClientsTurn, turns == seen { refuse(context) } else { watch(context) }
    }

    private func refuse(_ context: ChannelHandlerContext) {
        isRefused = true
        let channel = context.channel
        let (head, document) = identity.refusal(S3Error(.requestTimeout))
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(document)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { _ in
            channel.close(promise: nil)
        }
    }
}
