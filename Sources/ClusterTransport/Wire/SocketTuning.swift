internal import NIOCore

/// How the sockets of both ends are set.
enum SocketTuning {
    /// A connection is full at the high mark and takes more from the low one on: bytes.
    static let watermark = ChannelOptions.Types.WriteBufferWaterMark(low: 256 << 10, high: 1 << 20)
    /// Bytes of one read: small while the traffic is, up to 1 MiB for shards.
    static let smallestRead = 4 << 10
    static let firstRead = 64 << 10
    static let largestRead = 1 << 20

    static var receiving: AdaptiveRecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(minimum: smallestRead, initial: firstRead, maximum: largestRead)
    }
}
