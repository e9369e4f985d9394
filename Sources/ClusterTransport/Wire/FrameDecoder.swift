internal import NIOCore
internal import SystemInterface

/// Cuts the incoming bytes of one connection into frames. Used on the connection's event loop.
///
/// Buffer bytes are copied once, from NIO's memory into an `AlignedBuffer` of the pool. Memory is taken as bytes come:
/// the header grows with them, and a buffer is taken when its first byte is there, so that what a peer claims but does
/// not send costs at most one buffer of untouched address space. After an error the decoder is of no more use.
struct FrameDecoder {
    private enum State {
        case head
        case lengths(FrameHead, missing: Int)
        /// Complete but not yet let in.
        case gate(FrameHead)
        case header(FrameHead)
        case buffers(FrameHead)
    }

    /// All buffers without bytes are this one.
    private static let empty = AlignedBuffer(capacity: 1).slice(0..<0)

    var limits: FrameLimits
    private let pool: BufferPool
    private var state = State.head
    private var input = ByteBuffer()
    private var header: [UInt8] = []
    private var buffers: [BufferSlice] = []
    /// The buffer being filled, and how far.
    private var open: (buffer: AlignedBuffer, filled: Int)?

    init(limits: FrameLimits, pool: BufferPool) {
        self.limits = limits
        self.pool = pool
    }

    /// Takes bytes in. Between two calls `next` has usually used up all there was, and nothing is copied here.
    mutating func append(_ bytes: ByteBuffer) {
        if input.readableBytes == 0 {
            input = bytes
        } else {
            var bytes = bytes
            input.writeBuffer(&bytes)
        }
    }

    /// The next whole frame; nil when bytes are missing, or when `admit` says that a frame with this head has to wait.
    mutating func next(admit: (FrameHead) -> Bool) throws(WireError) -> Frame? {
        while true {
            switch state {
            case .head:
                guard let head = try readHead() else { return keepRest() }
                state = .lengths(head.head, missing: head.count)
            case .lengths(var head, let missing):
                if missing == 0 {
                    guard head.isPlausible else { throw .malformed("kind \(head.kind) with content") }
                    guard limits.allow(head) else { throw .malformed("too large") }
                    state = .gate(head)
                } else {
                    guard let length = input.readInteger(endianness: .little, as: UInt32.self) else {
                        return keepRest()
                    }
                    // One at a time: a claimed count reserves nothing.
                    head.lengths.append(Int(length))
                    guard head.lengths.count <= limits.count, Int(length) <= limits.buffer else {
                        throw .malformed("too large")
                    }
                    state = .lengths(head, missing: missing - 1)
                }
            case .gate(let head):
                guard admit(head) else { return nil }
                state = .header(head)
            case .header(let head):
                let count = min(input.readableBytes, head.headerLength - header.count)
                if let view = input.readSlice(length: count) { header.append(contentsOf: view.readableBytesView) }
                guard header.count == head.headerLength else { return keepRest() }
                state = .buffers(head)
            case .buffers(let head):
                guard fillBuffers(head) else { return keepRest() }
                defer {
                    state = .head
                    header = []
                    buffers = []
                }
                return Frame(
                    kind: head.kind,
                    call: head.call,
                    message: TransportMessage(header: header, buffers: buffers)
                )
            }
        }
    }

    private mutating func readHead() throws(WireError) -> (head: FrameHead, count: Int)? {
        guard input.readableBytes >= FrameHead.size else { return nil }
        guard input.readInteger(endianness: .little, as: UInt32.self) == FrameHead.magic else {
            throw .malformed("not a frame")
        }
        guard let version = input.readInteger(as: UInt8.self), version == FrameHead.version else {
            throw .malformed("version")
        }
        guard let kind = input.readInteger(as: UInt8.self).flatMap(FrameKind.init(rawValue:)) else {
            throw .malformed("kind")
        }
        guard let count = input.readInteger(endianness: .little, as: UInt16.self),
            let call = input.readInteger(endianness: .little, as: UInt64.self),
            let length = input.readInteger(endianness: .little, as: UInt32.self)
        else { throw .malformed("head") }
        guard Int(count) <= limits.count, Int(length) <= limits.header else { throw .malformed("too large") }
        return (FrameHead(kind: kind, call: call, headerLength: Int(length)), Int(count))
    }

    /// Whether all the frame's buffers are full.
    private mutating func fillBuffers(_ head: FrameHead) -> Bool {
        while buffers.count < head.lengths.count {
            let length = head.lengths[buffers.count]
            guard length > 0 else {
                buffers.append(Self.empty)
                continue
            }
            guard input.readableBytes > 0 else { return false }
            var (buffer, filled): (AlignedBuffer, Int) = open ?? (pool.take(length), 0)
            let count = min(length - filled, input.readableBytes)
            input.readWithUnsafeReadableBytes { bytes in
                let target = UnsafeMutableRawBufferPointer(rebasing: buffer.mutableBytes[filled..<filled + count])
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
                return count
            }
            filled += count
            if filled == length {
                buffers.append(buffer.slice(0..<length))
                open = nil
            } else {
                open = (buffer, filled)
                return false
            }
        }
        return true
    }

    /// Keeps the few bytes that are left of the input without the memory around them.
    private mutating func keepRest() -> Frame? {
        if input.readableBytes == 0 {
            input = ByteBuffer()
        } else if input.readerIndex > 0 {
            input = ByteBuffer(bytes: input.readableBytesView)
        }
        return nil
    }
}
