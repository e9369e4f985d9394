internal import Logging
internal import Synchronization
internal import SystemInterface

/// Where a peer listens.
struct PeerAddress: Hashable {
    var host: String
    var port: Int
}

/// The calls to one peer over its lanes: one for small messages, which thus never wait behind large ones, and two for
/// bulk. Safe to use from any thread; callers go on outside the lock.
final class PeerLanes: Sendable {
    static let bulkLanes = 2
    /// From this many bytes on a message is bulk: 64 KiB.
    static let bulkSize = 64 << 10
    /// Calls in flight and the charge of their requests; more callers wait in order. One larger message goes alone.
    static let callLimit = 1_024
    static let byteLimit = 128 << 20
    /// Callers that wait for their turn; more are turned away.
    static let waitingLimit = 16_384
    /// How often timeouts and silence are looked at while there are calls.
    static let resolution = Duration.milliseconds(20)
    /// The pause after a failed attempt at a connection: doubles from the first to the last, and is no shorter than the
    /// attempt was. Calls of that time fail at once: a peer that takes seconds not to answer costs those once.
    static let firstPause = Duration.milliseconds(200)
    static let lastPause = Duration.seconds(2)
    /// After so much silence a peer that owes an answer is asked whether it is there; it is given up when it has not
    /// said a word after so much.
    static let pingSilence = Duration.seconds(1)
    static let deadSilence = Duration.seconds(5)

    let name: String
    let admits: @Sendable (ClusterPeer) -> Bool
    private let time: any TimeSource
    private let logger: Logger
    private let connector: @Sendable (ClientLink, PeerAddress) -> Void
    private let state: Mutex<PeerState>

    /// `admits`: whether a server of that name is one to call. `connector` starts an attempt; its outcome comes
    /// through the link.
    init(
        name: String,
        admits: @escaping @Sendable (ClusterPeer) -> Bool,
        time: any TimeSource,
        logger: Logger,
        connector: @escaping @Sendable (ClientLink, PeerAddress) -> Void
    ) {
        self.name = name
        self.admits = admits
        self.time = time
        self.logger = logger
        self.connector = connector
        state = Mutex(PeerState(name: name))
    }

    var address: PeerAddress? { state.withLock { $0.address } }

    /// Another address, or none: calls in progress fail, since whoever they went to is no longer the peer.
    func setAddress(_ address: PeerAddress?) {
        change { state, actions in
            guard state.address != address else { return }
            state.address = address
            state.failures = 0
            state.retryAt = MonotonicTime(nanoseconds: 0)
            for lane in state.lanes.indices {
                if let link = state.lanes[lane].link { actions.closes.append((link, .closedHere)) }
                state.reset(lane, &actions)
            }
            if address == nil { state.giveUp(Array(state.waiting), &actions) }
        }
    }

    // MARK: Callers

    func begin(_ id: UInt64, _ call: PendingCall) {
        let startsSweeping = change { state, actions in
            guard state.cancelled.remove(id) == nil, state.address != nil,
                state.waiting.count < Self.waitingLimit
            else {
                if let continuation = call.continuation {
                    actions.answers.append((continuation, .failure(.unreachable(node: name))))
                }
                return false
            }
            state.calls[id] = call
            state.waiting.append(id)
            defer { state.isSweeping = true }
            return !state.isSweeping
        }
        if startsSweeping { Task { await sweep() } }
    }

    func cancel(_ id: UInt64) {
        let isKnown = state.withLock { state in
            if state.calls[id] == nil { state.cancelled.insert(id) }
            return state.calls[id] != nil
        }
        // Not here: the runtime holds a lock of the task that would go on inline.
        if isKnown { Task { change { $0.giveUp([id], &$1) } } }
    }

    /// Drops the note of a cancellation that came after the answer.
    func forget(_ id: UInt64) { state.withLock { _ = $0.cancelled.remove(id) } }

    // MARK: Links

    func ready(_ link: ClientLink, _ connection: Connection) throws(WireError) {
        let isExpected = change { state, _ in
            guard state.lanes[link.lane].link === link else { return true }
            guard state.lanes[link.lane].connection == nil else { return false }
            state.lanes[link.lane].connection = connection
            state.failures = 0
            return true
        }
        guard isExpected else { throw .malformed("a second welcome") }
        connection.wake()
    }

    /// The next request of a lane; from here on its outcome depends on the peer.
    func take(_ link: ClientLink, _ connection: Connection) -> Frame? {
        let (frame, isFirst) = state.withLock { state -> (Frame?, Bool) in
            let lane = link.lane
            guard state.lanes[lane].link === link, state.lanes[lane].connection != nil else { return (nil, false) }
            while let id = state.lanes[lane].queue.popFirst() {
                guard let message = state.calls[id]?.message else { continue }
                state.calls[id]?.message = nil
                let isFirst = state.lanes[lane].sent.isEmpty
                state.lanes[lane].sent.insert(id)
                return (Frame(kind: .request, call: id, message: message), isFirst)
            }
            return (nil, false)
        }
        // A connection nobody used was silent for good reason.
        if isFirst { connection.markHeard() }
        return frame
    }

    func answered(
        _ link: ClientLink,
        _ id: UInt64,
        _ result: Result<TransportMessage, TransportError>
    ) throws(WireError) {
        let isExpected = change { state, actions in
            guard state.lanes[link.lane].link === link else { return true }
            guard state.lanes[link.lane].sent.contains(id) else { return false }
            if let continuation = state.remove(id)?.continuation { actions.answers.append((continuation, result)) }
            return true
        }
        guard isExpected else { throw .malformed("an answer to no call") }
    }

    func closed(_ link: ClientLink, _ error: any Error) {
        let now = time.monotonic
        let ended: (failures: Int, address: PeerAddress?)? = change { state, actions in
            guard state.lanes[link.lane].link === link else { return nil }
            let wasReady = state.lanes[link.lane].connection != nil
            if !wasReady {
                // Attempts of several lanes that fail together count once.
                if now >= state.retryAt { state.failures += 1 }
                let attempt = now.duration(since: state.lanes[link.lane].began)
                let pause = max(Self.firstPause * (1 << min(max(state.failures, 1) - 1, 8)), attempt)
                state.retryAt = now.advanced(by: min(pause, Self.lastPause))
            }
            state.reset(link.lane, &actions)
            return (state.failures, state.address)
        }
        guard let (failures, address) = ended else { return }
        let isNobody = if case .closedThere? = error as? WireError { failures > 0 } else { false }
        let isPeersFault = if case .malformed? = error as? WireError { true } else { false }
        // A peer that stays away is reported once.
        logger.log(
            level: isPeersFault || failures == 1 ? .warning : failures == 0 ? .info : .debug,
            "connection to \(name) closed",
            metadata: [
                "address": "\(address.map { "\($0.host):\($0.port)" } ?? "unknown")",
                "reason": "\(isNobody ? ConnectionTrouble.nobody : ConnectionTrouble.text(error))",
                "lane": "\(link.lane)",
            ]
        )
    }

    // MARK: Time

    private func sweep() async {
        while true {
            try? await time.sleep(for: Self.resolution)
            let now = time.monotonic
            let goesOn = change { state, actions in
                state.isSweeping = !state.calls.isEmpty
                guard state.isSweeping else { return false }
                let late = state.calls.filter { $0.value.continuation != nil && $0.value.deadline <= now }
                if !late.isEmpty { state.giveUp(late.keys.sorted(), &actions) }
                for lane in state.lanes.indices { Self.checkSilence(&state.lanes[lane], now, &actions) }
                return true
            }
            guard goesOn else { return }
        }
    }

    private static func checkSilence(_ lane: inout PeerState.Lane, _ now: MonotonicTime, _ actions: inout PeerActions) {
        guard let connection = lane.connection, let link = lane.link, !lane.sent.isEmpty else { return }
        let heard = connection.lastHeard
        if lane.pinged <= heard {
            guard now.duration(since: heard) >= pingSilence else { return }
            lane.pinged = now
            actions.pings.append(connection)
        } else if now.duration(since: lane.pinged) >= deadSilence - pingSilence {
            // Counted from the ping: after a time in which this process did not run, the peer gets its chance.
            actions.closes.append((link, .silent))
        }
    }

    /// Changes the state, starts the calls that may start now, and does what follows outside the lock.
    private func change<Value: Sendable>(_ body: (inout PeerState, inout PeerActions) -> Value) -> Value {
        let now = time.monotonic
        let (value, actions, address) = state.withLock { state in
            var actions = PeerActions()
            let value = body(&state, &actions)
            state.admit({ ClientLink(peer: self, lane: $0) }, now: now, &actions)
            return (value, actions, state.address)
        }
        for (link, error) in actions.closes { link.close(error) }
        for link in actions.connects {
            if let address { connector(link, address) } else { link.failed(WireError.closedHere) }
        }
        for connection in actions.wakes { connection.wake() }
        for connection in actions.pings { connection.ping() }
        for (connection, id) in actions.cancels { connection.cancel(id) }
        for (continuation, result) in actions.answers { continuation.resume(returning: result) }
        return value
    }
}
