import ClusterProtocol
import DiskFormat
import ObjectModel
import Synchronization
import SystemInterface
import TestKit

/// The way from the store to its disks: disturbs the messages to one of them, and watches what is erased.
final class StoreLink: Sendable {
    /// Of a disturbed disk's messages, in a hundred.
    private static let lostPercent: UInt64 = 10
    private static let doublePercent: UInt64 = 10
    private static let latePercent: UInt64 = 20
    /// Microseconds that a late message or answer takes.
    private static let lateness: UInt64 = 300_000

    private struct State {
        var disturbedSlot: String?
        /// The disk in each slot, as metadata last said.
        var slots: [DiskID: String] = [:]
        var generator: SplitMix64
        var repeated = 0
    }

    /// What a message meets on its way.
    fileprivate struct Fate {
        var isLostOnTheWay = false
        var isAnswerLost = false
        var isDouble = false
        var delay = 0
    }

    let watch: ErasureWatch
    private let state: Mutex<State>

    init(seed: UInt64, watch: ErasureWatch) {
        self.watch = watch
        state = Mutex(State(generator: SplitMix64(seed: seed)))
    }

    func disturb(slot: String) { state.withLock { $0.disturbedSlot = slot } }
    func calm() { state.withLock { $0.disturbedSlot = nil } }

    /// Calls that were carried out twice.
    var repeated: Int { state.withLock { $0.repeated } }
    fileprivate func noteRepeated() { state.withLock { $0.repeated += 1 } }

    /// Which disk stands in which slot.
    func know(_ slots: [DiskID: String]) { state.withLock { $0.slots = slots } }

    func wrapping(_ transport: any Transport, time: any TimeSource) -> any Transport {
        Wrapped(link: self, transport: transport, time: time)
    }

    // MARK: Disturbed

    fileprivate func fate(of disk: DiskID) -> Fate {
        state.withLock { state in
            guard let slot = state.disturbedSlot, state.slots[disk] == slot else { return Fate() }
            let draws = (state.generator.next() % 100, state.generator.next() % 100, state.generator.next() % 100)
            return Fate(
                isLostOnTheWay: draws.0 < Self.lostPercent / 2,
                isAnswerLost: draws.0 < Self.lostPercent,
                isDouble: draws.1 < Self.doublePercent,
                delay: draws.2 < Self.latePercent ? Int(state.generator.next() % Self.lateness) : 0
            )
        }
    }
}

private struct Wrapped: Transport {
    private static let patience = Duration.seconds(2)

    let link: StoreLink
    let transport: any Transport
    let time: any TimeSource

    func call(
        _ node: String,
        _ message: TransportMessage,
        timeout: Duration
    ) async throws(TransportError) -> TransportMessage {
        let (request, disk, canRepeat) = watch(message)
        let fate = disk.map { link.fate(of: $0) } ?? StoreLink.Fate()
        if fate.delay > 0 { try? await time.sleep(for: .microseconds(fate.delay)) }
        if fate.isLostOnTheWay {
            // The caller learns of it when its patience, or the connection's, ends.
            try? await time.sleep(for: min(timeout, Self.patience))
            throw .unknownOutcome(node: node)
        }
        var first: TransportMessage?
        if fate.isDouble && canRepeat {
            link.noteRepeated()
            first = try? await transport.call(node, message, timeout: timeout)
            if let request, let first { link.watch.end(request, first) }
        }
        let answer = try await transport.call(node, message, timeout: timeout)
        if let request, first == nil { link.watch.end(request, answer) }
        if fate.isAnswerLost {
            try? await time.sleep(for: min(timeout, Self.patience))
            throw .unknownOutcome(node: node)
        }
        return answer
    }

    /// What a message asks of a disk, the disk that it is for, and whether it may arrive twice: HTTP repeats nothing by
    /// itself, so a message that hands out something or takes the next bytes of something does not.
    private func watch(_ message: TransportMessage) -> (request: ShardRequest?, disk: DiskID?, canRepeat: Bool) {
        if let call = try? KeeperCall(decoding: message.header) { return (nil, call.keeper, true) }
        guard let request = link.watch.begin(message) else { return (nil, nil, false) }
        switch request {
        case .begin, .append, .seal, .abort: return (request, request.disk, false)
        default: return (request, request.disk, true)
        }
    }
}
