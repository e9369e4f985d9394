internal import ClusterProtocol
internal import ObjectModel
package import SystemInterface

/// What a coordinator does for its cluster beside its store's own work: waits for the nodes of the run before, tells
/// nodes where it is, ends what silent nodes left.
package struct CoordinatorDuties: Sendable {
    /// Until which nodes of the last run are waited for at a start; and how long a node may take to hear of this one.
    package static let patience = Duration.seconds(5)
    private static let poll = Duration.milliseconds(100)
    /// How often the leases of silent nodes are looked for.
    private static let leaseCheck = Duration.seconds(20)

    private let membership: Membership
    private let transport: any Transport
    private let host: String
    private let port: Int
    private let time: any TimeSource

    /// `host` and `port`: where nodes reach this coordinator.
    package init(membership: Membership, transport: any Transport, host: String, port: Int, time: any TimeSource) {
        self.membership = membership
        self.transport = transport
        self.host = host
        self.port = port
        self.time = time
    }

    /// Nodes that were there in the last run, or have joined a moment ago, get a moment to beat.
    package func awaitNodes() async {
        let start = time.monotonic
        let known = Set(membership.nodes.map(\.name)).union(membership.expected)
        while time.monotonic.duration(since: start) < Self.patience {
            let present = Set(membership.present(within: Self.patience).map(\.name))
            if !known.isEmpty, known.isSubset(of: present) { return }
            guard (try? await time.sleep(for: Self.poll)) != nil else { return }
        }
    }

    /// The store's own work in the background, and what the cluster adds to it: until the store stops, or the task is
    /// cancelled.
    package func run(_ store: Store) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await store.run() }
            group.addTask {
                while (try? await time.sleep(for: Self.leaseCheck)) != nil { await membership.endLeasesOfTheSilent() }
            }
            group.addTask {
                while (try? await time.sleep(for: Self.patience)) != nil {
                    await announceToTheSilent(incarnation: store.journal.incarnation)
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Tells all nodes where the coordinator is: those of one that was elsewhere follow at once.
    package func announce(incarnation: UInt32) async {
        await announce(incarnation: incarnation, to: membership.nodes.map(\.name))
    }

    /// Nodes that were away when this coordinator began may still look for the one before.
    private func announceToTheSilent(incarnation: UInt32) async {
        let present = Set(membership.present(within: Self.patience).map(\.name))
        let silent = membership.nodes.map(\.name).filter { !present.contains($0) }
        guard !silent.isEmpty else { return }
        await announce(incarnation: incarnation, to: silent)
    }

    private func announce(incarnation: UInt32, to nodes: [NodeName]) async {
        let call = GatewayCall.follow(incarnation: incarnation, host: host, port: port)
        let message = TransportMessage(header: call.encoded)
        await withTaskGroup(of: Void.self) { group in
            for node in nodes {
                group.addTask { _ = try? await transport.call(node.name, message, timeout: Self.patience) }
            }
        }
    }
}
