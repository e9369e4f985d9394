import LoadGenerator
import Testing

@Suite("The content of objects")
struct ContentPatternTests {
    private func bytes(_ pattern: ContentPattern, _ range: Range<Int>) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        bytes.withUnsafeMutableBytes { pattern.fill($0, at: range.lowerBound) }
        return bytes
    }

    @Test("any range is the same bytes, filled at once or read one by one", arguments: [false, true])
    func ranges(isCompressible: Bool) {
        let pattern = ContentPattern(key: "a/b".utf8, isCompressible: isCompressible)
        let whole = (0..<20_000).map { pattern.byte(at: $0) }
        for start in [0, 1, 7, 8, 2_047, 2_048, 4_095, 4_096, 9_999] {
            for length in [0, 1, 3, 8, 9, 2_049, 4_096, 10_001] where start + length <= whole.count {
                #expect(bytes(pattern, start..<start + length) == Array(whole[start..<start + length]))
            }
        }
    }

    @Test("every wrong byte is found, at its place")
    func difference() {
        let pattern = ContentPattern(key: "key".utf8, isCompressible: false)
        for start in [0, 5, 4_090] {
            var data = bytes(pattern, start..<start + 5_003)
            #expect(data.withUnsafeBytes { pattern.firstDifference(in: $0, at: start) } == nil)
            for wrong in [0, 1, 8, 2_500, 4_999, 5_002] {
                data[wrong] ^= 0x40
                #expect(data.withUnsafeBytes { pattern.firstDifference(in: $0, at: start) } == start + wrong)
                data[wrong] ^= 0x40
            }
        }
    }

    @Test("bytes of another object, block or offset are told apart")
    func misplaced() {
        let first = ContentPattern(key: "bench/00000001".utf8, isCompressible: false)
        let second = ContentPattern(key: "bench/00000002".utf8, isCompressible: false)
        let data = bytes(first, 0..<8_192)
        #expect(data.withUnsafeBytes { second.firstDifference(in: $0, at: 0) } != nil)
        for shift in [8, 4_096, 65_536, 1 << 20] {
            #expect(data.withUnsafeBytes { first.firstDifference(in: $0, at: shift) } != nil)
        }
    }
}
