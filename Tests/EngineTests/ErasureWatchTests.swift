import ClusterProtocol
import DiskFormat
import ObjectModel
import Simulation
import Synchronization
import Testing

/// Calls by hand: the simulator believes that what this does not report was no loss.
@Suite("The simulator's watch over erasures")
struct ErasureWatchTests {
    private final class Answers: Sendable {
        /// Whether the shard counts; nil while no store decides.
        let isCounted = Mutex<Bool?>(true)
        let reports = Mutex(0)
    }

    private let answers = Answers()
    private let watch: ErasureWatch
    private let disk = DiskID(Identifier128(high: 1, low: 1))
    private let shard = ShardID(blob: BlobID(incarnation: 1, lease: 1, sequence: 1), index: 0)

    init() {
        watch = ErasureWatch(
            counts: { [answers] _, _ in answers.isCounted.withLock { $0 } },
            report: { [answers] _ in answers.reports.withLock { $0 += 1 } }
        )
    }

    private var reports: Int { answers.reports.withLock { $0 } }

    private func header(_ stamp: UInt64) throws -> ShardHeader {
        ShardHeader(
            shard: shard,
            group: GroupID(1),
            groupEpoch: 1,
            scheme: try #require(Scheme(dataCount: 4, parityCount: 2, cellSize: Leaf.size)),
            writeStamp: stamp,
            bodyCapacity: 0
        )
    }

    private var trailer: ShardTrailer {
        ShardTrailer(
            blobLength: 0,
            shardDigests: [],
            ingestDigest: ContentDigest(high: 0, low: 0),
            frames: .explicit([])
        )
    }

    /// A record of this stamp is to be written; `answer`: what came of it, if anything.
    private func rewrite(_ stamp: UInt64, _ answer: ShardResponse?) throws {
        let request = ShardRequest.rewrite(disk, try header(stamp), trailer, leafChecksums: [])
        watch.begin(request)
        if let answer { watch.end(request, answer) }
    }

    /// How many reports the erasure of the record with this stamp brings.
    private func erase(_ stamp: UInt64) -> Int {
        let before = reports
        watch.begin(.eraseRecord(disk, shard, writeStamp: stamp))
        return reports - before
    }

    @Test("what counts is not erased, what does not may be, and with no store to ask nothing is judged")
    func counted() {
        watch.begin(.erase(disk, [shard, shard]))
        #expect(reports == 2 && watch.judged == 2)
        #expect(erase(1) == 1)
        answers.isCounted.withLock { $0 = false }
        watch.begin(.erase(disk, [shard]))
        #expect(reports == 3 && watch.judged == 4)
        answers.isCounted.withLock { $0 = nil }
        watch.begin(.erase(disk, [shard]))
        #expect(reports == 3 && watch.judged == 4)
    }

    @Test("an older record than the last may go")
    func older() throws {
        try rewrite(1, .done)
        #expect(erase(1) == 1)
        try rewrite(2, .done)
        #expect(erase(1) == 0)
        #expect(erase(2) == 1)
    }

    @Test("one that was refused takes nothing of the place of the last, one that nobody answered may have")
    func refused() throws {
        try rewrite(1, .done)
        try rewrite(2, .failure(.full))
        #expect(erase(1) == 1)
        try rewrite(3, nil)
        #expect(erase(1) == 0)
        #expect(erase(3) == 0)
        try rewrite(4, .failure(.unknownOutcome))
        #expect(erase(4) == 0)
    }

    @Test("of two that are written side by side either may be the last, until another is")
    func sideBySide() throws {
        let requests = try [1, 2].map { ShardRequest.rewrite(disk, try header($0), trailer, leafChecksums: []) }
        for request in requests { watch.begin(request) }
        for request in requests { watch.end(request, .done) }
        #expect(erase(1) + erase(2) == 0)
        try rewrite(3, .done)
        #expect(erase(2) == 0)
        #expect(erase(3) == 1)
    }

    @Test("one that is written piece by piece is there when it is sealed, and not when it is aborted")
    func pieces() throws {
        try rewrite(1, .done)
        let begin = ShardRequest.begin(disk, try header(2))
        watch.begin(begin)
        #expect(erase(1) == 0)
        watch.end(begin, .handle(7))
        #expect(erase(1) == 0)
        watch.end(.abort(disk, handle: 7), .done)
        #expect(erase(1) == 1)
        let again = ShardRequest.begin(disk, try header(3))
        watch.begin(again)
        watch.end(again, .handle(8))
        watch.end(.seal(disk, handle: 8, trailer, leafChecksums: []), .done)
        #expect(erase(1) == 0)
        #expect(erase(3) == 1)
    }
}
