import Synchronization
import SystemInterface
import TestKit

/// What a network does to messages; each way of a call draws for itself.
package struct NetworkProfile: Hashable, Sendable {
    /// Microseconds that a message takes; that they differ is what reorders messages.
    package var delay: ClosedRange<Int>
    /// Messages in a thousand that take a hundred times as long.
    package var slowPerThousand: Int
    /// Messages in a thousand that never arrive.
    package var lossPerThousand: Int
    /// Requests in a thousand that are carried out twice.
    package var duplicatePerThousand: Int

    package init(
        delay: ClosedRange<Int>,
        slowPerThousand: Int = 0,
        lossPerThousand: Int = 0,
        duplicatePerThousand: Int = 0
    ) {
        self.delay = delay
        self.slowPerThousand = slowPerThousand
        self.lossPerThousand = lossPerThousand
        self.duplicatePerThousand = duplicatePerThousand
    }

    /// Quick, and nothing is lost: calls within one machine.
    package static let calm = NetworkProfile(delay: 5...50)
    /// Slow at times, lossy, and given to repeating itself.
    package static let rough = NetworkProfile(
        delay: 50...2_000,
        slowPerThousand: 20,
        lossPerThousand: 20,
        duplicatePerThousand: 10
    )
}

/// What answers calls by who calls: the name of the calling process stands for what its certificate proves.
package protocol PeerService: Sendable {
    func answer(_ message: TransportMessage, from process: String) async -> TransportMessage
}

/// The network between simulated processes.
package final class SimulatedNetwork: Sendable {
    private struct Link: Hashable {
        var from: String
        var to: String
    }

    private struct Service {
        var service: any PeerService
        var process: String
        var life: ProcessLife
    }

    private struct State {
        var profile = NetworkProfile.calm
        var generator: SplitMix64
        var services: [String: Service] = [:]
        var cuts: Set<Link> = []
        var mayRepeat: @Sendable (TransportMessage) -> Bool = { _ in true }
        var repeated = 0
    }

    /// A connection whose peer gives no sign of life for so long is given up, with the calls on it
    /// (`ClusterClient` does the same).
    private static let silence = Duration.seconds(5)

    private let state: Mutex<State>
    private let time: SimulatedTime
    private let trace: Trace

    init(generator: SplitMix64, time: SimulatedTime, trace: Trace) {
        state = Mutex(State(generator: generator))
        self.time = time
        self.trace = trace
    }

    package var profile: NetworkProfile {
        get { state.withLock { $0.profile } }
        set { state.withLock { $0.profile = newValue } }
    }

    /// Which requests `duplicatePerThousand` is about; all, unless said.
    package func mayRepeat(_ rule: @escaping @Sendable (TransportMessage) -> Bool) {
        state.withLock { $0.mayRepeat = rule }
    }

    /// Requests that were sent twice.
    package var repeated: Int { state.withLock { $0.repeated } }

    /// Drops every message from one process to another, and only that way.
    package func cut(from: String, to: String) {
        trace.record("network cut \(from) > \(to)")
        state.withLock { _ = $0.cuts.insert(Link(from: from, to: to)) }
    }

    /// Ends one cut.
    package func heal(from: String, to: String) {
        trace.record("network heal \(from) > \(to)")
        state.withLock { _ = $0.cuts.remove(Link(from: from, to: to)) }
    }

    /// Ends all cuts.
    package func heal() {
        trace.record("network heal")
        state.withLock { $0.cuts = [] }
    }

    func register(_ node: String, _ service: any PeerService, process: String, life: ProcessLife) {
        state.withLock { $0.services[node] = Service(service: service, process: process, life: life) }
    }

    func removeServices(of process: String) {
        state.withLock { state in state.services = state.services.filter { $0.value.process != process } }
    }

    func call(
        _ node: String,
        from process: String,
        _ message: TransportMessage,
        timeout: Duration
    ) async -> Result<TransportMessage, TransportError> {
        let exchange = Exchange()
        let timer = Task {
            await wait(for: node, from: process, exchange, timeout)
            exchange.resolve(.failure(.unknownOutcome(node: node)))
        }
        let isDouble = isDouble(message)
        for _ in 0..<(isDouble ? 2 : 1) {
            Task { await carry(message, to: node, from: process, exchange) }
        }
        let result = await withTaskCancellationHandler {
            await exchange.value()
        } onCancel: {
            exchange.resolve(.failure(.unknownOutcome(node: node)))
        }
        timer.cancel()
        return result
    }

    private func isDouble(_ message: TransportMessage) -> Bool {
        let (isDrawn, rule) = state.withLock { state in
            (state.generator.strikes(state.profile.duplicatePerThousand), state.mayRepeat)
        }
        guard isDrawn, rule(message) else { return false }
        state.withLock { $0.repeated += 1 }
        return true
    }

    /// Returns when the call's time is up, or its peer has been silent for long.
    private func wait(for node: String, from process: String, _ exchange: Exchange, _ timeout: Duration) async {
        let first = state.withLock { $0.services[node]?.life }
        var left = timeout
        while left > .zero, !Task.isCancelled {
            let step = min(left, Self.silence)
            guard (try? await time.sleep(for: step)) != nil else { return }
            left -= step
            if exchange.isLost || !isAnswering(node, first, to: process) { return }
        }
    }

    /// Whether a sign of life would arrive.
    private func isAnswering(_ node: String, _ life: ProcessLife?, to process: String) -> Bool {
        state.withLock { state in
            guard let target = state.services[node], target.life === life, target.life.isRunning else { return false }
            return !state.cuts.contains(Link(from: process, to: target.process))
                && !state.cuts.contains(Link(from: target.process, to: process))
        }
    }

    /// One request and its answer, if both arrive.
    private func carry(_ message: TransportMessage, to node: String, from process: String, _ exchange: Exchange) async {
        guard let target = await pass(from: process, toNode: node) else { return exchange.lose() }
        // What comes to a paused process waits in its machine.
        if target.life.isAlive { await target.life.gate() }
        guard target.life.isAlive, let service = state.withLock({ $0.services[node]?.service }) else {
            trace.record("network \(process) > \(node) refused")
            return exchange.resolve(.failure(.unreachable(node: node)))
        }
        let answer = await service.answer(message, from: process)
        await target.life.gate()
        guard target.life.isAlive else { return }
        guard await travel(from: target.process, to: process) else { return exchange.lose() }
        exchange.resolve(.success(answer))
    }

    /// The way to a node; a node that nobody serves refuses at once.
    private func pass(from process: String, toNode node: String) async -> (process: String, life: ProcessLife)? {
        let known = state.withLock { state in state.services[node].map { ($0.process, $0.life) } }
        guard await travel(from: process, to: known?.0 ?? node) else { return nil }
        return known.map { (process: $0.0, life: $0.1) } ?? (process: node, life: .ended)
    }

    /// Waits for as long as one message takes; false when it is lost.
    private func travel(from: String, to: String) async -> Bool {
        let (isLost, delay) = state.withLock { state in
            let profile = state.profile
            let isCut = state.cuts.contains(Link(from: from, to: to))
            let isLost = state.generator.strikes(profile.lossPerThousand) || isCut
            let isSlow = state.generator.strikes(profile.slowPerThousand)
            let delay = Int.random(in: profile.delay, using: &state.generator)
            return (isLost, delay * (isSlow ? 100 : 1))
        }
        trace.record("network \(from) > \(to) \(isLost ? "lost" : "\(delay) us")")
        if isLost { return false }
        try? await time.sleep(for: .microseconds(delay))
        return true
    }
}

extension SplitMix64 {
    /// True this often in a thousand draws.
    mutating func strikes(_ perThousand: Int) -> Bool { next() % 1_000 < UInt64(max(0, perThousand)) }
}

extension ProcessLife {
    /// Of a process that never was.
    fileprivate static let ended: ProcessLife = {
        let life = ProcessLife()
        life.kill()
        return life
    }()
}

/// The outcome of one call: whatever comes first.
private final class Exchange: Sendable {
    private struct State {
        var result: Result<TransportMessage, TransportError>?
        var isLost = false
        var waiter: UnsafeContinuation<Result<TransportMessage, TransportError>, Never>?
    }

    private let state = Mutex(State())

    func resolve(_ result: Result<TransportMessage, TransportError>) {
        let waiter = state.withLock { state -> UnsafeContinuation<Result<TransportMessage, TransportError>, Never>? in
            guard state.result == nil else { return nil }
            state.result = result
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: result)
    }

    /// A message of it has not arrived.
    func lose() { state.withLock { $0.isLost = true } }
    var isLost: Bool { state.withLock { $0.isLost } }

    /// Asked once.
    func value() async -> Result<TransportMessage, TransportError> {
        await withUnsafeContinuation { continuation in
            let result = state.withLock { state in
                if state.result == nil { state.waiter = continuation }
                return state.result
            }
            if let result { continuation.resume(returning: result) }
        }
    }
}
