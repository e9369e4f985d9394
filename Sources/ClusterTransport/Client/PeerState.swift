internal import NIOCore
internal import SystemInterface

/// A caller's end of a call.
typealias CallContinuation = CheckedContinuation<Result<TransportMessage, TransportError>, Never>

/// One call to a peer, from when it is made until it is answered or its connection is gone.
struct PendingCall {
    let deadline: MonotonicTime
    /// The request's `FrameHead.charge`.
    let size: Int
    /// Nil when the caller has given up: the call still holds its place.
    var continuation: CallContinuation?
    /// Nil when it is on its way.
    var message: TransportMessage?
    /// Nil while it waits for its turn.
    var lane: Int?
}

/// What is to be done once the lock is released.
struct PeerActions {
    var answers: [(CallContinuation, Result<TransportMessage, TransportError>)] = []
    var connects: [ClientLink] = []
    var wakes: [Connection] = []
    var pings: [Connection] = []
    var cancels: [(Connection, UInt64)] = []
    var closes: [(ClientLink, WireError)] = []
}

/// The calls and connections of one peer. A value under its `PeerLanes`' lock.
struct PeerState {
    struct Lane {
        var link: ClientLink?
        /// When the attempt at a connection began.
        var began = MonotonicTime(nanoseconds: 0)
        /// Set once the peer has welcomed us.
        var connection: Connection?
        /// Calls whose turn it is, not yet written.
        var queue = CircularBuffer<UInt64>()
        /// Calls written and not answered.
        var sent: Set<UInt64> = []
        /// Request bytes of both.
        var bytes = 0
        /// When the peer was last asked whether it is there.
        var pinged = MonotonicTime(nanoseconds: 0)
    }

    let name: String
    var address: PeerAddress?
    var calls: [UInt64: PendingCall] = [:]
    var waiting = CircularBuffer<UInt64>()
    var lanes = [Lane](repeating: Lane(), count: 1 + PeerLanes.bulkLanes)
    var callsInFlight = 0
    var bytesInFlight = 0
    /// Failed attempts in a row, and when the next may be made.
    var failures = 0
    var retryAt = MonotonicTime(nanoseconds: 0)
    var cancelled: Set<UInt64> = []
    var isSweeping = false

    init(name: String) { self.name = name }

    /// Starts the calls whose turn it is, in order.
    mutating func admit(_ link: (Int) -> ClientLink, now: MonotonicTime, _ actions: inout PeerActions) {
        while let id = waiting.first, let call = calls[id] {
            guard callsInFlight < PeerLanes.callLimit,
                bytesInFlight == 0 || bytesInFlight + call.size <= PeerLanes.byteLimit
            else { return }
            waiting.removeFirst()
            let lane = self.lane(for: call.size)
            guard lanes[lane].link != nil || now >= retryAt else {
                fail(id, .unreachable(node: name), &actions)
                continue
            }
            calls[id]?.lane = lane
            callsInFlight += 1
            bytesInFlight += call.size
            lanes[lane].bytes += call.size
            lanes[lane].queue.append(id)
            if let connection = lanes[lane].connection {
                actions.wakes.append(connection)
            } else if lanes[lane].link == nil {
                let new = link(lane)
                (lanes[lane].link, lanes[lane].began) = (new, now)
                actions.connects.append(new)
            }
        }
    }

    /// Takes a call out and gives its place back.
    mutating func remove(_ id: UInt64) -> PendingCall? {
        guard let call = calls.removeValue(forKey: id) else { return nil }
        if let lane = call.lane {
            callsInFlight -= 1
            bytesInFlight -= call.size
            lanes[lane].bytes -= call.size
            lanes[lane].sent.remove(id)
        }
        return call
    }

    mutating func fail(_ id: UInt64, _ error: TransportError, _ actions: inout PeerActions) {
        guard let continuation = remove(id)?.continuation else { return }
        actions.answers.append((continuation, .failure(error)))
    }

    /// Ends callers' waits. What was not written is dropped; what was written holds its place until the peer answers.
    mutating func giveUp(_ ids: [UInt64], _ actions: inout PeerActions) {
        for id in ids {
            guard let call = calls[id], let continuation = call.continuation else { continue }
            if let lane = call.lane, call.message == nil {
                calls[id]?.continuation = nil
                actions.answers.append((continuation, .failure(.unknownOutcome(node: name))))
                if let connection = lanes[lane].connection { actions.cancels.append((connection, id)) }
            } else {
                fail(id, .unreachable(node: name), &actions)
            }
        }
        waiting.removeAll { calls[$0] == nil }
        for lane in lanes.indices { lanes[lane].queue.removeAll { calls[$0] == nil } }
    }

    /// Fails what a lane was at, and frees it for a new connection.
    mutating func reset(_ lane: Int, _ actions: inout PeerActions) {
        let (queue, sent) = (lanes[lane].queue, lanes[lane].sent)
        lanes[lane] = Lane(bytes: lanes[lane].bytes)
        for id in sent.sorted() { fail(id, .unknownOutcome(node: name), &actions) }
        for id in queue { fail(id, .unreachable(node: name), &actions) }
    }

    /// The small lane, or the bulk lane with the least to do.
    private func lane(for size: Int) -> Int {
        guard size >= PeerLanes.bulkSize else { return 0 }
        return (1...PeerLanes.bulkLanes).min { lanes[$0].bytes < lanes[$1].bytes } ?? 0
    }
}
