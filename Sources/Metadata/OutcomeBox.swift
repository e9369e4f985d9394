internal import ObjectInterface
import Synchronization

/// Carries a change's outcome from the writer to the caller's continuation.
final class OutcomeBox<Value: Sendable>: Sendable {
    private let value = Mutex<Result<Value, StorageError>?>(nil)

    func set(_ result: Result<Value, StorageError>) { value.withLock { $0 = result } }

    /// What was set; asked only after the change was performed.
    func take() -> Result<Value, StorageError> {
        value.withLock { $0 } ?? .failure(StorageError(.internalFailure, "A change was answered before it was made."))
    }
}
