import ObjectModel

extension ErasureCoder {
    /// Proves, before anything is written or decoded, that the library computes what the format demands on this very
    /// machine: the parity of known data for several schemes, and back from what is left of it.
    ///
    /// About a millisecond. Throws `selfTestFailed` with the scheme that came out wrong.
    package static func selfTest() throws(ErasureCodingError) {
        for known in SelfTest.known { try known.run() }
    }
}

/// One scheme, and the digest of the parity that its known data must give.
///
/// The digests were made by another implementation of the same arithmetic, from tables of single products.
private struct SelfTest {
    let dataCount: Int
    let parityCount: Int
    let parityDigest: UInt64

    static let known = [
        SelfTest(dataCount: 1, parityCount: 1, parityDigest: 0x7E65_905A_EED3_D265),
        SelfTest(dataCount: 2, parityCount: 1, parityDigest: 0xE728_373D_4B97_3F83),
        SelfTest(dataCount: 4, parityCount: 2, parityDigest: 0x35D0_31D9_9236_2577),
        SelfTest(dataCount: 8, parityCount: 4, parityDigest: 0xFC62_0497_E6FC_BF0A),
        SelfTest(dataCount: 8, parityCount: 7, parityDigest: 0x33AD_2593_CC65_25AD),
        SelfTest(dataCount: 6, parityCount: 6, parityDigest: 0x0994_0B28_DEDF_983B),
        SelfTest(dataCount: 12, parityCount: 4, parityDigest: 0xAE28_0C1E_4B10_544B),
        SelfTest(dataCount: 16, parityCount: 16, parityDigest: 0x5C73_BA9B_C61E_F70C),
    ]

    /// Long enough for the widest kernels, and odd, so that their tails run too.
    private static let cellLength = 1_013

    func run() throws(ErasureCodingError) {
        guard let scheme = Scheme(dataCount: dataCount, parityCount: parityCount) else {
            throw .selfTestFailed(scheme: "rs-\(dataCount)-\(parityCount)")
        }
        let coder = try ErasureCoder(scheme: scheme)
        var stripe = Stripe(cellLength: Self.cellLength, cellCount: scheme.shardCount)
        stripe.fill(cells: dataCount, seed: UInt64(dataCount * 100 + parityCount))
        stripe.encode(with: coder)
        guard stripe.digest(cells: dataCount..<scheme.shardCount) == parityDigest else {
            throw .selfTestFailed(scheme: scheme.name)
        }
        let lost = min(dataCount, parityCount)
        let patterns = [0..<lost, scheme.shardCount - parityCount..<scheme.shardCount, dataCount - 1..<dataCount]
        for pattern in patterns {
            guard try stripe.survives(losing: pattern, coder: coder) else {
                throw .selfTestFailed(scheme: scheme.name)
            }
        }
    }
}

/// The cells of one stripe in a row.
private struct Stripe {
    let cellLength: Int
    var bytes: [UInt8]

    init(cellLength: Int, cellCount: Int) {
        self.cellLength = cellLength
        bytes = [UInt8](repeating: 0, count: cellLength * cellCount)
    }

    private func range(_ cell: Int) -> Range<Int> { cell * cellLength..<(cell + 1) * cellLength }

    /// Fills the first cells from a linear congruential generator (Knuth's MMIX constants).
    mutating func fill(cells: Int, seed: UInt64) {
        var state = seed
        for index in 0..<cells * cellLength {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bytes[index] = UInt8(truncatingIfNeeded: state >> 56)
        }
    }

    mutating func encode(with coder: ErasureCoder) {
        let k = coder.scheme.dataCount
        let ranges = (0..<coder.scheme.shardCount).map(range)
        bytes.withUnsafeMutableBytes { all in
            coder.encode(
                data: ranges[..<k].map { UnsafeRawBufferPointer(rebasing: all[$0]) },
                parity: ranges[k...].map { UnsafeMutableRawBufferPointer(rebasing: all[$0]) }
            )
        }
    }

    /// FNV-1a, 64 bits.
    func digest(cells: Range<Int>) -> UInt64 {
        bytes[cells.lowerBound * cellLength..<cells.upperBound * cellLength].reduce(0xCBF2_9CE4_8422_2325) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01B3
        }
    }

    /// Whether the cells of `lost` come back as they are from the others.
    func survives(losing lost: Range<Int>, coder: ErasureCoder) throws(ErasureCodingError) -> Bool {
        var made = Stripe(cellLength: cellLength, cellCount: lost.count)
        let left = (0..<coder.scheme.shardCount).filter { !lost.contains($0) }
        let result = bytes.withUnsafeBytes { all in
            made.bytes.withUnsafeMutableBytes { new in
                Result { () throws(ErasureCodingError) in
                    try coder.reconstruct(
                        available: left.map { ($0, UnsafeRawBufferPointer(rebasing: all[range($0)])) },
                        wanted: lost.map {
                            ($0, UnsafeMutableRawBufferPointer(rebasing: new[range($0 - lost.lowerBound)]))
                        }
                    )
                }
            }
        }
        try result.get()
        return made.bytes.elementsEqual(bytes[range(lost.lowerBound).lowerBound..<range(lost.upperBound).lowerBound])
    }
}
