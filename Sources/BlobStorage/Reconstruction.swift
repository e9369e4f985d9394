internal import ObjectModel
internal import SystemInterface

/// What is to be computed of a blob's shards, and from what.
struct Reconstruction: Sendable {
    let location: BlobLocation
    /// Of the shards' bodies, within one stripe: the answer covers it.
    let range: Range<Int>
    /// Of which shards, and what of the range is wanted of each; the answer is undefined where nothing is.
    let wanted: [Int: Range<Int>]
    /// Pieces read already; those that cover the range are used again.
    var given: [BlobStore.VerifiedRange] = []
    /// Shards that are asked last: nil for the wanted ones.
    var tried: Set<Int>?
    /// Shards noted as missing to be asked when all others are too few. Whoever names them must prove the blob, or that
    /// they belong to it (`remains(of:)`).
    var remains: [Int] = []

    /// What of `given` covers the range, cut to it.
    var available: [Int: BufferSlice] {
        var available: [Int: BufferSlice] = [:]
        for piece in given
        where piece.range.lowerBound <= range.lowerBound && piece.range.upperBound >= range.upperBound {
            let start = range.lowerBound - piece.range.lowerBound
            available[piece.shard] = piece.bytes.slice(start..<start + range.count)
        }
        return available
    }

    /// The same for a part of the range; nil when nothing is wanted of it.
    func narrowed(to part: Range<Int>) -> Reconstruction? {
        let wanted = wanted.filter { $0.value.overlaps(part) }
        guard !wanted.isEmpty else { return nil }
        return Reconstruction(
            location: location,
            range: part,
            wanted: wanted,
            given: given,
            tried: tried,
            remains: remains
        )
    }
}
