import CXXHash

/// XXH3-128 of bytes that come in pieces: the digest of blobs and shards, and S3's `XXHASH128`. Equality proves; it is
/// no defence against a forger.
///
/// One user at a time; the state is allocated once, at `init`.
package final class XXH3Digest {
    private let state: OpaquePointer

    package init() {
        guard let state = XXH3_createState() else { preconditionFailure("out of memory") }
        self.state = state
        XXH3_128bits_reset(state)
    }

    deinit { XXH3_freeState(state) }

    package func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        _ = Self.update(state, start, bytes.count)
    }

    /// The digest of everything so far; more may follow.
    package func finalize() -> (high: UInt64, low: UInt64) {
        let digest = XXH3_128bits_digest(state)
        return (digest.high64, digest.low64)
    }

    /// Starts over, as after `init`.
    package func reset() { XXH3_128bits_reset(state) }

    /// The digest of `bytes` in one call.
    package static func digest(_ bytes: UnsafeRawBufferPointer) -> (high: UInt64, low: UInt64) {
        let digest = Self.whole(bytes.baseAddress, bytes.count)
        return (digest.high64, digest.low64)
    }

    // The best of what the processor has.
    #if arch(x86_64)
        private static let update = XXH3_128bits_update_dispatch
        private static let whole = XXH3_128bits_dispatch
    #else
        private static let update = XXH3_128bits_update
        private static let whole = XXH3_128bits
    #endif
}
