package import Checksums
internal import ErasureCoding
package import ObjectModel
internal import SystemInterface

/// What the k+m shards of a blob under construction have come to: leaf checksums and digests, stripe by stripe.
///
/// One user at a time.
struct StripeEncoder {
    let coder: ErasureCoder
    private let seeds: [LeafSeed]
    private var digests: [XXH3Digest]
    private(set) var leafChecksums: [[UInt32]]
    /// Bytes of each shard's body so far; a multiple of the leaf size until the last stripe.
    private(set) var shardLength = 0

    init(coder: ErasureCoder, blob: BlobID, writeStamps: [UInt64]) {
        self.coder = coder
        seeds = writeStamps.indices.map { index in
            LeafSeed(shard: ShardID(blob: blob, index: UInt8(index)), stamp: writeStamps[index])
        }
        digests = writeStamps.map { _ in XXH3Digest() }
        leafChecksums = writeStamps.map { _ in [] }
    }

    /// Codes one stripe: the first k cells of `stripe` lie one after another and the m parity cells are put behind
    /// them. Returns the k+m cells.
    mutating func encode(_ stripe: AlignedBuffer, cellSize: Int) -> [BufferSlice] {
        let scheme = coder.scheme
        let cells = (0..<scheme.shardCount).map { stripe.slice($0 * cellSize..<($0 + 1) * cellSize) }
        let parity = (scheme.dataCount..<scheme.shardCount).map { index in
            UnsafeMutableRawBufferPointer(start: stripe.pointer + index * cellSize, count: cellSize)
        }
        withExtendedLifetime(stripe) {
            coder.encode(data: cells.prefix(scheme.dataCount).map(\.bytes), parity: parity)
            for (index, cell) in cells.enumerated() {
                seeds[index].checksums(
                    of: cell.bytes,
                    firstLeaf: shardLength / Leaf.size,
                    into: &leafChecksums[index]
                )
                digests[index].update(cell.bytes)
            }
        }
        shardLength += cellSize
        return cells
    }

    /// The digest of each shard's body.
    func shardDigests() -> [ContentDigest] { digests.map { ContentDigest($0.finalize()) } }
}

extension LeafSeed {
    /// The seed of a shard's leaves under a write stamp.
    package init(shard: ShardID, stamp: UInt64) {
        self.init(
            incarnation: shard.blob.incarnation,
            lease: shard.blob.lease,
            sequence: shard.blob.sequence,
            shard: shard.index,
            stamp: stamp
        )
    }
}

extension ContentDigest {
    /// The XXH3-128 pair as a value.
    package init(_ pair: (high: UInt64, low: UInt64)) { self.init(high: pair.high, low: pair.low) }
}
