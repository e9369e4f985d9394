import ClusterProtocol
import Coordination
import Metadata
import S3Gateway

/// `/-/ready` and `/-/metrics` of a store.
enum StoreProbes {
    static func probes(_ store: Store, _ folder: DataFolder) -> S3Probes {
        S3Probes(
            ready: { problem(of: store) },
            metrics: { await metrics(store, folder) }
        )
    }

    /// Why the store is not ready; nil when it is.
    static func problem(of store: Store) -> String? { store.stopReason.map { "the store has stopped: \($0)" } }

    /// Prometheus text (https://prometheus.io/docs/instrumenting/exposition_formats/). `members`: nodes of the cluster,
    /// also those without a disk in use.
    static func metrics(_ store: Store, _ folder: DataFolder, members: Set<NodeMember> = []) async -> String {
        guard let status = try? await store.status() else { return "cairn_up 0\n" }
        var text = MetricText()
        text.add("cairn_up", "1 while metadata answers.", 1)
        text.add("cairn_ready", "1 while /-/ready is 200.", store.stopReason == nil ? 1 : 0)
        text.addContents(status)
        text.addMoves(status, store.mover.progress)
        let rewritesPaused = ((try? await store.metadata.classRewrites()) ?? []).count(where: \.isPaused)
        text.add("cairn_class_rewrites_paused", "Buckets whose rewriting an operator has paused.", rewritesPaused)
        text.addReach(status)
        text.addRepair(status)
        text.addGarbage(status)
        text.addVerification(status)
        text.addJournal(status, wanted: (try? await store.keepersWanted()) ?? 0)
        let nodes = members.union(status.disks.map { NodeMember(name: $0.record.node, site: $0.record.site) })
        text.addNodes(nodes, inMaintenance: (try? await store.maintenances().count) ?? 0, of: store)
        let isKitTaken = folder.isRecoveryKitTaken
        text.add("cairn_recovery_kit_taken", "1 once an operator has taken the recovery kit.", isKitTaken ? 1 : 0)
        text.addWork(failing: Set(await store.troubles().map(\.work)))
        text.addRoom(store.rooms(nearlyFull: status.disks.nearlyFull))
        for disk in status.disks { text.addDisk(disk, badShards: store.badShards.count(on: disk.record.id)) }
        text.addScrub(store.scrubber.status, disks: status.disks)
        return text.text
    }
}
