import Synchronization

/// Calls between parts of one process: messages are handed over by reference.
///
/// At most `callsPerNode` calls are in progress at a node; further callers wait their turn, in order. A call that waits
/// for its turn longer than its timeout was `.unreachable`; one that waits longer for its answer, or whose task is
/// cancelled meanwhile, is `.unknownOutcome`: the service's task is cancelled, and keeps its place until it returns.
/// A timeout strikes up to `resolution` late.
package final class LocalTransport: Transport {
    /// Calls in progress at one node: more than its disks can work on, and a bound on what a hung node holds in memory.
    package static let callsPerNode = 1_024
    /// How often timeouts are looked at while calls are in progress; a timer per call would cost more than the call.
    package static let resolution = Duration.milliseconds(20)

    fileprivate struct Pending {
        let node: String
        let deadline: MonotonicTime
        let continuation: CheckedContinuation<Result<TransportMessage, TransportError>, Never>
        var message: TransportMessage?
        var task: Task<Void, Never>?
    }

    fileprivate struct Node {
        var service: (any TransportService)?
        var inProgress = 0
        var waiting: [UInt64] = []
    }

    fileprivate struct State {
        var nodes: [String: Node] = [:]
        var pending: [UInt64: Pending] = [:]
        var cancelled: Set<UInt64> = []
        var nextCall: UInt64 = 0
        var isSweeping = false
    }

    private let time: any TimeSource
    private let executor: (any TaskExecutor)?
    private let state = Mutex(State())

    /// `executor`: where services go on after each wait; nil is the global executor.
    package init(time: any TimeSource, executor: (any TaskExecutor)? = nil) {
        self.time = time
        self.executor = executor
    }

    /// Makes `service` answer the calls to `node`, in place of any other.
    package func register(_ node: String, _ service: any TransportService) {
        state.withLock { $0.nodes[node, default: Node()].service = service }
    }

    /// Calls to `node` are `.unreachable` from now on; those in progress go on.
    package func remove(_ node: String) {
        let stranded = state.withLock { state in
            let waiting = state.nodes[node]?.waiting ?? []
            state.nodes[node]?.service = nil
            state.nodes[node]?.waiting = []
            return waiting.compactMap { state.pending.removeValue(forKey: $0) }
        }
        for call in stranded { call.continuation.resume(returning: .failure(.unreachable(node: node))) }
    }

    package func call(
        _ node: String,
        _ message: TransportMessage,
        timeout: Duration
    ) async throws(TransportError) -> TransportMessage {
        let id = state.withLock { state in
            state.nextCall += 1
            return state.nextCall
        }
        let deadline = time.monotonic.advanced(by: timeout)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                begin(
                    id,
                    Pending(node: node, deadline: deadline, continuation: continuation, message: message)
                )
            }
        } onCancel: {
            cancel(id)
        }
        // A cancellation that came after the answer left a note.
        if Task.isCancelled { state.withLock { _ = $0.cancelled.remove(id) } }
        return try result.get()
    }
}

// MARK: The course of a call

extension LocalTransport {
    private func begin(_ id: UInt64, _ call: Pending) {
        let (refusal, startsSweeping): (TransportError?, Bool) = state.withLock { state in
            if state.cancelled.remove(id) != nil || state.nodes[call.node]?.service == nil {
                return (.unreachable(node: call.node), false)
            }
            state.pending[id] = call
            state.nodes[call.node]?.waiting.append(id)
            defer { state.isSweeping = true }
            return (nil, !state.isSweeping)
        }
        if let refusal { return call.continuation.resume(returning: .failure(refusal)) }
        startNext(call.node, isCaller: true)
        if startsSweeping { Task { await sweep() } }
    }

    /// Starts the calls whose turn it is.
    ///
    /// A caller's own call starts on its thread, without a hop between threads. One that waited starts on a new task,
    /// so that a long queue of quick calls never becomes a deep stack.
    private func startNext(_ node: String, isCaller: Bool) {
        while let (id, message, service) = state.withLock({ $0.takeTurn(node) }) {
            let task =
                isCaller
                ? Task.immediate(executorPreference: executor) { await serve(id, message, at: node, by: service) }
                : Task { await serve(id, message, at: node, by: service) }
            let isOver = state.withLock { state in
                state.pending[id]?.task = task
                return state.pending[id] == nil
            }
            // Answered already, or given up between its turn and here: cancelling the former does nothing.
            if isOver { task.cancel() }
        }
    }

    private func serve(
        _ id: UInt64,
        _ message: TransportMessage,
        at node: String,
        by service: any TransportService
    ) async {
        let answer = await service.answer(message)
        finish(id, .success(answer))
        leave(node)
    }

    private func leave(_ node: String) {
        state.withLock { $0.nodes[node]?.inProgress -= 1 }
        startNext(node, isCaller: false)
    }

    private func finish(_ id: UInt64, _ result: Result<TransportMessage, TransportError>) {
        state.withLock { $0.pending.removeValue(forKey: id) }?.continuation.resume(returning: result)
    }

    private func cancel(_ id: UInt64) {
        let isKnown = state.withLock { state in
            if state.pending[id] == nil { state.cancelled.insert(id) }
            return state.pending[id] != nil
        }
        // Not here: the runtime holds a lock of the task that would go on inline.
        if isKnown { Task { giveUp([id]) } }
    }

    private func giveUp(_ calls: [UInt64]) {
        for id in calls {
            guard let call = state.withLock({ $0.drop(id) }) else { continue }
            call.task?.cancel()
            let wasStarted = call.message == nil
            call.continuation.resume(
                returning: .failure(
                    wasStarted ? .unknownOutcome(node: call.node) : .unreachable(node: call.node)
                )
            )
        }
    }

    /// Looks at the timeouts for as long as there are calls.
    private func sweep() async {
        while true {
            try? await time.sleep(for: Self.resolution)
            let now = time.monotonic
            let late = state.withLock { state -> [UInt64]? in
                state.isSweeping = !state.pending.isEmpty
                guard state.isSweeping else { return nil }
                return state.pending.filter { $0.value.deadline <= now }.keys.sorted()
            }
            guard let late else { return }
            giveUp(late)
        }
    }
}

extension LocalTransport.State {
    /// The call that may start now; nil when none waits or the node has its fill.
    fileprivate mutating func takeTurn(_ node: String) -> (UInt64, TransportMessage, any TransportService)? {
        guard let known = nodes[node], let service = known.service,
            known.inProgress < LocalTransport.callsPerNode,
            let id = known.waiting.first, let message = pending[id]?.message
        else { return nil }
        nodes[node]?.waiting.removeFirst()
        nodes[node]?.inProgress += 1
        pending[id]?.message = nil
        return (id, message, service)
    }

    /// Takes a call out that nobody waits for any longer.
    fileprivate mutating func drop(_ id: UInt64) -> LocalTransport.Pending? {
        guard let call = pending.removeValue(forKey: id) else { return nil }
        if call.message != nil { nodes[call.node]?.waiting.removeAll { $0 == id } }
        return call
    }
}
