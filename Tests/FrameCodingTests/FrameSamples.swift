/// Bytes without a pattern, the same for the same seed.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}

/// Little-endian 16-bit samples.
private func samples(_ count: Int, _ value: (Int) -> UInt16) -> [UInt8] {
    (0..<count / 2).flatMap { [UInt8(truncatingIfNeeded: value($0)), UInt8(value($0) >> 8)] }
}

/// What frames are made of.
enum FrameKind: CaseIterable {
    case zeros, noise, text, ramp16, ct16, halfNoise

    func bytes(_ count: Int) -> [UInt8] {
        switch self {
        case .zeros: [UInt8](repeating: 0, count: count)
        case .noise: FrameCodingTests.noise(count)
        case .text: Self.text(count)
        case .ramp16: samples(count + 2) { UInt16(truncatingIfNeeded: $0) }.prefix(count).map(\.self)
        // A slow gradient with eight bits of noise on it: LZ4 alone finds nothing.
        case .ct16:
            Self.slice(count)
        case .halfNoise: FrameCodingTests.noise(count / 2) + [UInt8](repeating: 7, count: count - count / 2)
        }
    }
    private static func text(_ count: Int) -> [UInt8] {
        let line = Array("Modality=CT; SliceThickness=0.625; ".utf8)
        return (0..<count).map { index -> UInt8 in line[index % line.count] ^ UInt8(index / 4_000 % 7) }
    }

    private static func slice(_ count: Int) -> [UInt8] {
        let grain = FrameCodingTests.noise(count / 2 + 1, seed: 3)
        let values = samples(count + 2) { index -> UInt16 in
            let slope = UInt16(index / 2_000) * 256
            return 1_024 + slope + UInt16(grain[min(index, grain.count - 1)])
        }
        return Array(values.prefix(count))
    }
}
