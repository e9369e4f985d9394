internal import NIOCore
internal import NIOSSL
internal import NIOTLS
internal import Synchronization
internal import SystemInterface

/// What one end does with its connection. All calls come on the connection's event loop.
protocol ConnectionOwner: AnyObject, Sendable {
    /// The handshake is done; `certificate` (DER) is the peer's, whose chain was checked. Throws to close.
    func isSecure(_ connection: Connection, certificate: [UInt8]?) throws(WireError)
    /// Whether the content of such a frame may be taken in now. If not, reading stops until `resumeReading`.
    func mayReceive(_ head: FrameHead, _ connection: Connection) -> Bool
    /// A frame of any kind but ping and pong. Throws to close.
    func received(_ frame: Frame, _ connection: Connection) throws(WireError)
    /// The next frame to send; nil when there is none.
    func nextFrame(_ connection: Connection) -> Frame?
    /// The last byte of a frame went into the connection.
    func written(_ kind: FrameKind, call: UInt64, _ connection: Connection)
    /// The connection is gone; called once.
    func closed(_ connection: Connection, _ error: any Error)
}

/// One TLS connection as the last handler of its pipeline: frames in, frames out.
///
/// Frames are pulled from the owner while the connection can take more, and all that is written in one turn of the
/// event loop is flushed together.
final class Connection: ChannelDuplexHandler, @unchecked Sendable {
    // SAFETY: everything mutable but `heard` and `isAwake`, which are atomic, is touched on the event loop only.
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// From the connection's start to the end of the TLS handshake, and for a client to the server's welcome.
    static let handshakeTimeout = Duration.seconds(5)
    /// Small pieces are gathered up to this many bytes, four TLS records, before they are written.
    private static let gatherSize = 64 << 10
    /// Bytes between two flushes: then the connection knows whether it is full.
    private static let flushSize = 512 << 10
    /// Steps of `OutgoingFrame` in one turn of the event loop, which other connections share.
    private static let stepsPerTurn = 256
    /// Pongs that wait for their turn; a peer that asks for more without reading is closed.
    private static let pongLimit = 16

    let eventLoop: any EventLoop
    let remote: String
    private let owner: any ConnectionOwner
    private let time: any TimeSource
    private let heard: Atomic<UInt64>
    private let isAwake = Atomic(false)

    private var decoder: FrameDecoder
    private var context: ChannelHandlerContext?
    private var control = CircularBuffer<Frame>()
    private var current: OutgoingFrame?
    private var gather = ByteBuffer()
    private var unflushed = 0
    private var isHeld = false
    private var wantsRead = false
    private var isReadingFrames = false
    private var isPumping = false
    private var error: (any Error)?
    private var timer: Scheduled<Void>?
    private var isSecured = false

    init(
        _ channel: any Channel,
        owner: any ConnectionOwner,
        limits: FrameLimits,
        pool: BufferPool,
        time: any TimeSource
    ) {
        eventLoop = channel.eventLoop
        remote = ConnectionTrouble.address(channel.remoteAddress)
        self.owner = owner
        self.time = time
        heard = Atomic(time.monotonic.nanoseconds)
        decoder = FrameDecoder(limits: limits, pool: pool)
    }

    // MARK: From any thread

    /// When something last came from the peer, or it took something we sent.
    var lastHeard: MonotonicTime { MonotonicTime(nanoseconds: heard.load(ordering: .relaxed)) }

    /// Silence counts from now.
    func markHeard() { heard.store(time.monotonic.nanoseconds, ordering: .relaxed) }

    /// There may be frames to send.
    func wake() {
        guard !isAwake.exchange(true, ordering: .acquiringAndReleasing) else { return }
        eventLoop.execute {
            self.isAwake.store(false, ordering: .releasing)
            self.pump()
        }
    }

    func ping() { eventLoop.execute { self.send(Frame(kind: .ping, call: 0)) } }
    func cancel(_ call: UInt64) { eventLoop.execute { self.send(Frame(kind: .cancel, call: call)) } }
    func close(_ error: WireError) { eventLoop.execute { self.fail(error) } }

    // MARK: On the event loop

    /// Sends a frame of the connection's own, before those of the owner.
    func send(_ frame: Frame) {
        guard context != nil else { return }
        control.append(frame)
        wake()
    }

    /// Frames of another size from now on.
    func setLimits(_ limits: FrameLimits) { decoder.limits = limits }

    /// Ends the wait for the handshake. A server's wait ends with TLS, a client's with the welcome.
    func stopTimer() {
        timer?.cancel()
        timer = nil
    }

    /// Closes the connection unless `stopTimer` is called within `delay`.
    func closeAfter(_ delay: Duration, _ error: WireError) {
        timer?.cancel()
        timer = eventLoop.scheduleTask(in: .nanoseconds(delay.nanoseconds)) { self.fail(error) }
    }

    /// Looks again whether what was held back may be taken in.
    func resumeReading() {
        guard isHeld, let context else { return }
        isHeld = false
        readFrames()
        guard !isHeld, wantsRead else { return }
        wantsRead = false
        context.read()
    }

    /// Notes why, and closes. The owner hears of it at once: TLS may take its time to say goodbye.
    func fail(_ error: any Error) {
        guard let context else { return }
        if self.error == nil { self.error = error }
        gone()
        context.close(promise: nil)
    }

    // MARK: ChannelHandler

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        closeAfter(Self.handshakeTimeout, .handshakeTimeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) { gone() }

    func channelInactive(context: ChannelHandlerContext) {
        gone()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted(_)? = event as? TLSUserEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        let tls = try? context.pipeline.syncOperations.handler(type: NIOSSLHandler.self)
        do throws(WireError) {
            let certificate: [UInt8]?
            do {
                certificate = try tls?.peerCertificate?.toDERBytes()
            } catch { throw .unwelcome("unreadable certificate") }
            try owner.isSecure(self, certificate: certificate)
            isSecured = true
            markHeard()
        } catch { fail(error) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard error == nil else { return }
        markHeard()
        decoder.append(unwrapInboundIn(data))
        if !isHeld { readFrames() }
    }

    func read(context: ChannelHandlerContext) {
        if isHeld { wantsRead = true } else { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            // It had been full, so the peer has taken what went before.
            markHeard()
            pump()
        }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let trouble = ConnectionTrouble.ofTLS(error, now: time.wall) {
            let tls = try? context.pipeline.syncOperations.handler(type: NIOSSLHandler.self)
            return try? tls?.peerCertificate?.toDERBytes()
        }
        if let trouble { fail(WireError.insecure(trouble)) } else { fail(error) }
    }

    private func readFrames() {
        // An owner that finishes a call while it is handed one asks to resume: the loop below goes on anyway.
        guard !isReadingFrames else { return }
        isReadingFrames = true
        defer { isReadingFrames = false }
        do throws(WireError) {
            while error == nil {
                let frame = try decoder.next { head in
                    isHeld = !owner.mayReceive(head, self)
                    return !isHeld
                }
                guard let frame else { return }
                guard isSecured else { throw .malformed("frame before the handshake") }
                switch frame.kind {
                case .ping:
                    guard control.count < Self.pongLimit else { throw .malformed("too many pings") }
                    send(Frame(kind: .pong, call: frame.call))
                case .pong: break
                default: try owner.received(frame, self)
                }
            }
        } catch { fail(error) }
    }

    private func gone() {
        guard context != nil else { return }
        context = nil
        stopTimer()
        current = nil
        control.removeAll()
        owner.closed(self, error ?? WireError.closedThere)
    }

    // MARK: Writing

    private func pump() {
        guard let context, isSecured, error == nil else { return }
        // Flushing can make the connection writable again, which comes here: later, not ever deeper.
        guard !isPumping else { return wake() }
        isPumping = true
        defer { isPumping = false }
        var steps = 0
        while context.channel.isWritable {
            steps += 1
            guard steps <= Self.stepsPerTurn else {
                wake()
                break
            }
            if current == nil {
                guard let frame = control.popFirst() ?? owner.nextFrame(self) else { break }
                current = OutgoingFrame(frame)
            }
            if let lent = current?.step(&gather) {
                writeGathered(context)
                unflushed += lent.readableBytes
                context.write(wrapOutboundOut(lent), promise: nil)
            } else if gather.readableBytes >= Self.gatherSize {
                writeGathered(context)
            }
            if let frame = current, frame.isDone {
                current = nil
                owner.written(frame.kind, call: frame.call, self)
            }
            if unflushed + gather.readableBytes >= Self.flushSize { flush(context) }
        }
        flush(context)
    }

    private func writeGathered(_ context: ChannelHandlerContext) {
        guard gather.readableBytes > 0 else { return }
        unflushed += gather.readableBytes
        context.write(wrapOutboundOut(gather), promise: nil)
        // The memory went with it.
        gather = ByteBuffer()
    }

    private func flush(_ context: ChannelHandlerContext) {
        writeGathered(context)
        guard unflushed > 0 else { return }
        unflushed = 0
        context.flush()
    }
}
