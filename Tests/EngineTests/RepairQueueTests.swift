import Coordination
import Metadata
import ObjectModel
import Testing

@Suite("The order of repairs")
struct RepairQueueTests {
    private let queue = RepairQueue()

    private static func blob(_ number: UInt64) -> BlobID { BlobID(incarnation: 1, lease: 1, sequence: number) }

    private static func missing(_ spares: Int, _ numbers: UInt64...) -> [MissingBlob] {
        numbers.map { MissingBlob(blob($0), spares: spares) }
    }

    /// Draws until nothing is left; each is whole at once.
    private func drain(_ ending: RepairQueue.Ending = .whole) -> [UInt64] {
        var drawn: [UInt64] = []
        while let blob = queue.next() {
            drawn.append(blob.sequence)
            queue.end(blob, ending)
        }
        #expect(queue.isEmpty)
        return drawn
    }

    @Test("blobs without spares, then those that are read, then by spares, then those below k")
    func order() {
        queue.append(Self.missing(0, 5, 6) + Self.missing(1, 1) + Self.missing(3, 2) + Self.missing(-1, 3))
        queue.ask(for: Self.blob(2))
        queue.ask(for: Self.blob(9))
        #expect(drain() == [5, 6, 2, 9, 1, 2, 3])
    }

    @Test("what lost spares since the walk passed goes first")
    func ahead() {
        queue.append(Self.missing(2, 1, 2) + Self.missing(-2, 7))
        #expect(queue.next() == Self.blob(1))
        queue.setAhead(Self.missing(0, 8) + Self.missing(1, 4) + Self.missing(2, 1))
        #expect(queue.hasUrgent)
        queue.ask(for: Self.blob(3))
        #expect(drain() == [8, 3, 4, 2, 7])
        queue.end(Self.blob(1), .whole)
        #expect(!queue.hasUrgent)
    }

    @Test("a blob is given to one worker at a time, and one that failed to none in the same pass")
    func once() {
        queue.append(Self.missing(1, 1, 2))
        queue.setAhead(Self.missing(1, 1))
        queue.ask(for: Self.blob(1))
        #expect(queue.next() == Self.blob(1))
        #expect(queue.next() == Self.blob(2))
        #expect(queue.next() == nil)
        queue.end(Self.blob(1), .failed)
        queue.append(Self.missing(1, 1))
        queue.ask(for: Self.blob(1))
        #expect(queue.next() == nil)
        #expect(queue.failures == 1)
        queue.begin()
        queue.append(Self.missing(1, 1))
        #expect(queue.next() == Self.blob(1))
    }

    @Test("what makes way comes right behind what it made way for")
    func postponed() {
        queue.append(Self.missing(1, 1, 2, 3))
        let first = queue.next()
        queue.setAhead(Self.missing(0, 9))
        #expect(queue.hasUrgent)
        queue.end(Self.blob(1), .postponed)
        #expect(first == Self.blob(1))
        #expect(drain() == [9, 1, 2, 3])
    }

    @Test("what clients ask for is remembered over passes, once, and up to a limit")
    func asked() {
        for number in 0..<UInt64(RepairQueue.askedLimit) + 10 { for _ in 0..<2 { queue.ask(for: Self.blob(number)) } }
        queue.begin()
        #expect(drain().count == RepairQueue.askedLimit)
        queue.ask(for: Self.blob(3))
        #expect(drain() == [3])
    }
}
