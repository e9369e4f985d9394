internal import ObjectInterface
internal import ObjectModel
package import SystemInterface

/// The coordinator's metadata, asked over a transport: what a gateway on a storage node works with.
///
/// It keeps nothing: every operation is one call (long lists are several), and what the protocol promises holds as the
/// coordinator keeps it. A read that brought no answer is repeated and is `.unavailable` in the end; a change is
/// repeated only when it was certainly not carried out, and is `.unknownOutcome` when it may have been. Operations that
/// are the coordinator's own are refused here with `.invalidArgument`, since no message exists for them.
package final class RemoteMetadataStore: MetadataStore {
    /// Times that a call is made at most.
    static let attempts = 3
    /// The wait before a call is made again.
    static let pause = Duration.milliseconds(50)

    private let transport: any Transport
    private let coordinator: String
    private let time: any TimeSource
    private let timeout: Duration

    /// `timeout`: of one operation with its repetitions; of each page of a long list.
    package init(
        transport: any Transport,
        coordinator: String,
        time: any TimeSource,
        timeout: Duration = .seconds(30)
    ) {
        self.transport = transport
        self.coordinator = coordinator
        self.time = time
        self.timeout = timeout
    }

    /// The answer that `take` finds in the response; nil from it means that the response is another operation's.
    func ask<Value>(
        _ request: MetadataRequest,
        _ take: (MetadataResponse) -> Value?
    ) async throws(StorageError) -> Value {
        let isRead = request.isRead
        let answer = try await answer(TransportMessage(header: request.encoded), isRead: isRead)
        let response: MetadataResponse
        do {
            response = try MetadataResponse(decoding: answer.header)
        } catch {
            throw Self.misanswered("\(error)", isRead: isRead)
        }
        if case .failed(let error) = response { throw error }
        guard let value = take(response) else { throw Self.misanswered("it answers something else", isRead: isRead) }
        return value
    }

    /// A change without a result.
    func perform(_ request: MetadataRequest) async throws(StorageError) {
        try await ask(request) { if case .done = $0 { () } else { nil } }
    }

    private func answer(_ message: TransportMessage, isRead: Bool) async throws(StorageError) -> TransportMessage {
        let deadline = time.monotonic.advanced(by: timeout)
        var attempt = 1
        while true {
            let failure: TransportError
            do throws(TransportError) {
                let left = deadline.duration(since: time.monotonic)
                return try await transport.call(coordinator, message, timeout: left)
            } catch {
                failure = error
            }
            guard attempt < Self.attempts, isRead || !failure.mayBeCarriedOut, await mayRepeat(before: deadline) else {
                throw Self.unanswered(failure, isRead: isRead)
            }
            attempt += 1
        }
    }

    /// Waits a little; false when the time is up or the caller has gone.
    private func mayRepeat(before deadline: MonotonicTime) async -> Bool {
        guard deadline.duration(since: time.monotonic) > Self.pause else { return false }
        do {
            try await time.sleep(for: Self.pause)
        } catch {
            return false
        }
        return time.monotonic < deadline
    }

    private static func unanswered(_ error: TransportError, isRead: Bool) -> StorageError {
        guard error.mayBeCarriedOut, !isRead else {
            return StorageError(
                .unavailable,
                "The coordinator cannot be reached: try again, and look at `cairn admin status` when it stays so."
            )
        }
        return StorageError(
            .unknownOutcome,
            "The coordinator did not answer: the change may or may not have been carried out."
        )
    }

    /// An answer that cannot be understood says nothing of what was done: a change may well have been carried out.
    private static func misanswered(_ reason: String, isRead: Bool) -> StorageError {
        StorageError(
            isRead ? .internalFailure : .unknownOutcome,
            "The coordinator's answer cannot be understood (\(reason)): do all nodes run the same version?"
        )
    }

    /// What an operation that no gateway may ask for is answered with.
    static func coordinatorsOwn(_ operation: String) -> StorageError {
        StorageError(.invalidArgument, "Only the coordinator does this (\(operation)): no other node can ask for it.")
    }
}

extension TransportError {
    fileprivate var mayBeCarriedOut: Bool {
        switch self {
        case .unreachable: false
        case .unknownOutcome: true
        }
    }
}
