import ClusterTransport
import LinuxSystem
import Logging
import ObjectModel

/// Warns of nodes under whose name several processes run, once a minute and node.
final class CopiesLog: Sendable {
    private let logger: Logger
    private let turns = LogTurns<NodeName>(time: LinuxTime())

    init(_ logger: Logger) { self.logger = logger }

    @Sendable func report(_ name: NodeName, _ places: [String]) {
        guard turns.take(name) != nil else { return }
        logger.warning(
            """
            several processes run as one node: stop the copy, and keep the one whose disks are the store's; replace \
            and retire no disk of it meanwhile
            """,
            metadata: ["node": "\(name)", "processes": "\(places.joined(separator: ", "))"]
        )
    }
}
