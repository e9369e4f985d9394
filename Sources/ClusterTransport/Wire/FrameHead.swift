internal import NIOCore
internal import SystemInterface

/// What a frame is for. The number is what travels.
enum FrameKind: UInt8 {
    case request = 1
    case response = 2
    /// No answer will come; the header is one `RefusalReason`.
    case refusal = 3
    /// Asks for a `pong`, to learn whether anybody is there.
    case ping = 4
    case pong = 5
    /// The server's first frame: it has accepted who the client is. Calls start after it.
    case welcome = 6
    /// Nobody waits for this call any longer.
    case cancel = 7
}

/// Why a call was refused. The number is what travels.
enum RefusalReason: UInt8 {
    /// The server is shutting down, and did not start the call.
    case shuttingDown = 1
    /// The call was carried out, but its answer is larger than a frame may be.
    case answerTooLarge = 2
}

/// What a frame may hold. Checked before a byte of it is taken in.
struct FrameLimits: Sendable {
    /// Bytes.
    var header: Int
    /// Bytes of one buffer.
    var buffer: Int
    /// Bytes of all buffers.
    var buffers: Int
    var count: Int

    /// Journal batches and answers of the metadata store travel in headers: 20 MiB. Shards travel in buffers: 64 MiB
    /// each, 128 MiB in all.
    static let members = FrameLimits(header: 20 << 20, buffer: 64 << 20, buffers: 128 << 20, count: 4_096)
    /// Of a client without a certificate: 64 KiB, no buffers.
    static let strangers = FrameLimits(header: 64 << 10, buffer: 0, buffers: 0, count: 0)

    func allow(_ head: FrameHead) -> Bool {
        head.headerLength <= header && head.lengths.count <= count && head.lengths.allSatisfy { $0 <= buffer }
            && head.bufferBytes <= buffers
    }
}

/// The fixed part of a frame and the lengths of its buffers; integers are little-endian.
///
///     0  4  magic "CRNT"        6  2  number of buffers        16  4  bytes of the header
///     4  1  version             8  8  call                     20  4  bytes of each buffer, one after another
///     5  1  kind
struct FrameHead {
    static let magic: UInt32 = 0x544E_5243
    static let version: UInt8 = 1
    /// Bytes before the lengths.
    static let size = 20

    var kind: FrameKind
    var call: UInt64
    var headerLength: Int
    var lengths: [Int] = []

    var bufferBytes: Int { lengths.reduce(0, +) }
    /// Bytes of memory that the frame's content takes at a receiver, where the smallest buffer takes a page: what the
    /// limits on calls in progress count.
    var charge: Int { lengths.reduce(headerLength) { $0 + max($1, AlignedBuffer.alignment) } }
    /// Whether this kind of frame may have such content at all.
    var isPlausible: Bool {
        switch kind {
        case .request, .response: true
        case .refusal: headerLength == 1 && lengths.isEmpty
        case .ping, .pong, .welcome, .cancel: headerLength == 0 && lengths.isEmpty
        }
    }

    func write(into buffer: inout ByteBuffer) {
        buffer.writeInteger(Self.magic, endianness: .little)
        buffer.writeInteger(Self.version)
        buffer.writeInteger(kind.rawValue)
        buffer.writeInteger(UInt16(truncatingIfNeeded: lengths.count), endianness: .little)
        buffer.writeInteger(call, endianness: .little)
        buffer.writeInteger(UInt32(truncatingIfNeeded: headerLength), endianness: .little)
        for length in lengths { buffer.writeInteger(UInt32(truncatingIfNeeded: length), endianness: .little) }
    }
}

/// A frame of a length that the limits allow.
struct Frame {
    var kind: FrameKind
    var call: UInt64
    var message = TransportMessage(header: [])
    /// Whether it may be sent to another member.
    var isAllowed: Bool { FrameLimits.members.allow(head) }

    var head: FrameHead {
        FrameHead(
            kind: kind,
            call: call,
            headerLength: message.header.count,
            lengths: message.buffers.map(\.count)
        )
    }
}

/// Why a connection was closed, for the log.
enum WireError: Error, CustomStringConvertible {
    case malformed(String)
    case unwelcome(String)
    /// TLS did not come about, or failed.
    case insecure(String)
    case silent
    case handshakeTimeout
    case closedHere
    case closedThere

    var description: String {
        switch self {
        case .malformed(let what): "malformed frame: \(what)"
        case .unwelcome(let why), .insecure(let why): why
        case .silent: "silent for too long"
        case .handshakeTimeout: "no handshake in time"
        case .closedHere: "closed here"
        case .closedThere: "closed by the peer"
        }
    }
}
