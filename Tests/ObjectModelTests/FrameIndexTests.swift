import ObjectModel
import Testing

@Suite("Frame index")
struct FrameIndexTests {
    private static let full = Frame(logicalLength: Limits.frameLength, storedLength: Limits.frameLength)

    @Test("plain full frames with a shorter last one need no index")
    func simplest() {
        let short = Frame(logicalLength: 10, storedLength: 10)
        let coded = Frame(logicalLength: Limits.frameLength, storedLength: 99, codec: .lz4)
        #expect(FrameIndex.simplest([]) == .uniform)
        #expect(FrameIndex.simplest([short]) == .uniform)
        #expect(FrameIndex.simplest([Self.full, Self.full, short]) == .uniform)
        #expect(FrameIndex.simplest([short, Self.full]) == .explicit([short, Self.full]))
        #expect(FrameIndex.simplest([coded]) == .explicit([coded]))
        #expect(FrameIndex.simplest([Self.full, coded]) == .explicit([Self.full, coded]))
        let sealed = Frame(logicalLength: 10, storedLength: 10, keySlot: 1)
        #expect(FrameIndex.simplest([sealed]) == .explicit([sealed]))
        let shuffled = Frame(logicalLength: 10, storedLength: 10, filter: .shuffle16)
        #expect(!shuffled.isPlain)
        #expect(FrameIndex.simplest([shuffled]) == .explicit([shuffled]))
    }

    @Test(
        "a uniform index says what its frames in full would",
        arguments: [
            0, 1, Limits.frameLength - 1, Limits.frameLength, Limits.frameLength + 1, 5 * Limits.frameLength + 7,
        ]
    )
    func uniform(length: Int) {
        var frames: [Frame] = []
        var left = length
        while left > 0 {
            let count = min(left, Limits.frameLength)
            frames.append(Frame(logicalLength: count, storedLength: count))
            left -= count
        }
        let explicit = FrameIndex.explicit(frames)
        #expect(FrameIndex.uniform.count(storedLength: length) == explicit.count(storedLength: length))
        for index in -1...frames.count {
            let (one, two) = (
                FrameIndex.uniform.frame(index, storedLength: length), explicit.frame(index, storedLength: length)
            )
            #expect(one?.frame == two?.frame)
            #expect(one?.storedOffset == two?.storedOffset)
        }
    }

    @Test("an explicit index adds up what is stored before a frame")
    func explicit() throws {
        let lengths = [5, 100, 1, 70]
        let index = FrameIndex.explicit(lengths.map { Frame(logicalLength: 200, storedLength: $0, codec: .lz4) })
        for (number, length) in lengths.enumerated() {
            let found = try #require(index.frame(number, storedLength: 176))
            #expect(found.frame.storedLength == length)
            #expect(found.storedOffset == lengths[..<number].reduce(0, +))
        }
        #expect(index.frame(4, storedLength: 176) == nil)
        #expect(index.frame(-1, storedLength: 176) == nil)
    }
}

@Suite("Schemes")
struct SchemeTests {
    @Test("names are read back, and what is none is refused")
    func names() {
        for k in 1...31 {
            for m in 1...31 {
                let scheme = Scheme(dataCount: k, parityCount: m)
                #expect((scheme != nil) == (k + m <= 32))
                guard let scheme else { continue }
                #expect(Scheme(name: scheme.name) == scheme)
                #expect(scheme.degradedQuorum <= scheme.writeQuorum)
                #expect(scheme.writeQuorum <= scheme.shardCount)
            }
        }
        for name in ["", "rs", "rs-4", "rs-4-2-1", "rs-0-2", "rs-4-0", "rs-31-2", "xx-4-2", "rs--2", "rs-4-x"] {
            #expect(Scheme(name: name) == nil)
        }
        #expect(Scheme(dataCount: 4, parityCount: 2, cellSize: Leaf.size + 1) == nil)
        #expect(Scheme(dataCount: 4, parityCount: 2, cellSize: 0) == nil)
    }

    @Test(
        "quorums of DESIGN §4: k + ⌈m/2⌉ and k + 1",
        arguments: [(4, 2, 5), (8, 4, 10), (8, 7, 12), (6, 6, 9), (2, 1, 3)]
    )
    func quorums(k: Int, m: Int, quorum: Int) throws {
        let scheme = try #require(Scheme(dataCount: k, parityCount: m))
        #expect(scheme.writeQuorum == quorum)
        #expect(scheme.degradedQuorum == k + 1)
    }
}
