import Coordination
import ObjectModel
import S3Gateway
import StorageNode
import SystemInterface

/// `/-/ready` and `/-/metrics` of a node: itself and its own disks. The store's numbers are the coordinator's.
enum NodeProbes {
    static func probes(_ node: RunningNode, site: String) -> S3Probes {
        S3Probes(
            ready: { node.feed.problem },
            metrics: { await metrics(node, site: site) }
        )
    }

    private static func metrics(_ node: RunningNode, site: String) async -> String {
        var text = MetricText()
        text.add("cairn_up", "1 while the node runs.", 1)
        text.add("cairn_ready", "1 while /-/ready is 200.", node.feed.problem == nil ? 1 : 0)
        text.add(
            "cairn_coordinator_silent_seconds",
            "Since the coordinator answered the node.",
            Int(node.feed.silence.components.seconds)
        )
        let statuses = await node.agent.service.statuses()
        for slot in node.agent.slots {
            let label = MetricText.disk(slot.name, node: slot.node.name, site: site)
            // A slot without a disk of the cluster is told too: that is what its operator looks for.
            text.addDisk(label, statuses.first { $0.slot == slot.name }?.status)
        }
        return text.text
    }
}
