import Checksums
import Testing

/// A CRC one bit at a time, written from the definition: what the fast ones are compared with.
func bitwiseCRC(_ bytes: some Sequence<UInt8>, polynomial: UInt64, width: Int) -> UInt64 {
    let ones: UInt64 = width == 64 ? .max : 1 << UInt64(width) - 1
    var register = ones
    for byte in bytes {
        register ^= UInt64(byte)
        for _ in 0..<8 { register = register & 1 == 1 ? register >> 1 ^ polynomial : register >> 1 }
    }
    return register ^ ones
}

/// Bytes without a pattern, the same for the same seed.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}

let checkInput = Array("123456789".utf8)

@Suite("CRC-32C")
struct CRC32CTests {
    /// RFC 3720 §B.4.
    @Test(
        "gives the known answers of RFC 3720",
        arguments: [
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            (Array(0..<32), 0x46DD_794E),
            (Array((0..<32).reversed()), 0x113F_DB5C),
            (
                [
                    0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14,
                    0, 0,
                    0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
                ], 0xD996_3A56
            ),
        ] as [([UInt8], UInt32)]
    )
    func knownAnswers(bytes: [UInt8], expected: UInt32) {
        #expect(CRC32C.checksum(bytes) == expected)
    }

    @Test("agrees with the bitwise definition at every length and alignment")
    func matchesDefinition() {
        let bytes = noise(700)
        for start in 0..<9 {
            for end in stride(from: start, through: bytes.count, by: 13) {
                let expected = UInt32(bitwiseCRC(bytes[start..<end], polynomial: 0x82F6_3B78, width: 32))
                #expect(bytes.withUnsafeBytes { CRC32C.checksum(.init(rebasing: $0[start..<end])) } == expected)
            }
        }
    }

    @Test("continues and combines to the CRC of the whole")
    func pieces() {
        let bytes = noise(3_000)
        let whole = CRC32C.checksum(bytes)
        for cut in [0, 1, 7, 64, 1_024, 2_999, 3_000] {
            let first = CRC32C.checksum(Array(bytes[..<cut]))
            let second = CRC32C.checksum(Array(bytes[cut...]))
            #expect(CRC32C.checksum(Array(bytes[cut...]), continuing: first) == whole)
            #expect(CRC32C.combine(first, second, secondLength: bytes.count - cut) == whole)
        }
    }
}

@Suite("CRC-64/NVME")
struct CRC64NVMETests {
    @Test("gives the known answer")
    func knownAnswer() {
        #expect(checkInput.withUnsafeBytes { CRC64NVME.checksum($0) } == 0xAE8B_1486_0A79_9888)
    }

    @Test("agrees with the bitwise definition at every length to 600 and at every alignment")
    func matchesDefinition() {
        let bytes = noise(620)
        for start in 0..<17 {
            for end in stride(from: start, through: 600 + start, by: start == 0 ? 1 : 31) {
                let expected = bitwiseCRC(bytes[start..<end], polynomial: 0x9A6C_9329_AC4B_C9B5, width: 64)
                #expect(bytes.withUnsafeBytes { CRC64NVME.checksum(.init(rebasing: $0[start..<end])) } == expected)
                let portable = bytes[start..<end].withUnsafeBytes { CRC64NVME.portableChecksum($0) }
                #expect(portable == expected)
            }
        }
    }

    @Test("continues and combines to the CRC of the whole")
    func pieces() {
        let bytes = noise(5_000)
        let whole = bytes.withUnsafeBytes { CRC64NVME.checksum($0) }
        for cut in [0, 1, 100, 128, 129, 2_500, 4_999, 5_000] {
            let first = bytes[..<cut].withUnsafeBytes { CRC64NVME.checksum($0) }
            let second = bytes[cut...].withUnsafeBytes { CRC64NVME.checksum($0) }
            #expect(bytes[cut...].withUnsafeBytes { CRC64NVME.checksum($0, continuing: first) } == whole)
            #expect(CRC64NVME.combine(first, second, secondLength: bytes.count - cut) == whole)
        }
    }
}

@Suite("CRC-32")
struct CRC32Tests {
    @Test("gives the known answer and agrees with the definition")
    func knownAnswer() {
        #expect(checkInput.withUnsafeBytes { CRC32.checksum($0) } == 0xCBF4_3926)
        let bytes = noise(1_000)
        let expected = UInt32(bitwiseCRC(bytes, polynomial: 0xEDB8_8320, width: 32))
        #expect(bytes.withUnsafeBytes { CRC32.checksum($0) } == expected)
    }

    @Test("combines over a length of terabytes as over as many zero bytes added step by step")
    func longCombination() {
        // Doubling: the CRC of 2n zeros from that of n zeros, up to 2^42 bytes.
        var crc = [UInt8](repeating: 0, count: 1).withUnsafeBytes { CRC32.checksum($0) }
        var length = 1
        let byHand = [UInt8](repeating: 0, count: 1 << 16).withUnsafeBytes { CRC32.checksum($0) }
        while length < 1 << 42 {
            crc = CRC32.combine(crc, crc, secondLength: length)
            length *= 2
            if length == 1 << 16 { #expect(crc == byHand) }
        }
        let half = CRC32.combine(crc, crc, secondLength: length)
        #expect(CRC32.combine(half, 0, secondLength: 0) == half)
    }
}
