import ClusterTransport
import Coordination
import LinuxSystem
import Logging
import ObjectModel
import Synchronization
import SystemInterface

extension ClusterCaller {
    /// What a connection's certificate says; nil is a client without one.
    init(_ peer: ClusterPeer?, at address: String) {
        switch peer?.role {
        case .coordinator: self = .coordinator
        case .node: self = .node(NodeName(peer?.name ?? ""), generation: peer?.generation ?? 0, address: address)
        case nil: self = .stranger(address: address)
        }
    }
}

/// Warns of nodes that ask for what is not theirs, or are no members any more: once a minute and node, so that none of
/// them fills the log.
final class RefusalLog: Sendable {
    private static let interval = Duration.seconds(60)

    private struct Entry {
        var said: MonotonicTime
        /// Refused since then without a word.
        var silent = 0
    }

    private let logger: Logger
    private let time = LinuxTime()
    /// As many as the cluster has members: names come from certificates.
    private let entries = Mutex<[NodeName: Entry]>([:])

    init(_ logger: Logger) { self.logger = logger }

    @Sendable func report(_ caller: NodeName, _ what: String) {
        guard let others = turn(of: caller) else { return }
        logger.warning(
            "a node was refused what is not its to ask: is it of this version? If so, look for an intruder on it",
            metadata: ["node": "\(caller)", "what": "\(what)", "unreported before": "\(others)"]
        )
    }

    @Sendable func reportDismissed(_ caller: NodeName, _ address: String) {
        guard let others = turn(of: caller) else { return }
        logger.warning(
            "a machine that was removed or replaced still runs, and was refused: stop it, or let it join anew",
            metadata: [
                "node": "\(caller)", "address": "\(address)", "unreported before": "\(others)",
                "token to join anew": "cairn admin node token --replace \(caller)",
            ]
        )
    }

    /// How many were refused without a word since the last; nil while nothing is to be said of this one either.
    private func turn(of caller: NodeName) -> Int? {
        let now = time.monotonic
        return entries.withLock { entries -> Int? in
            if let entry = entries[caller], now.duration(since: entry.said) < Self.interval {
                entries[caller]?.silent += 1
                return nil
            }
            defer { entries[caller] = Entry(said: now) }
            return entries[caller]?.silent ?? 0
        }
    }
}
