import CLinux

/// A named thread of the operating system, for work that blocks or that needs a core to itself.
package enum LinuxThread {
    /// No thread could be started: out of memory, or at the limit of threads (`ulimit -u`, cgroup `pids.max`).
    package struct StartError: Error, Hashable, Sendable, CustomStringConvertible {
        package var name: String
        /// The system's error number.
        package var number: Int32

        package var description: String {
            "cannot start the thread \(name) (errno \(number)): raise the limit of processes and threads"
        }
    }

    /// Runs `body` on a new detached thread, which ends when it returns.
    ///
    /// `name` is what ps, top and perf show; longer than 15 bytes, it is cut. All signals are blocked on the thread.
    package static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws(StartError) {
        let context = Unmanaged.passRetained(Body(run: body))
        let result = cairn_thread_start(
            name,
            { context in
                guard let context else { return }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
            },
            context.toOpaque()
        )
        guard result == 0 else {
            context.release()
            throw StartError(name: name, number: -result)
        }
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(run: @escaping @Sendable () -> Void) { self.run = run }
    }
}

/// A counting semaphore between threads; a wait blocks its thread, so it is never used on the cooperative pool.
package final class LinuxSemaphore: @unchecked Sendable {
    // SAFETY: the pointer never changes, and sem_post and sem_wait may be called from any thread.
    private let semaphore: OpaquePointer

    /// Starts at zero.
    package init() { semaphore = cairn_semaphore_make() }

    deinit { cairn_semaphore_free(semaphore) }

    package func signal() { cairn_semaphore_signal(semaphore) }
    package func wait() { cairn_semaphore_wait(semaphore) }
}
