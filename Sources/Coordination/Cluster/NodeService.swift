internal import ClusterProtocol
internal import ObjectModel
package import StorageNode
package import SystemInterface

/// Answers the calls to a node: of the coordinator all, of other nodes what their gateways need (`StorageNodeService`),
/// of strangers none.
package struct NodeService: Sendable {
    private let agent: NodeAgent
    private let feed: GatewayFeed
    private let onRefusal: RefusalReport
    private let onDismissal: DismissalReport

    /// `onRefusal` and `onDismissal`: for the log.
    package init(
        agent: NodeAgent,
        feed: GatewayFeed,
        onRefusal: @escaping RefusalReport = { _, _ in },
        onDismissal: @escaping DismissalReport = { _, _ in }
    ) {
        self.agent = agent
        self.feed = feed
        self.onRefusal = onRefusal
        self.onDismissal = onDismissal
    }

    package func answer(_ message: TransportMessage, from caller: ClusterCaller) async -> TransportMessage {
        switch caller {
        case .coordinator:
            if CoordinatorMessageKind.kind(of: message.header) == CoordinatorMessageKind.gatewayCall {
                return TransportMessage(header: await feed.answer(message.header).encoded)
            }
            return await agent.answer(message)
        case .node(let name, let generation, let address):
            guard feed.counts(name, generation: generation) else {
                onDismissal(name, address)
                return TransportMessage(header: GatewayResponse.refused("the certificate counts no more").encoded)
            }
            return await agent.service.answer(message, fromGateway: name, leases: feed) { onRefusal(name, $0) }
        case .stranger:
            return TransportMessage(header: GatewayResponse.refused("only members may call this").encoded)
        }
    }
}
