import FrameCoding
import ObjectModel
import Testing

private let encoder = FrameEncoder()
private let decoder = FrameDecoder()

private func encode(_ bytes: [UInt8]) -> (frame: Frame, stored: [UInt8]) {
    var output = [UInt8](repeating: 0xEE, count: bytes.count)
    let frame = bytes.withUnsafeBytes { input in
        output.withUnsafeMutableBytes { encoder.encode(input, into: $0) }
    }
    return (frame, Array(output[..<frame.storedLength]))
}

private func decode(_ stored: [UInt8], as frame: Frame, room: Int? = nil) throws -> [UInt8] {
    var output = [UInt8](repeating: 0xEE, count: room ?? frame.logicalLength)
    try stored.withUnsafeBytes { input in
        try output.withUnsafeMutableBytes { try decoder.decode(input, as: frame, into: $0) }
    }
    return output
}

@Suite("Frames")
struct FrameRoundTripTests {
    @Test(
        "come back as they were, and never take more than they are long",
        arguments: FrameKind.allCases,
        [
            0, 1, 2, 511, 512, 513, 8_191, 8_192, 8_193, 65_537, Limits.frameLength - 1, Limits.frameLength,
        ]
    )
    func roundTrips(kind: FrameKind, count: Int) throws {
        let bytes = kind.bytes(count)
        try #require(bytes.count == count)
        let (frame, stored) = encode(bytes)
        #expect(frame.logicalLength == count)
        #expect(frame.storedLength <= count)
        #expect(frame.keySlot == 0)
        #expect(frame.isPlain == (frame.storedLength == count))
        #expect(try decode(stored, as: frame) == bytes)
    }

    @Test("stay plain when they are noise, and when they are short")
    func plain() {
        #expect(encode(FrameKind.noise.bytes(Limits.frameLength)).frame.isPlain)
        #expect(encode(FrameKind.noise.bytes(Limits.frameLength)).stored == FrameKind.noise.bytes(Limits.frameLength))
        #expect(encode(FrameKind.zeros.bytes(FrameEncoder.minimumLength - 1)).frame.isPlain)
        #expect(!encode(FrameKind.zeros.bytes(FrameEncoder.minimumLength)).frame.isPlain)
        let bytes = FrameKind.noise.bytes(10_000)
        var output = [UInt8](repeating: 0, count: bytes.count)
        #expect(
            bytes.withUnsafeBytes { input in output.withUnsafeMutableBytes { encoder.compress(input, into: $0) } }
                == nil
        )
    }

    @Test("are shuffled when they hold 16-bit samples, and only then")
    func filters() {
        let ramp = encode(FrameKind.ramp16.bytes(Limits.frameLength)).frame
        #expect(ramp.filter == .shuffle16 && ramp.codec == .lz4)
        #expect(ramp.storedLength < Limits.frameLength / 20)
        let slice = encode(FrameKind.ct16.bytes(Limits.frameLength)).frame
        #expect(slice.filter == .shuffle16 && slice.codec == .lz4)
        #expect(slice.storedLength < Limits.frameLength * 11 / 20)
        let text = encode(FrameKind.text.bytes(Limits.frameLength)).frame
        #expect(text.filter == .none && text.codec == .lz4)
    }

    @Test("are compressed only when that saves an eighth")
    func threshold() {
        let sliceLength = Limits.frameLength / 64
        let grain = noise(Limits.frameLength)
        for percent in [0, 8, 10, 16, 24, 40] {
            let zeros = [UInt8](repeating: 0, count: sliceLength * percent / 100)
            let slices = (0..<64).flatMap { slice in
                grain[(slice * sliceLength)...].prefix(sliceLength - zeros.count) + zeros
            }
            let frame = encode(slices).frame
            if percent <= 10 { #expect(frame.isPlain) }
            if percent >= 16 { #expect(frame.codec == .lz4) }
            #expect(frame.isPlain || frame.storedLength <= slices.count - slices.count / 8)
        }
    }

    @Test("are coded by many tasks at once")
    func concurrency() async {
        await withTaskGroup(of: Bool.self) { group in
            for worker in 0..<24 {
                group.addTask {
                    let kind = FrameKind.allCases[worker % FrameKind.allCases.count]
                    let bytes = kind.bytes(20_000 + worker)
                    return (0..<20).allSatisfy { _ in
                        let (frame, stored) = encode(bytes)
                        return (try? decode(stored, as: frame)) == bytes
                    }
                }
            }
            for await isRight in group { #expect(isRight) }
        }
    }
}

@Suite("Damaged frames")
struct DamagedFrameTests {
    @Test("give an error or other bytes, never a trap", arguments: [FrameKind.text, .ct16, .zeros])
    func flips(kind: FrameKind) throws {
        let bytes = kind.bytes(4_096)
        let (frame, stored) = encode(bytes)
        try #require(!frame.isPlain)
        var errors = 0
        for position in stored.indices {
            for mask in [0x01, 0x80, 0xFF] as [UInt8] {
                var damaged = stored
                damaged[position] ^= mask
                do {
                    #expect(try decode(damaged, as: frame).count == bytes.count)
                } catch is FrameCodingError {
                    errors += 1
                }
            }
        }
        #expect(errors > 0)
    }

    @Test("are refused when cut short or followed by more")
    func wrongLengths() throws {
        let bytes = FrameKind.text.bytes(4_096)
        let (frame, stored) = encode(bytes)
        for count in 0..<stored.count {
            var cut = frame
            cut.storedLength = count
            #expect(throws: FrameCodingError.corrupt) { try decode(Array(stored[..<count]), as: cut) }
        }
        #expect(throws: FrameCodingError.lengthMismatch(expected: stored.count, actual: stored.count + 1)) {
            try decode(stored + [0], as: frame)
        }
        #expect(throws: FrameCodingError.lengthMismatch(expected: 4_096, actual: 4_095)) {
            try decode(stored, as: frame, room: 4_095)
        }
        for logical in [1, 4_095, 4_097, 10_000] {
            var wrong = frame
            wrong.logicalLength = logical
            #expect(throws: FrameCodingError.corrupt) { try decode(stored, as: wrong) }
        }
    }

    @Test("are refused when the index names what no frame can be")
    func impossibleIndex() {
        let tooLong = Frame(logicalLength: Limits.frameLength + 1, storedLength: 10, codec: .lz4)
        #expect(throws: FrameCodingError.impossibleLength(Limits.frameLength + 1)) {
            try decode([UInt8](repeating: 0, count: 10), as: tooLong)
        }
        let negative = Frame(logicalLength: -1, storedLength: 0)
        #expect(throws: FrameCodingError.impossibleLength(-1)) { try decode([], as: negative, room: 0) }
        let unequal = Frame(logicalLength: 5, storedLength: 4)
        #expect(throws: FrameCodingError.lengthMismatch(expected: 5, actual: 4)) {
            try decode([1, 2, 3, 4], as: unequal)
        }
    }

    @Test("a filter without compression, and bytes whose encryption was undone, are decoded too")
    func otherForms() throws {
        let shuffled = Frame(logicalLength: 5, storedLength: 5, filter: .shuffle16)
        #expect(try decode([1, 3, 5, 2, 4], as: shuffled) == [1, 2, 3, 4, 5])
        let unsealed = Frame(logicalLength: 3, storedLength: 19, keySlot: 1)
        #expect(try decode([7, 8, 9], as: unsealed) == [7, 8, 9])
    }
}
