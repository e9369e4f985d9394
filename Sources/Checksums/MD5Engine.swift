import Synchronization

/// Computes the MD5 of many uploads side by side on one thread: the largest processor cost of a PUT, made several times
/// smaller when uploads come together, and taken off the threads that receive them.
///
/// Each turn takes up to sixteen different streams that have bytes waiting and runs as many blocks of all of them as
/// the shortest has. Nobody waits for company: a lone stream is hashed alone.
package final class MD5Engine: Sendable {
    /// Runs a closure soon, on a thread of its own where it may compute for long: never on the cooperative pool.
    package typealias Spawn = @Sendable (@escaping @Sendable () -> Void) -> Void

    /// Hashes everything at once on the calling task: for the simulator, and where one upload comes at a time.
    package static let inline = MD5Engine(optionalSpawn: nil)

    /// Blocks that are run before the engine looks for streams to join: 64 KiB a lane.
    private static let turnBlocks = 1_024

    private struct Queue {
        /// Streams with pieces, in the order in which they came; each at most once, and none that is in a lane.
        var ready: [MD5Stream] = []
        var isRunning = false
    }

    private let queue = Mutex(Queue())
    private let spawn: Spawn?

    /// An engine that runs on the thread that `spawn` gives it. It asks for one run whenever bytes come in while none
    /// is under way, so that there is never more than one; a run ends when nothing waits any more.
    package convenience init(spawn: @escaping Spawn) { self.init(optionalSpawn: spawn) }

    private init(optionalSpawn: Spawn?) { spawn = optionalSpawn }

    var isInline: Bool { spawn == nil }

    /// A stream for one more upload.
    package func makeStream() -> MD5Stream { MD5Stream(engine: self) }

    /// Takes a stream into the queue that was not in it.
    func enqueue(_ stream: MD5Stream) {
        let mustStart = queue.withLock { queue in
            defer { queue.isRunning = true }
            queue.ready.append(stream)
            return !queue.isRunning
        }
        if mustStart { spawn?({ self.run() }) }
    }

    /// Hashes until nothing waits any more.
    private func run() {
        var lanes: [MD5Lane] = []
        var jobs: [Job] = []
        lanes.reserveCapacity(MD5Lanes.maximum)
        jobs.reserveCapacity(MD5Lanes.maximum)
        while admit(to: &lanes, jobs: &jobs) {
            let shortest = lanes.lazy.map(\.blocks).min() ?? 0
            lanes.withUnsafeMutableBufferPointer { MD5Lanes.advance($0, blocks: min(shortest, Self.turnBlocks)) }
            retire(from: &lanes, jobs: &jobs)
        }
    }

    /// What a lane is working on.
    private struct Job {
        let stream: MD5Stream
        let piece: MD5Stream.Piece
    }

    /// Fills the free lanes; false, and the run is over, when there is nothing in any lane.
    private func admit(to lanes: inout [MD5Lane], jobs: inout [Job]) -> Bool {
        let newcomers: ArraySlice<MD5Stream> = queue.withLock { queue in
            let count = min(MD5Lanes.maximum - lanes.count, queue.ready.count)
            defer { queue.ready.removeFirst(count) }
            if lanes.isEmpty && count == 0 { queue.isRunning = false }
            return queue.ready.prefix(count)
        }
        for stream in newcomers {
            guard let piece = stream.takePiece() else { continue }
            let (head, blocks) = stream.state.takeHead(of: piece.bytes)
            lanes.append(MD5Lane(words: stream.state.words, cursor: piece.start + head, blocks: blocks))
            jobs.append(Job(stream: stream, piece: piece))
        }
        return !newcomers.isEmpty || !lanes.isEmpty
    }

    /// Empties the lanes that have no block left; streams with more pieces queue up again.
    private func retire(from lanes: inout [MD5Lane], jobs: inout [Job]) {
        for index in lanes.indices.reversed() where lanes[index].blocks == 0 {
            let (lane, job) = (lanes.remove(at: index), jobs.remove(at: index))
            job.stream.state.words = lane.words
            job.stream.state.takeTail(of: job.piece.bytes)
            guard job.stream.finishPiece(ofLength: job.piece.count) else { continue }
            queue.withLock { $0.ready.append(job.stream) }
        }
    }
}
