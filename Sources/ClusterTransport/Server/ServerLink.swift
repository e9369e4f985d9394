internal import Logging
internal import NIOCore
internal import Synchronization
internal import SystemInterface

/// The server's end of one connection: who is there, and the calls in progress.
final class ServerLink: ConnectionOwner {
    /// Calls in progress of one connection, from the request's first byte until the answer is written, and the
    /// memory of their requests and answers (`FrameHead.charge`). Beyond either nothing more is read.
    static let callLimit = 1_024
    static let byteLimit = 256 << 20
    /// A client without a certificate: one call at a time, and so long to live.
    static let strangerCalls = 1
    static let strangerLife = Duration.seconds(10)

    private struct Call {
        var bytes: Int
        var task: Task<Void, Never>?
        var isCancelled = false
    }

    private struct State {
        var peer: ClusterPeer?
        var callLimit = ServerLink.strangerCalls
        var calls: [UInt64: Call] = [:]
        var bytes = 0
        var outbox = CircularBuffer<Frame>()
        var connection: Connection?
        var isHeld = false
        var isDraining = false
        var isClosed = false
    }

    private let service: any ClusterService
    private let cluster: String
    private let acceptsStrangers: Bool
    private let logger: Logger
    private let turns: LogTurns<StrangerTrouble>
    private let onClose: @Sendable (ServerLink) -> Void
    private let state = Mutex(State())

    init(
        service: any ClusterService,
        cluster: String,
        acceptsStrangers: Bool,
        logger: Logger,
        turns: LogTurns<StrangerTrouble>,
        onClose: @escaping @Sendable (ServerLink) -> Void
    ) {
        self.service = service
        self.cluster = cluster
        self.acceptsStrangers = acceptsStrangers
        self.logger = logger
        self.turns = turns
        self.onClose = onClose
    }

    func start(_ connection: Connection) { state.withLock { $0.connection = connection } }

    /// Starts no more calls, and closes the connection when none is left.
    func drain() {
        let connection = state.withLock { state in
            state.isDraining = true
            return state.calls.isEmpty ? state.connection : nil
        }
        connection?.close(.closedHere)
    }

    /// Cuts off what is in progress.
    func cutOff() { state.withLock { $0.connection }?.close(.closedHere) }

    // MARK: ConnectionOwner

    func isSecure(_ connection: Connection, certificate: [UInt8]?) throws(WireError) {
        let peer = try certificate.map { der throws(WireError) in try identify(der) }
        guard peer != nil || acceptsStrangers else { throw .unwelcome("a client without a certificate") }
        state.withLock { state in
            state.peer = peer
            if peer != nil { state.callLimit = Self.callLimit }
        }
        if peer == nil {
            connection.setLimits(.strangers)
            connection.closeAfter(Self.strangerLife, .unwelcome("a client without a certificate that stayed"))
        } else {
            connection.stopTimer()
            // Strangers hear nothing before they have said something that only one with a token can say.
            connection.send(Frame(kind: .welcome, call: 0))
        }
    }

    func mayReceive(_ head: FrameHead, _ connection: Connection) -> Bool {
        guard head.kind == .request else { return true }
        return state.withLock { state in
            let isAllowed =
                state.calls.count < state.callLimit
                && (state.calls.isEmpty || state.bytes + head.charge <= Self.byteLimit)
            state.isHeld = !isAllowed
            return isAllowed
        }
    }

    func received(_ frame: Frame, _ connection: Connection) throws(WireError) {
        switch frame.kind {
        case .request: try startCall(frame, connection)
        case .cancel: cancel(frame.call)
        case .response, .refusal, .ping, .pong, .welcome: throw .malformed("a \(frame.kind) from a client")
        }
    }

    func nextFrame(_ connection: Connection) -> Frame? { state.withLock { $0.outbox.popFirst() } }

    func written(_ kind: FrameKind, call: UInt64, _ connection: Connection) {
        guard kind == .response || kind == .refusal else { return }
        let (wasHeld, isDone) = state.withLock { state in
            if let call = state.calls.removeValue(forKey: call) { state.bytes -= call.bytes }
            defer { state.isHeld = false }
            return (state.isHeld, state.isDraining && state.calls.isEmpty)
        }
        // Later: this is the middle of writing.
        if isDone { connection.close(.closedHere) }
        if wasHeld { connection.eventLoop.execute { connection.resumeReading() } }
    }

    func closed(_ connection: Connection, _ error: any Error) {
        let (tasks, peer) = state.withLock { state in
            state.isClosed = true
            state.connection = nil
            state.outbox.removeAll()
            defer { state.calls = [:] }
            return (state.calls.values.compactMap(\.task), state.peer)
        }
        for task in tasks { task.cancel() }
        log(error, of: connection, peer)
        onClose(self)
    }

    /// What is not let in, or breaks the rules, is told of now and then; what comes and goes is not.
    private func log(_ error: any Error, of connection: Connection, _ peer: ClusterPeer?) {
        let level: Logger.Level =
            switch error as? WireError {
            case .closedHere, .closedThere: .debug
            // One that was let in and went without a goodbye was killed or cut off: its peer will notice, too.
            case nil where peer != nil: .debug
            default: .warning
            }
        let reason = ConnectionTrouble.text(error)
        var metadata: Logger.Metadata = [
            "address": "\(connection.remote)", "peer": "\(peer?.name ?? "unknown")", "reason": "\(reason)",
        ]
        if level == .warning {
            let trouble = StrangerTrouble(address: connection.remote, reason: reason)
            guard let others = turns.take(trouble) else { return }
            metadata["unreported before"] = "\(others)"
        }
        logger.log(level: level, "cluster connection closed", metadata: metadata)
    }

    // MARK: Calls

    private func identify(_ der: [UInt8]) throws(WireError) -> ClusterPeer {
        guard let leaf = try? CertificateReading.parse(der: der),
            let subject = try? CertificateReading.subject(leaf), subject.cluster == cluster
        else { throw .unwelcome("the client's certificate is not a member's") }
        return ClusterPeer(name: subject.name, role: subject.role, generation: subject.generation)
    }

    private func startCall(_ frame: Frame, _ connection: Connection) throws(WireError) {
        enum Turn {
            case start(ClusterPeer?)
            case refuse
            case known
        }
        let bytes = frame.head.charge
        let turn = state.withLock { state -> Turn in
            guard state.calls[frame.call] == nil else { return .known }
            state.calls[frame.call] = Call(bytes: bytes)
            state.bytes += bytes
            guard !state.isDraining else {
                let reason = RefusalReason.shuttingDown.rawValue
                state.outbox.append(Frame(kind: .refusal, call: frame.call, message: .init(header: [reason])))
                return .refuse
            }
            return .start(state.peer)
        }
        switch turn {
        case .known: throw .malformed("a call twice")
        case .refuse: connection.wake()
        case .start(let peer):
            let task = Task { [service] in
                let answer = await service.answer(frame.message, from: peer, at: connection.remote)
                finish(frame.call, answer)
            }
            let isOver = state.withLock { state in
                state.calls[frame.call]?.task = task
                return state.isClosed || state.calls[frame.call]?.isCancelled == true
            }
            if isOver { task.cancel() }
        }
    }

    private func finish(_ id: UInt64, _ answer: TransportMessage) {
        var frame = Frame(kind: .response, call: id, message: answer)
        if !frame.isAllowed {
            logger.error("an answer is too large to send", metadata: ["bytes": "\(frame.head.charge)"])
            frame = Frame(
                kind: .refusal,
                call: id,
                message: TransportMessage(header: [RefusalReason.answerTooLarge.rawValue])
            )
        }
        let bytes = frame.head.charge
        let connection = state.withLock { state -> Connection? in
            guard let call = state.calls[id] else { return nil }
            state.bytes += bytes - call.bytes
            state.calls[id]?.bytes = bytes
            state.calls[id]?.task = nil
            state.outbox.append(frame)
            return state.connection
        }
        connection?.wake()
    }

    private func cancel(_ id: UInt64) {
        let task = state.withLock { state in
            state.calls[id]?.isCancelled = true
            return state.calls[id]?.task
        }
        task?.cancel()
    }
}
