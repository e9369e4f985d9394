import S3Protocol
import Synchronization
internal import SystemInterface

/// The answer to a request that may take longer than clients wait for a first byte: made in a task of its own, so that
/// the client can be told meanwhile that it is on its way.
final class PendingAnswer: Sendable {
    typealias Answer = Result<S3Response, S3Error>

    private struct State {
        var work: Task<Void, Never>?
        var answer: Answer?
        /// Ends when the answer is there, or when it is time to tell the client something.
        var sleeper: Task<Void, Never>?
    }

    private let time: any TimeSource
    private let state = Mutex(State())

    /// Begins with it at once.
    init(time: any TimeSource, _ work: @escaping @Sendable () async throws(S3Error) -> S3Response) {
        self.time = time
        state.withLock { state in
            state.work = Task {
                do throws(S3Error) { self.end(.success(try await work())) } catch { self.end(.failure(error)) }
            }
        }
    }

    /// The answer, or nil when `duration` passes before it is there. One task may wait at a time. When it is cancelled,
    /// so is the work.
    func answer(within duration: Duration) async -> Answer? {
        let sleeper = state.withLock { state -> Task<Void, Never>? in
            guard state.answer == nil else { return nil }
            let sleeper = Task { [time] in _ = try? await time.sleep(for: duration) }
            state.sleeper = sleeper
            return sleeper
        }
        await withTaskCancellationHandler {
            await sleeper?.value
        } onCancel: {
            sleeper?.cancel()
            state.withLock { $0.work }?.cancel()
        }
        return state.withLock { $0.answer }
    }

    private func end(_ answer: Answer) {
        let sleeper = state.withLock { state in
            state.answer = answer
            state.work = nil
            return state.sleeper
        }
        sleeper?.cancel()
    }
}
