/// Arithmetic modulo a CRC's generator polynomial over GF(2), in the reflected form that all CRCs of S3 use: bit i is
/// the coefficient of x^(width - 1 - i).
struct CRCPolynomial {
    /// The generator without its leading term.
    let bits: UInt64
    /// Bits of the CRC: 32 or 64.
    let width: Int

    static let crc32 = CRCPolynomial(bits: 0xEDB8_8320, width: 32)
    static let crc32c = CRCPolynomial(bits: 0x82F6_3B78, width: 32)
    static let crc64nvme = CRCPolynomial(bits: 0x9A6C_9329_AC4B_C9B5, width: 64)

    /// The CRC of A followed by B: A's is moved past B by multiplying it with x to the power of B's bits.
    ///
    /// Right for final values because the initial value and the final XOR are both all ones and cancel out. Costs a
    /// few microseconds, whatever the length.
    func combine(_ first: UInt64, _ second: UInt64, secondLength: Int) -> UInt64 {
        precondition(secondLength >= 0, "a length is never negative")
        return product(first, powerOfX(8, times: UInt64(secondLength))) ^ second
    }

    /// x^(`exponent` * `times`), by squaring.
    private func powerOfX(_ exponent: UInt64, times: UInt64) -> UInt64 {
        var result = one
        var square = one
        for _ in 0..<exponent { square = timesX(square) }
        var remaining = times
        while remaining > 0 {
            if remaining & 1 == 1 { result = product(result, square) }
            square = product(square, square)
            remaining >>= 1
        }
        return result
    }

    /// The polynomial 1.
    private var one: UInt64 { 1 << UInt64(width - 1) }

    private func timesX(_ value: UInt64) -> UInt64 {
        value & 1 == 1 ? value >> 1 ^ bits : value >> 1
    }

    private func product(_ left: UInt64, _ right: UInt64) -> UInt64 {
        var result: UInt64 = 0
        var shifted = right
        var mask = one
        while mask != 0 {
            if left & mask != 0 { result ^= shifted }
            shifted = timesX(shifted)
            mask >>= 1
        }
        return result
    }
}
