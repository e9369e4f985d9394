import CXXHash

/// XXH64 with seed 0 of bytes that come in pieces: S3's `XXHASH64`. One user at a time.
package final class XXH64Digest {
    private let state: OpaquePointer

    package init() {
        guard let state = XXH64_createState() else { preconditionFailure("out of memory") }
        self.state = state
        XXH64_reset(state, 0)
    }

    deinit { XXH64_freeState(state) }

    package func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        XXH64_update(state, start, bytes.count)
    }

    /// The digest of everything so far; more may follow.
    package func finalize() -> UInt64 { XXH64_digest(state) }
}

/// XXH3 of 64 bits with seed 0 of bytes that come in pieces: S3's `XXHASH3`. One user at a time.
package final class ShortXXH3Digest {
    private let state: OpaquePointer

    package init() {
        guard let state = XXH3_createState() else { preconditionFailure("out of memory") }
        self.state = state
        XXH3_64bits_reset(state)
    }

    deinit { XXH3_freeState(state) }

    package func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        _ = Self.update(state, start, bytes.count)
    }

    /// The digest of everything so far; more may follow.
    package func finalize() -> UInt64 { XXH3_64bits_digest(state) }

    // The best of what the processor has.
    #if arch(x86_64)
        private static let update = XXH3_64bits_update_dispatch
    #else
        private static let update = XXH3_64bits_update
    #endif
}
