/// How blobs are erasure-coded and spread: code family, k, m, local groups, matrix, cell size (DESIGN §2, §13).
///
/// Written in full into every shard record, never only by name, so that a shard explains itself for ever.
package struct Scheme: Hashable, Sendable, CustomStringConvertible {
    /// The code family; the number is the one on disk.
    package enum Family: UInt8, Sendable {
        /// Systematic Reed-Solomon over GF(2^8) with polynomial 0x11D.
        case reedSolomon = 1
    }

    /// How the parity rows are made; the number is the one on disk.
    package enum Matrix: UInt8, Sendable {
        /// `gf_gen_cauchy1_matrix` of ISA-L: row i, column j of parity is 1 / (i XOR j), i in k ..< k+m.
        case cauchy1 = 1
    }

    package var family: Family
    /// k: data cells of a stripe, 1 ... 31.
    package var dataCount: Int
    /// m: parity cells of a stripe, 1 ... 31; k + m is at most 32.
    package var parityCount: Int
    /// Local parity groups; 0 in plain Reed-Solomon, the only family so far.
    package var localGroups: Int
    package var matrix: Matrix
    /// Bytes of a cell of a full stripe.
    package var cellSize: Int

    /// k + m.
    package var shardCount: Int { dataCount + parityCount }

    /// The most shards a scheme may have.
    package static let maximumShardCount = 32
    /// Cells of a full stripe (DESIGN §4): 1 MiB.
    package static let defaultCellSize = 1 << 20

    /// A plain Reed-Solomon scheme; nil unless k ≥ 1, m ≥ 1 and k + m ≤ 32.
    package init?(dataCount: Int, parityCount: Int, cellSize: Int = Scheme.defaultCellSize) {
        guard dataCount >= 1, parityCount >= 1, dataCount + parityCount <= Scheme.maximumShardCount,
            cellSize >= Leaf.size, cellSize % Leaf.size == 0
        else { return nil }
        family = .reedSolomon
        self.dataCount = dataCount
        self.parityCount = parityCount
        localGroups = 0
        matrix = .cauchy1
        self.cellSize = cellSize
    }

    /// Reads a name such as `rs-4-2`; nil when it is none that Cairn knows.
    package init?(name: some StringProtocol) {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "rs", let data = Int(parts[1]), let parity = Int(parts[2]) else {
            return nil
        }
        self.init(dataCount: data, parityCount: parity)
    }

    /// `rs-K-M`.
    package var name: String { "rs-\(dataCount)-\(parityCount)" }
    package var description: String { name }

    /// W: shards that must be durable before a full acknowledgement, k + ⌈m/2⌉ (DESIGN §4).
    package var writeQuorum: Int { dataCount + (parityCount + 1) / 2 }
    /// The fewest shards a degraded write may be acknowledged with, k + 1.
    package var degradedQuorum: Int { dataCount + 1 }
}

/// The unit of checksum: 64 KiB of a shard.
package enum Leaf {
    /// Bytes of a leaf; the last one of a shard may be shorter.
    package static let size = 64 << 10

    /// Leaves of a shard body of `length` bytes.
    package static func count(of length: Int) -> Int { (length + size - 1) / size }

    /// The parts of a range of a shard body, each within one leaf.
    package static func parts(of range: Range<Int>) -> [Range<Int>] {
        stride(from: range.lowerBound / size * size, to: range.upperBound, by: size).map { start in
            max(start, range.lowerBound)..<min(start + size, range.upperBound)
        }
    }
}
