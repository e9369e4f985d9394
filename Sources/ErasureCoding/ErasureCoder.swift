import ObjectModel
import Synchronization

/// Encodes and reconstructs the stripes of one scheme over ISA-L. Safe to share: any number of threads may call it.
///
/// All calls are synchronous and work on the caller's memory; cells may have any length, the same for all cells of a
/// call. Nothing is allocated for a call but the decode tables of a pattern that was not seen lately.
package final class ErasureCoder: Sendable {
    package let scheme: Scheme
    private let matrix: CodingMatrix
    private let encodeTables: CodingTables
    private let decodeTables = Mutex<[DecodePattern: CodingTables]>([:])

    /// Decode tables kept, at most; when there are more, all are dropped and made again as needed (some microseconds
    /// each). A lost disk makes one pattern per shard index, a lost site a few more: 512 patterns of rs-8-7 are 1 MiB.
    package static let decodeTableLimit = 512

    /// Throws `unsupportedScheme` for a family or matrix that this version does not know.
    package init(scheme: Scheme) throws(ErasureCodingError) {
        self.scheme = scheme
        matrix = try CodingMatrix(scheme)
        encodeTables = CodingTables(rows: matrix.parityRows, sourceCount: scheme.dataCount)
    }

    /// Fills the m parity cells from the k data cells, all of one length.
    package func encode(data: [UnsafeRawBufferPointer], parity: [UnsafeMutableRawBufferPointer]) {
        precondition(data.count == scheme.dataCount && parity.count == scheme.parityCount, "one buffer for each cell")
        let count = data[0].count
        precondition(
            data.allSatisfy { $0.count == count } && parity.allSatisfy { $0.count == count },
            "cells of one length"
        )
        encodeTables.apply(cellLength: count) { sources, results in
            for index in sources.indices { sources[index] = data[index].cellPointer }
            for index in results.indices { results[index] = parity[index].cellPointer }
        }
    }

    /// Computes the `wanted` cells, data or parity, from any k of the `available` ones.
    ///
    /// Of more than k available cells those with the lowest indices are used: data before parity. The caller has
    /// verified them: what goes in wrong comes out wrong.
    package func reconstruct(
        available: [(index: Int, bytes: UnsafeRawBufferPointer)],
        wanted: [(index: Int, bytes: UnsafeMutableRawBufferPointer)]
    ) throws(ErasureCodingError) {
        guard let first = wanted.first else { return }
        let given = try mask(available.lazy.map(\.index))
        let missing = try mask(wanted.lazy.map(\.index))
        let count = first.bytes.count
        guard given.count >= scheme.dataCount else {
            throw .tooFewCells(available: given.count, needed: scheme.dataCount)
        }
        guard wanted.allSatisfy({ $0.bytes.count == count }), available.allSatisfy({ $0.bytes.count == count }) else {
            throw .unequalCells
        }
        let pattern = DecodePattern(available: given.lowest(scheme.dataCount), wanted: missing)
        try tables(for: pattern).apply(cellLength: count) { sources, results in
            for cell in available where pattern.available.contains(cell.index) {
                sources[pattern.available.rank(of: cell.index)] = cell.bytes.cellPointer
            }
            for cell in wanted { results[pattern.wanted.rank(of: cell.index)] = cell.bytes.cellPointer }
        }
    }

    /// Whether the parity of `cells` (all k+m, in the order of shards, of one length) is what its data gives.
    ///
    /// It does not say which cell is wrong; leaf checksums do.
    package func verify(_ cells: [UnsafeRawBufferPointer]) -> Bool {
        precondition(cells.count == scheme.shardCount, "one buffer for each cell")
        let count = cells[0].count
        guard cells.allSatisfy({ $0.count == count }) else { return false }
        let piece = Self.verifyPieceSize
        return withUnsafeTemporaryAllocation(byteCount: scheme.parityCount * piece, alignment: 64) { scratch in
            for offset in stride(from: 0, to: count, by: piece) {
                let range = offset..<min(offset + piece, count)
                guard verify(cells, range: range, scratch: scratch) else { return false }
            }
            return true
        }
    }

    /// Bytes of a cell that are verified in one go: their parity fits the first-level cache and the stack.
    private static let verifyPieceSize = 2 << 10

    private func verify(
        _ cells: [UnsafeRawBufferPointer],
        range: Range<Int>,
        scratch: UnsafeMutableRawBufferPointer
    ) -> Bool {
        func computed(_ row: Int) -> UnsafeMutableRawBufferPointer {
            let start = row * Self.verifyPieceSize
            return UnsafeMutableRawBufferPointer(rebasing: scratch[start..<start + range.count])
        }
        encodeTables.apply(cellLength: range.count) { sources, results in
            for index in sources.indices {
                sources[index] = UnsafeRawBufferPointer(rebasing: cells[index][range]).cellPointer
            }
            for row in results.indices { results[row] = computed(row).cellPointer }
        }
        return (0..<scheme.parityCount).allSatisfy { row in
            let stored = UnsafeRawBufferPointer(rebasing: cells[scheme.dataCount + row][range])
            return UnsafeRawBufferPointer(computed(row)).hasSameBytes(as: stored)
        }
    }

    // MARK: -

    private struct DecodePattern: Hashable {
        var available: ShardMask
        var wanted: ShardMask
    }

    private func mask(_ indices: some Sequence<Int>) throws(ErasureCodingError) -> ShardMask {
        var mask = ShardMask()
        for index in indices {
            guard 0..<scheme.shardCount ~= index else { throw .unknownShard(index) }
            guard mask.insert(index) else { throw .repeatedShard(index) }
        }
        return mask
    }

    private func tables(for pattern: DecodePattern) throws(ErasureCodingError) -> CodingTables {
        if let known = decodeTables.withLock({ $0[pattern] }) { return known }
        // Made outside the lock: two threads may make the same one, which does no harm.
        let rows = try matrix.rows(making: pattern.wanted, from: pattern.available)
        let made = CodingTables(rows: rows, sourceCount: scheme.dataCount)
        decodeTables.withLock { known in
            if known.count >= Self.decodeTableLimit { known.removeAll(keepingCapacity: true) }
            known[pattern] = made
        }
        return made
    }

    /// How many decode patterns are kept just now.
    package var cachedPatternCount: Int { decodeTables.withLock { $0.count } }
}
