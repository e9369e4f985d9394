import Checksums
import LinuxSystem
import Synchronization

/// The one thread that computes the MD5 of all uploads side by side (`Docs/Performance.md`).
///
/// It sleeps on a semaphore between runs; the engine asks for one run at a time.
final class HashThread: Sendable {
    private let queue = Mutex<[@Sendable () -> Void]>([])
    private let semaphore = LinuxSemaphore()

    init() throws {
        try LinuxThread.start("md5") { [self] in
            while true {
                semaphore.wait()
                let run = queue.withLock { $0.isEmpty ? nil : $0.removeFirst() }
                run?()
            }
        }
    }

    func makeEngine() -> MD5Engine {
        MD5Engine { run in
            self.queue.withLock { $0.append(run) }
            self.semaphore.signal()
        }
    }
}
