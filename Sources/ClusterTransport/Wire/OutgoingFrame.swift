internal import ByteLending
internal import NIOCore
internal import SystemInterface

/// A frame on its way out, in steps of at most `stepSize` bytes, so that many small frames share one write and a large
/// one does not fill the memory of the connection. Used on the connection's event loop.
struct OutgoingFrame {
    /// Bytes written between two looks at whether the connection can take more.
    static let stepSize = 256 << 10

    let call: UInt64
    let kind: FrameKind
    private let head: FrameHead
    private let message: TransportMessage
    private var hasHead = false
    /// Bytes of the header that went out.
    private var headerSent = 0
    private var nextBuffer = 0
    /// The rest of a buffer that is sent from where it lies.
    private var lent: ByteBuffer?

    init(_ frame: Frame) {
        call = frame.call
        kind = frame.kind
        head = frame.head
        message = frame.message
    }

    var isDone: Bool {
        hasHead && headerSent == message.header.count && nextBuffer == message.buffers.count && lent == nil
    }

    /// Appends the next bytes to `gather`, or returns them when they are many and are sent without a copy.
    mutating func step(_ gather: inout ByteBuffer) -> ByteBuffer? {
        if !hasHead {
            head.write(into: &gather)
            hasHead = true
        }
        if headerSent < message.header.count {
            let end = min(message.header.count, headerSent + Self.stepSize)
            gather.writeBytes(message.header[headerSent..<end])
            headerSent = end
            return nil
        }
        if var rest = lent {
            let piece = rest.readSlice(length: min(rest.readableBytes, Self.stepSize))
            lent = rest.readableBytes > 0 ? rest : nil
            return piece
        }
        guard nextBuffer < message.buffers.count else { return nil }
        let slice = message.buffers[nextBuffer]
        nextBuffer += 1
        if slice.count < ByteBuffer.smallestLent {
            _ = slice.withBytes { gather.writeBytes($0) }
        } else {
            lent = ByteBuffer(sending: slice)
        }
        return nil
    }
}
