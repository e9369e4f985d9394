import CISAL
import ObjectModel

/// The (k+m) × k generator matrix of a scheme over GF(2^8) and what is solved from it.
///
/// The upper k rows are the identity (data cells are stored as they are); row i ≥ k has 1 / (i XOR j) in column j.
/// Every square part of such a Cauchy matrix is invertible, so any k rows determine the data.
struct CodingMatrix: Sendable {
    let dataCount: Int
    let shardCount: Int
    /// Row by row.
    private let elements: [UInt8]

    init(_ scheme: Scheme) throws(ErasureCodingError) {
        guard scheme.family == .reedSolomon, scheme.matrix == .cauchy1, scheme.localGroups == 0 else {
            throw .unsupportedScheme(scheme.name)
        }
        let (k, n) = (scheme.dataCount, scheme.shardCount)
        guard k >= 1, n > k, n <= Scheme.maximumShardCount else { throw .unsupportedScheme(scheme.name) }
        dataCount = k
        shardCount = n
        var elements = [UInt8](repeating: 0, count: n * k)
        gf_gen_cauchy1_matrix(&elements, Int32(n), Int32(k))
        self.elements = elements
    }

    func row(_ shard: Int) -> ArraySlice<UInt8> {
        elements[shard * dataCount..<(shard + 1) * dataCount]
    }

    /// The rows that make parity from data.
    var parityRows: [UInt8] { Array(elements[(dataCount * dataCount)...]) }

    /// The rows that make the `wanted` cells from the `available` ones (k of them), both in the order of shards.
    func rows(making wanted: ShardMask, from available: ShardMask) throws(ErasureCodingError) -> [UInt8] {
        let k = dataCount
        var chosen: [UInt8] = []
        for shard in available { chosen.append(contentsOf: row(shard)) }
        precondition(chosen.count == k * k, "k cells determine a stripe")
        var inverse = [UInt8](repeating: 0, count: k * k)
        guard gf_invert_matrix(&chosen, &inverse, Int32(k)) == 0 else { throw .singularMatrix }
        var result: [UInt8] = []
        for shard in wanted {
            guard shard >= k else {
                result.append(contentsOf: inverse[shard * k..<(shard + 1) * k])
                continue
            }
            let row = row(shard)
            for column in 0..<k {
                var sum: UInt8 = 0
                for source in 0..<k { sum ^= gf_mul(row[row.startIndex + source], inverse[source * k + column]) }
                result.append(sum)
            }
        }
        return result
    }
}
