import ClusterTransport
import Coordination
import LinuxSystem
import Logging
import ObjectModel

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
    private let logger: Logger
    private let turns = LogTurns<NodeName>(time: LinuxTime())

    init(_ logger: Logger) { self.logger = logger }

    @Sendable func report(_ caller: NodeName, _ what: String) {
        guard let others = turns.take(caller) else { return }
        logger.warning(
            "a node was refused what is not its to ask: is it of this version? If so, look for an intruder on it",
            metadata: ["node": "\(caller)", "what": "\(what)", "unreported before": "\(others)"]
        )
    }

    @Sendable func reportDismissed(_ caller: NodeName, _ address: String) {
        guard let others = turns.take(caller) else { return }
        logger.warning(
            "a machine that was removed or replaced still runs, and was refused: stop it, or let it join anew",
            metadata: [
                "node": "\(caller)", "address": "\(address)", "unreported before": "\(others)",
                "token to join anew": "cairn admin node token --replace \(caller)",
            ]
        )
    }
}
