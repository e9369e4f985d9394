internal import Synchronization
internal import SystemInterface

/// The connection of one call to join.
final class JoinLink: ConnectionOwner {
    typealias Outcome = Result<TransportMessage, JoinError>

    private struct State {
        var message: TransportMessage?
        var continuation: CheckedContinuation<Outcome, Never>?
        var early: Outcome?
        var connection: Connection?
        var objection: String?
        var isSecure = false
        var isSent = false
        var isOver = false
    }

    private static let call: UInt64 = 1
    private let state: Mutex<State>

    init(_ message: TransportMessage) { state = Mutex(State(message: message)) }

    func begin(_ continuation: CheckedContinuation<Outcome, Never>) {
        let early = state.withLock { state in
            if state.early == nil { state.continuation = continuation }
            return state.early
        }
        if let early { continuation.resume(returning: early) }
    }

    func start(_ connection: Connection) {
        let isOver = state.withLock { state in
            state.connection = connection
            return state.isOver
        }
        if isOver { connection.close(.closedHere) }
    }

    /// Notes why the server's certificate is not taken; the handshake fails for it.
    func distrust(_ objection: String) { state.withLock { $0.objection = objection } }

    func giveUp() { finish(.failure(outcome("cancelled"))) }

    /// Ends the call, once.
    func finish(_ outcome: Outcome) {
        let (continuation, connection) = state.withLock { state in
            defer { state.continuation = nil }
            if !state.isOver, state.continuation == nil { state.early = outcome }
            state.isOver = true
            return (state.continuation, state.connection)
        }
        connection?.close(.closedHere)
        continuation?.resume(returning: outcome)
    }

    private func outcome(_ reason: String) -> JoinError {
        state.withLock { state in
            if let objection = state.objection { return .untrusted(reason: objection) }
            return state.isSent ? .unknownOutcome : .unreachable(reason: reason)
        }
    }

    // MARK: ConnectionOwner

    /// The callback of the handshake has looked at the certificate.
    func isSecure(_ connection: Connection, certificate: [UInt8]?) throws(WireError) {
        state.withLock { $0.isSecure = true }
        connection.wake()
    }

    func mayReceive(_ head: FrameHead, _ connection: Connection) -> Bool { true }

    func received(_ frame: Frame, _ connection: Connection) throws(WireError) {
        switch frame.kind {
        case .response where frame.call == Self.call:
            finish(.success(frame.message))
        case .refusal where frame.call == Self.call:
            let wasDone = frame.message.header.first != RefusalReason.shuttingDown.rawValue
            finish(.failure(wasDone ? .unknownOutcome : .unreachable(reason: "the coordinator is shutting down")))
        default:
            throw .malformed("a \(frame.kind) to a client that joins")
        }
    }

    func nextFrame(_ connection: Connection) -> Frame? {
        state.withLock { state in
            guard state.isSecure, let message = state.message else { return nil }
            state.message = nil
            state.isSent = true
            return Frame(kind: .request, call: Self.call, message: message)
        }
    }

    func written(_ kind: FrameKind, call: UInt64, _ connection: Connection) {}

    func closed(_ connection: Connection, _ error: any Error) {
        let isSecure = state.withLock { state in
            state.connection = nil
            return state.isSecure
        }
        let isNobody = if case .closedThere? = error as? WireError { !isSecure } else { false }
        finish(.failure(outcome(isNobody ? ConnectionTrouble.nobody : ConnectionTrouble.text(error))))
    }
}
