import ObjectModel

/// Reed-Solomon over GF(2^8) written from the definition, without tables of the library: the oracle.
struct ReferenceCoder {
    let scheme: Scheme
    /// (k+m) × k.
    let matrix: [[UInt8]]

    init(_ scheme: Scheme) {
        self.scheme = scheme
        let k = scheme.dataCount
        matrix = (0..<scheme.shardCount).map { row in
            (0..<k).map { column in
                if row < k { return row == column ? 1 : 0 }
                return Field.inverse(UInt8(row ^ column))
            }
        }
    }

    /// All k+m cells of the stripe with these data cells.
    func stripe(_ data: [[UInt8]]) -> [[UInt8]] { matrix.map { Self.combination($0, of: data) } }

    /// The data cells from k known ones, by Gaussian elimination.
    func data(from known: [(index: Int, cell: [UInt8])]) -> [[UInt8]]? {
        let k = scheme.dataCount
        var rows = known.prefix(k).map { matrix[$0.index] }
        var cells = known.prefix(k).map(\.cell)
        guard rows.count == k else { return nil }
        for column in 0..<k {
            guard let pivot = (column..<k).first(where: { rows[$0][column] != 0 }) else { return nil }
            rows.swapAt(column, pivot)
            cells.swapAt(column, pivot)
            let scale = Field.inverse(rows[column][column])
            rows[column] = rows[column].map { Field.product($0, scale) }
            cells[column] = cells[column].map { Field.product($0, scale) }
            for row in 0..<k where row != column && rows[row][column] != 0 {
                let factor = rows[row][column]
                rows[row] = zip(rows[row], rows[column]).map { $0 ^ Field.product(factor, $1) }
                cells[row] = zip(cells[row], cells[column]).map { $0 ^ Field.product(factor, $1) }
            }
        }
        return cells
    }

    private static func combination(_ factors: [UInt8], of cells: [[UInt8]]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: cells[0].count)
        for (factor, cell) in zip(factors, cells) where factor != 0 {
            for index in result.indices { result[index] ^= Field.product(factor, cell[index]) }
        }
        return result
    }
}

/// GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11D).
enum Field {
    static func product(_ left: UInt8, _ right: UInt8) -> UInt8 { products[Int(left) << 8 | Int(right)] }

    static func inverse(_ value: UInt8) -> UInt8 {
        inverses[Int(value)]
    }

    private static let inverses: [UInt8] = (0..<256).map { value in
        UInt8((1...255).first { product(UInt8(value), UInt8($0)) == 1 } ?? 0)
    }

    /// All products, each by shifting and reducing.
    private static let products: [UInt8] = (0..<65_536).map { pair in
        var (left, right, result) = (pair >> 8, pair & 255, 0)
        while right > 0 {
            if right & 1 == 1 { result ^= left }
            left <<= 1
            if left & 0x100 != 0 { left ^= 0x11D }
            right >>= 1
        }
        return UInt8(result)
    }
}

/// Fills memory with bytes without a pattern, the same for the same seed.
func fillNoise(_ memory: UnsafeMutableRawBufferPointer, seed: UInt64) {
    var state = seed
    var offset = 0
    while offset < memory.count {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let count = min(4, memory.count - offset)
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: state >> 32)) { word in
            for index in 0..<count { memory[offset + index] = word[index] }
        }
        offset += count
    }
}
