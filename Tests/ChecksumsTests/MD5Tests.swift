import Checksums
import Synchronization
import Testing

private func digest(_ bytes: [UInt8], cutAt cuts: [Int] = []) -> [UInt8] {
    var state = MD5State()
    bytes.withUnsafeBytes { all in
        var start = 0
        for end in cuts + [all.count] {
            state.update(UnsafeRawBufferPointer(rebasing: all[start..<end]))
            start = end
        }
    }
    return state.finalize()
}

@Suite("MD5 state")
struct MD5StateTests {
    @Test("agrees with OpenSSL at every length to 260")
    func everyLength() {
        for length in 0...260 {
            let bytes = noise(length, seed: UInt64(length))
            #expect(digest(bytes) == MessageDigest.md5.digest(bytes), "\(length) bytes")
        }
    }

    @Test("gives the same for every cut into two or three pieces")
    func pieces() {
        let bytes = noise(200)
        let expected = MessageDigest.md5.digest(bytes)
        for first in 0...200 {
            #expect(digest(bytes, cutAt: [first]) == expected)
            for second in stride(from: first, through: 200, by: 17) {
                #expect(digest(bytes, cutAt: [first, second]) == expected)
            }
        }
    }

    @Test("can be finalized and go on, and copied")
    func continuing() {
        var state = MD5State()
        checkInput[..<4].withUnsafeBytes { state.update($0) }
        let early = state
        #expect(state.finalize() == MessageDigest.md5.digest(Array(checkInput[..<4])))
        checkInput[4...].withUnsafeBytes { state.update($0) }
        #expect(state.finalize() == MessageDigest.md5.digest(checkInput))
        #expect(early.finalize() == MessageDigest.md5.digest(Array(checkInput[..<4])))
    }
}

@Suite("MD5 lanes")
struct MD5LanesTests {
    /// The words of a state after whole blocks, by the scalar kernel, which `MD5StateTests` hold against OpenSSL.
    private func expected(_ bytes: [UInt8], from words: SIMD4<UInt32>) -> SIMD4<UInt32> {
        bytes.withUnsafeBytes { all in
            guard let start = all.baseAddress else { return words }
            var lane = [MD5Lane(words: words, cursor: start, blocks: all.count / 64)]
            lane.withUnsafeMutableBufferPointer { MD5Lanes.advance($0, blocks: all.count / 64, kernel: 0) }
            return lane[0].words
        }
    }

    @Test("each kernel gives what the scalar one does, for all lane counts, block counts and alignments")
    func kernels() throws {
        let bytes = noise(64 * 40)
        for kernel in MD5Lanes.kernels {
            for count in 1...kernel.width {
                for blocks in [0, 1, 2, 3, 5] {
                    try check(kernel: kernel.number, lanes: count, blocks: blocks, bytes: bytes)
                }
            }
        }
    }

    @Test("the fastest way is right for every number of lanes")
    func allCounts() throws {
        let bytes = noise(64 * 40)
        for count in 1...MD5Lanes.maximum { try check(kernel: nil, lanes: count, blocks: 4, bytes: bytes) }
    }

    private func check(kernel: Int?, lanes count: Int, blocks: Int, bytes: [UInt8]) throws {
        let start = (0..<count).map { SIMD4<UInt32>(UInt32($0), 0x89AB_CDEF, .max - UInt32($0), 0x0123_4567) }
        try bytes.withUnsafeBytes { all in
            let base = try #require(all.baseAddress)
            var lanes = (0..<count).map { MD5Lane(words: start[$0], cursor: base + 67 * $0, blocks: blocks + $0) }
            lanes.withUnsafeMutableBufferPointer {
                if let kernel {
                    MD5Lanes.advance($0, blocks: blocks, kernel: kernel)
                } else {
                    MD5Lanes.advance($0, blocks: blocks)
                }
            }
            for (index, lane) in lanes.enumerated() {
                let own = Array(bytes[67 * index..<67 * index + 64 * blocks])
                #expect(lane.words == expected(own, from: start[index]), "kernel \(kernel ?? -1), lane \(index)")
                #expect(lane.blocks == index)
                #expect(lane.cursor == base + 67 * index + 64 * blocks)
            }
        }
    }
}

/// Bytes that stay where they are.
private final class Pinned: Sendable {
    let bytes: [UInt8]
    nonisolated(unsafe) let memory: UnsafeMutableRawBufferPointer

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        memory = .allocate(byteCount: max(1, bytes.count), alignment: 1)
        memory.copyBytes(from: bytes)
    }

    deinit {
        // What is read after this would give a wrong digest.
        memory.initializeMemory(as: UInt8.self, repeating: 0xDD)
        memory.deallocate()
    }

    func part(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[range]) }
}

@Suite("MD5 engine")
struct MD5EngineTests {
    /// Every run on a task of its own: the engine asks for one at a time.
    private static let threaded: MD5Engine.Spawn = { run in Task.detached { run() } }

    private static func hash(_ bytes: [UInt8], pieces: Int, engine: MD5Engine) async -> [UInt8] {
        let stream = engine.makeStream()
        var start = 0
        while start < bytes.count {
            let end = min(start + pieces, bytes.count)
            let pinned = Pinned(Array(bytes[start..<end]))
            await stream.update(pinned.part(0..<end - start), keeping: pinned)
            start = end
        }
        return await stream.finalize()
    }

    @Test("gives OpenSSL's digests for many streams at once", arguments: [true, false])
    func manyStreams(isInline: Bool) async {
        let engine = isInline ? MD5Engine.inline : MD5Engine(spawn: Self.threaded)
        await withTaskGroup(of: Bool.self) { group in
            for number in 0..<40 {
                group.addTask {
                    let bytes = noise(number * 7_001 % 150_000, seed: UInt64(number))
                    let expected = MessageDigest.md5.digest(bytes)
                    // Above and below what is hashed at once on the calling task.
                    let pieces = [1_000, 16_385, 30_000, 65_536, 100_000][number % 5]
                    return await Self.hash(bytes, pieces: pieces, engine: engine) == expected
                }
            }
            for await isRight in group { #expect(isRight) }
        }
    }

    @Test("keeps a stream's bytes in order and lets their owner go once hashed")
    func orderAndOwnership() async {
        let runs = HeldRuns()
        let stream = runs.makeEngine().makeStream()
        let bytes = noise(60_000)
        weak var watched: Pinned?
        do {
            let pinned = Pinned(bytes)
            watched = pinned
            await stream.update(pinned.part(0..<20_000), keeping: pinned)
            await stream.update(pinned.part(20_000..<20_001), keeping: pinned)
            await stream.update(pinned.part(20_001..<60_000), keeping: pinned)
        }
        #expect(watched != nil)
        #expect(runs.runAll() == 1)
        #expect(watched == nil)
        #expect(await stream.finalize() == MessageDigest.md5.digest(bytes))
    }

    @Test("suspends a caller that is far ahead, and resumes it")
    func backpressure() async {
        let runs = HeldRuns()
        let stream = runs.makeEngine().makeStream()
        let pinned = Pinned([UInt8](repeating: 7, count: MD5Stream.pendingLimit))
        await stream.update(pinned.part(0..<MD5Stream.pendingLimit), keeping: pinned)
        let second = Task {
            await stream.update(pinned.part(0..<MD5Stream.pendingLimit), keeping: pinned)
            runs.note("through")
        }
        for _ in 0..<100 { await Task.yield() }
        #expect(runs.notes == [])
        runs.runAll()
        await second.value
        #expect(runs.notes == ["through"])
        // When the second came only after the first run had ended, it asked for another.
        runs.runAll()
        #expect(await stream.finalize() == MessageDigest.md5.digest(pinned.bytes + pinned.bytes))
    }
}

/// Keeps the runs that an engine asks for until the test lets them go.
private final class HeldRuns: Sendable {
    private let held = Mutex<[@Sendable () -> Void]>([])
    private let noted = Mutex<[String]>([])

    func makeEngine() -> MD5Engine {
        MD5Engine { run in self.held.withLock { $0.append(run) } }
    }

    /// Executes what was asked for so far; how many runs that were.
    @discardableResult
    func runAll() -> Int {
        let runs = held.withLock { held in
            defer { held = [] }
            return held
        }
        for run in runs { run() }
        return runs.count
    }

    func note(_ text: String) { noted.withLock { $0.append(text) } }
    var notes: [String] { noted.withLock { $0 } }
}
