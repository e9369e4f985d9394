import CISAL

/// Multiplication tables of some matrix rows, in the form that ISA-L's kernels read: 32 bytes an element.
struct CodingTables: Sendable {
    let sourceCount: Int
    let rowCount: Int
    private let bytes: [UInt8]

    init(rows: [UInt8], sourceCount: Int) {
        self.sourceCount = sourceCount
        rowCount = rows.count / sourceCount
        var rows = rows
        var bytes = [UInt8](repeating: 0, count: 32 * rows.count)
        ec_init_tables(Int32(sourceCount), Int32(rowCount), &rows, &bytes)
        self.bytes = bytes
    }

    /// One pointer for each cell.
    typealias CellPointers = UnsafeMutableBufferPointer<UnsafeMutablePointer<UInt8>?>

    /// Bytes of every cell that are coded in one go. The kernels make at most six cells in one pass over their sources:
    /// with this size a second pass finds them in the cache still.
    private static let pieceSize = 32 << 10

    /// Makes `rowCount` cells of `cellLength` bytes from `sourceCount` ones, whose pointers `fill` sets (sources
    /// first).
    ///
    /// Reads the sources only, allocates nothing.
    func apply(cellLength: Int, fill: (CellPointers, CellPointers) -> Void) {
        guard cellLength > 0 else { return }
        typealias Pointer = UnsafeMutablePointer<UInt8>?
        withUnsafeTemporaryAllocation(of: Pointer.self, capacity: sourceCount + rowCount) { cells in
            cells.initialize(repeating: nil)
            let sources = CellPointers(rebasing: cells[..<sourceCount])
            let results = CellPointers(rebasing: cells[sourceCount...])
            fill(sources, results)
            precondition(cells.allSatisfy { $0 != nil }, "a pointer for each cell")
            var remaining = cellLength
            while remaining > 0 {
                let length = min(remaining, Self.pieceSize)
                compute(results, from: sources, length: length)
                for index in cells.indices { cells[index] = cells[index].map { $0 + length } }
                remaining -= length
            }
        }
    }

    private func compute(_ results: CellPointers, from sources: CellPointers, length: Int) {
        bytes.withUnsafeBufferPointer { tables in
            // The kernels take mutable pointers to tables and sources but only read them.
            ec_encode_data(
                Int32(length),
                Int32(sourceCount),
                Int32(rowCount),
                UnsafeMutablePointer(mutating: tables.baseAddress),
                sources.baseAddress,
                results.baseAddress
            )
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The start of a cell that is only read, in the type that the kernels ask for.
    var cellPointer: UnsafeMutablePointer<UInt8>? {
        baseAddress.map { UnsafeMutablePointer(mutating: $0.assumingMemoryBound(to: UInt8.self)) }
    }

    /// Whether both hold the same bytes; eight at a time.
    func hasSameBytes(as other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        var difference: UInt64 = 0
        let whole = count & ~7
        for offset in stride(from: 0, to: whole, by: 8) {
            difference |=
                loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                ^ other.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        }
        for offset in whole..<count { difference |= UInt64(self[offset] ^ other[offset]) }
        return difference == 0
    }
}

extension UnsafeMutableRawBufferPointer {
    /// The start of a cell.
    var cellPointer: UnsafeMutablePointer<UInt8>? { baseAddress?.assumingMemoryBound(to: UInt8.self) }
}
