import FrameCoding
import TestKit
import Testing

@Suite("Compressed texts")
struct CompressedTextTests {
    private static let text = Array(
        String(repeating: "{\"bucket\":\"archive\",\"key\":\"study/1.2.840\"},", count: 40).utf8
    )

    @Test("come back as they were, shorter in between")
    func roundTrip() throws {
        let block = try #require(CompressedText.encode(Self.text))
        #expect(block.count < Self.text.count / 4)
        #expect(try CompressedText.decode(block) == Self.text)
    }

    @Test("stay plain when short, or when nothing is saved")
    func plain() {
        #expect(CompressedText.encode(Array(Self.text.prefix(CompressedText.minimumLength - 1))) == nil)
        var generator = SplitMix64(seed: 1)
        #expect(CompressedText.encode(generator.bytes(4_000)) == nil)
    }

    @Test("never trap when damaged")
    func damage() throws {
        let block = try #require(CompressedText.encode(Self.text))
        for length in 0..<block.count {
            #expect(throws: FrameCodingError.self) { try CompressedText.decode(Array(block[..<length])) }
        }
        for place in block.indices {
            for bit in 0..<8 {
                var damaged = block
                damaged[place] ^= 1 << bit
                guard let text = try? CompressedText.decode(damaged) else { continue }
                #expect(text.count <= CompressedText.limit)
            }
        }
    }
}
