import Synchronization
import SystemInterface

/// Blocking calls of one disk, in order of arrival, on threads of their own (DESIGN §6, hotpath technique 5).
///
/// The cooperative pool never waits for a medium: a caller is suspended, a thread makes the call and resumes it. At
/// most `limit` calls have a place in the queue; further callers wait at the door, in order, and take the places that
/// come free. Threads start with the first call and end after `close`, when what was queued is done.
final class DiskQueue: Sendable {
    /// Calls queued at most: far more than a disk needs to stay busy, and little memory if it hangs.
    static let limit = 256

    private typealias Job = @Sendable () -> Void

    private struct State {
        var jobs: [Job?] = Array(repeating: nil, count: DiskQueue.limit)
        var first = 0
        var count = 0
        /// Places that a caller has but has not filled yet.
        var promised = 0
        var door: [UnsafeContinuation<Void, Never>] = []
        var hasThreads = false
        var isClosed = false
        /// Calls begun so far: the number of the last.
        var begun: UInt64 = 0

        var hasRoom: Bool { count + promised < DiskQueue.limit }

        mutating func append(_ job: @escaping Job) {
            promised -= 1
            jobs[(first + count) % DiskQueue.limit] = job
            count += 1
        }

        mutating func popFirst() -> Job? {
            guard count > 0 else { return nil }
            defer {
                jobs[first] = nil
                first = (first + 1) % DiskQueue.limit
                count -= 1
                begun += 1
            }
            return jobs[first]
        }

        /// Hands one free place to whoever waits longest.
        mutating func admit() -> UnsafeContinuation<Void, Never>? {
            guard !door.isEmpty, hasRoom else { return nil }
            promised += 1
            return door.removeFirst()
        }
    }

    private let name: String
    private let threadCount: Int
    private let state = Mutex(State())
    private let available = LinuxSemaphore()
    /// 0: none. Nobody waits for it, and each call pays two stores for it.
    private let current = Atomic<UInt64>(0)

    /// The number of the call that its thread is at, of a queue with one; nil when it is at none.
    var callUnderWay: UInt64? {
        let number = current.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }

    /// A queue served by `threadCount` threads that show as `name`.
    init(name: String, threadCount: Int) {
        self.name = name
        self.threadCount = threadCount
    }

    /// Runs `work` on a thread of this queue and returns its result. Not cancellable: a call that the kernel has cannot
    /// be taken back.
    func run<Value: Sendable>(
        _ work: @escaping @Sendable () throws(FileError) -> Value
    ) async throws(FileError) -> Value {
        try startThreads()
        await takePlace()
        let result: Result<Value, FileError> = await withUnsafeContinuation { continuation in
            state.withLock { state in
                state.append { continuation.resume(returning: Result { () throws(FileError) in try work() }) }
            }
            available.signal()
        }
        return try result.get()
    }

    /// Lets the threads end once the queue is empty. No call may follow.
    func close() {
        let threads = state.withLock { state in
            state.isClosed = true
            return state.hasThreads ? threadCount : 0
        }
        for _ in 0..<threads { available.signal() }
    }

    private func takePlace() async {
        let isIn = state.withLock { state in
            guard state.door.isEmpty, state.hasRoom else { return false }
            state.promised += 1
            return true
        }
        if isIn { return }
        await withUnsafeContinuation { continuation in
            let admitted = state.withLock { state in
                state.door.append(continuation)
                return state.admit()
            }
            admitted?.resume()
        }
    }

    private func startThreads() throws(FileError) {
        try state.withLock { state throws(FileError) in
            guard !state.hasThreads else { return }
            for number in 0..<threadCount {
                do throws(LinuxThread.StartError) {
                    try LinuxThread.start(name) { self.serve() }
                } catch {
                    // One thread is enough to go on; with none, the call fails and the next one tries again.
                    guard number == 0 else { break }
                    throw FileError(.other, operation: "pthread_create", path: name, number: error.number)
                }
            }
            state.hasThreads = true
        }
    }

    private func serve() {
        while true {
            available.wait()
            let (job, number, admitted, isClosed) = state.withLock { state in
                let job = state.popFirst()
                return (job, state.begun, state.admit(), state.isClosed)
            }
            admitted?.resume()
            if let job {
                current.store(number, ordering: .relaxed)
                job()
                current.store(0, ordering: .relaxed)
            } else if isClosed {
                return
            }
        }
    }
}
