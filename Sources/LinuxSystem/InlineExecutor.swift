/// Runs what a task has to do next on the thread that woke it, at once.
///
/// For short steps between waits, such as the way of a disk's answer back to its caller: each hop to the global
/// executor costs two context switches, which is more than the step. Whoever resumes such a task must hold no lock,
/// and lends it its stack.
package final class InlineExecutor: TaskExecutor {
    package init() {}

    package func enqueue(_ job: consuming ExecutorJob) {
        UnownedJob(job).runSynchronously(on: asUnownedTaskExecutor())
    }
}
