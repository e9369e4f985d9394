import FrameCoding
import Glibc
import ObjectModel
import Testing

/// `CAIRN_MEASURE=1 swift test -c release --filter FrameCodingSpeed` prints gigabytes of logical bytes per second of
/// one core, and what is left of them.
@Suite("Speed", .enabled(if: getenv("CAIRN_MEASURE") != nil), .serialized)
struct FrameCodingSpeedTests {
    @Test("of coding and decoding whole frames", arguments: FrameKind.allCases)
    func frames(kind: FrameKind) throws {
        let encoder = FrameEncoder()
        let decoder = FrameDecoder()
        let bytes = kind.bytes(Limits.frameLength)
        var stored = [UInt8](repeating: 0, count: bytes.count)
        var decoded = stored
        let clock = ContinuousClock()
        func gigabytesPerSecond(_ body: () throws -> Void) rethrows -> Double {
            let best = try (0..<50).map { _ in try clock.measure(body) / .seconds(1) }.min() ?? .infinity
            return (Double(bytes.count) / best / 1e8).rounded() / 10
        }
        let frame = try #require(Self.encode(bytes, into: &stored, encoder))
        let encode = gigabytesPerSecond {
            bytes.withUnsafeBytes { input in
                stored.withUnsafeMutableBytes { _ = encoder.compress(input, into: $0) }
            }
        }
        _ = Self.encode(bytes, into: &stored, encoder)
        let decode = try gigabytesPerSecond {
            try stored.withUnsafeBytes { input in
                try decoded.withUnsafeMutableBytes {
                    try decoder.decode(
                        UnsafeRawBufferPointer(rebasing: input[..<frame.storedLength]),
                        as: frame,
                        into: $0
                    )
                }
            }
        }
        #expect(decoded == bytes)
        print("\(kind): \(frame.storedLength * 100 / bytes.count) %, encode \(encode), decode \(decode) GB/s")
    }

    private static func encode(_ bytes: [UInt8], into stored: inout [UInt8], _ encoder: FrameEncoder) -> Frame? {
        bytes.withUnsafeBytes { input in stored.withUnsafeMutableBytes { encoder.encode(input, into: $0) } }
    }
}
