import Dispatch

/// A thread of its own for a test's body: its blocking sockets must not hold the threads that the server runs on.
final class QueueExecutor: TaskExecutor {
    private let queue = DispatchQueue(label: "gateway-test")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
