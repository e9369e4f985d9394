/// Where the bytes of a blob lie in its shards. Follows from the scheme and the stored length alone.
///
/// Full stripes have k cells of `cellSize`. A stripe shorter than that, alone or the last of the blob, has cells of
/// its k-th part, rounded up to 4 KiB (below 64 KiB: to 64 bytes); the rest of it is zeros that are coded and stored
/// but not counted in the blob's length (DESIGN §4).
package struct StripeGeometry: Hashable, Sendable {
    package let dataCount: Int
    package let cellSize: Int
    /// Bytes of the blob.
    package let blobLength: Int
    /// Stripes with cells of `cellSize`.
    package let fullStripes: Int
    /// Bytes of a cell of the last, shorter stripe; 0 when there is none.
    package let lastCellSize: Int

    package init(scheme: Scheme, blobLength: Int) {
        dataCount = scheme.dataCount
        cellSize = scheme.cellSize
        self.blobLength = blobLength
        let stripeSize = scheme.dataCount * scheme.cellSize
        fullStripes = blobLength / stripeSize
        let rest = blobLength % stripeSize
        lastCellSize = rest == 0 ? 0 : Self.roundedCellSize((rest + scheme.dataCount - 1) / scheme.dataCount)
    }

    /// A short stripe's cell: up to 64 bytes below 64 KiB, up to 4 KiB from there.
    package static func roundedCellSize(_ part: Int) -> Int {
        let unit = part < 64 << 10 ? 64 : 4 << 10
        return (part + unit - 1) / unit * unit
    }

    /// Bytes of each shard's body.
    package var shardLength: Int { fullStripes * cellSize + lastCellSize }

    package var stripeCount: Int { fullStripes + (lastCellSize > 0 ? 1 : 0) }

    /// Bytes of one cell of a stripe.
    package func cellSize(ofStripe stripe: Int) -> Int { stripe < fullStripes ? cellSize : lastCellSize }

    /// A run of the blob's bytes within one cell.
    package struct Run: Hashable, Sendable {
        /// The data shard, 0 ..< k.
        package var shard: Int
        /// Bytes of that shard's body.
        package var shardRange: Range<Int>
        /// The same bytes in the blob.
        package var blobOffset: Int
        package var stripe: Int
    }

    /// The runs that hold `range` of the blob, in the blob's order. `range` must lie within the blob.
    package func runs(of range: Range<Int>) -> [Run] {
        var result: [Run] = []
        var position = range.lowerBound
        while position < range.upperBound {
            let stripe = position / (dataCount * cellSize)
            let cell = cellSize(ofStripe: stripe)
            let within = position - stripe * dataCount * cellSize
            let shard = within / cell
            let offset = within % cell
            let length = min(cell - offset, range.upperBound - position)
            let start = stripe * cellSize + offset
            result.append(Run(shard: shard, shardRange: start..<start + length, blobOffset: position, stripe: stripe))
            position += length
        }
        return result
    }

    /// The bytes of a shard's body that belong to a stripe.
    package func shardRange(ofStripe stripe: Int) -> Range<Int> {
        let start = stripe * cellSize
        return start..<start + cellSize(ofStripe: stripe)
    }
}
