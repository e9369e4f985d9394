/// The checksum of one leaf: CRC-32C seeded with the leaf's place, so that a misdirected or stale block cannot pass
/// (DESIGN §6).
///
/// The CRC starts from 32 bytes and continues over the leaf's: blob id (incarnation 4, lease 4, sequence 8), shard
/// index 1 and three zeros, leaf number 4, write stamp 8; little-endian each.
package enum LeafChecksum {
    /// Bytes of a leaf; the last one of a body may be shorter.
    package static let leafSize = 64 << 10

    package static func checksum(
        _ bytes: UnsafeRawBufferPointer,
        incarnation: UInt32,
        lease: UInt32,
        sequence: UInt64,
        shard: UInt8,
        leaf: UInt32,
        stamp: UInt64
    ) -> UInt32 {
        LeafSeed(incarnation: incarnation, lease: lease, sequence: sequence, shard: shard, stamp: stamp)
            .checksum(of: bytes, leaf: leaf)
    }
}

/// What the leaves of one shard record have in common: blob, shard and write stamp.
package struct LeafSeed: Hashable, Sendable {
    private let blobHead: UInt64
    private let sequence: UInt64
    private let shard: UInt8
    private let stamp: UInt64

    package init(incarnation: UInt32, lease: UInt32, sequence: UInt64, shard: UInt8, stamp: UInt64) {
        blobHead = UInt64(lease) << 32 | UInt64(incarnation)
        self.sequence = sequence
        self.shard = shard
        self.stamp = stamp
    }

    /// The checksum of the leaf with number `leaf` within its shard.
    package func checksum(of bytes: UnsafeRawBufferPointer, leaf: UInt32) -> UInt32 {
        let seed = (
            blobHead.littleEndian, sequence.littleEndian, (UInt64(leaf) << 32 | UInt64(shard)).littleEndian,
            stamp.littleEndian
        )
        return CRC32C.checksum(bytes, continuing: withUnsafeBytes(of: seed) { CRC32C.checksum($0) })
    }

    /// Appends the checksums of consecutive leaves to `checksums`, one per started 64 KiB of `body`.
    ///
    /// `body` begins at leaf `firstLeaf` of the shard; only its last leaf may be short, and only at the shard's end.
    package func checksums(of body: UnsafeRawBufferPointer, firstLeaf: Int, into checksums: inout [UInt32]) {
        forEachLeaf(of: body, firstLeaf: firstLeaf) { number, bytes in
            checksums.append(checksum(of: bytes, leaf: number))
            return true
        }
    }

    /// The number within the shard of the first leaf whose bytes do not have the expected checksum; nil when all have.
    ///
    /// `expected` are the checksums of the leaves of `body` in order, `firstLeaf` being the first. A leaf without a
    /// checksum and a checksum without a leaf are mismatches too.
    package func firstMismatch(
        of body: UnsafeRawBufferPointer,
        firstLeaf: Int,
        expected: some Collection<UInt32>
    ) -> Int? {
        var remaining = expected.makeIterator()
        var position = firstLeaf
        var isGood = true
        forEachLeaf(of: body, firstLeaf: firstLeaf) { number, bytes in
            isGood = remaining.next() == checksum(of: bytes, leaf: number)
            if isGood { position += 1 }
            return isGood
        }
        return isGood && remaining.next() == nil ? nil : position
    }

    /// Calls `body` with each leaf until it answers false.
    private func forEachLeaf(
        of bytes: UnsafeRawBufferPointer,
        firstLeaf: Int,
        _ body: (UInt32, UnsafeRawBufferPointer) -> Bool
    ) {
        var offset = 0
        // A blob has far fewer leaves than 2^32: a number beyond that gives a wrong checksum, never a trap.
        var number = UInt32(clamping: firstLeaf)
        while offset < bytes.count {
            let end = min(offset + LeafChecksum.leafSize, bytes.count)
            guard body(number, UnsafeRawBufferPointer(rebasing: bytes[offset..<end])) else { return }
            offset = end
            number &+= 1
        }
    }
}
