import Dispatch
import FuzzTargets
import Glibc
import LinuxSystem
import Synchronization

/// The chosen target, run to its end on the calling thread.
struct Run: Sendable {
    let target: FuzzTarget
    private let executor = InlineExecutor()

    init(_ target: FuzzTarget) { self.target = target }

    /// Ends the process as libFuzzer expects it when a promise is broken.
    func check(_ bytes: [UInt8]) {
        let outcome = wait { [target] in try await target.run(bytes) }
        guard case .failure(let finding) = outcome else { return }
        report("finding in \(target.name): \(finding)")
        abort()
    }

    func wait<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) -> Result<Value, any Error> {
        let outcome = Mutex<Result<Value, any Error>?>(nil)
        let isDone = DispatchSemaphore(value: 0)
        Task(executorPreference: executor) {
            let result: Result<Value, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            outcome.withLock { $0 = result }
            isDone.signal()
        }
        isDone.wait()
        return outcome.withLock { $0 } ?? .failure(FuzzFinding("no outcome"))
    }

    func report(_ text: String) {
        let line = Array((text + "\n").utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }

    func writeSeeds(to folder: String) -> Int32 {
        do {
            for (index, seed) in try wait({ [target] in try await target.seeds() }).get().enumerated() {
                guard let file = fopen("\(folder)/seed-\(index)", "w") else { return 1 }
                let count = fwrite(seed, 1, seed.count, file)
                guard fclose(file) == 0, count == seed.count else { return 1 }
            }
            return 0
        } catch {
            report("\(target.name): \(error)")
            return 1
        }
    }
}
