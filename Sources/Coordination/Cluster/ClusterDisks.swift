package import BlobStorage
internal import ClusterProtocol
package import ObjectModel
internal import Placement
package import SystemInterface

/// The disks of a cluster as its nodes hold them, served to be read: for a coordinator that has no metadata yet.
package struct ClusterDisks: Sendable {
    /// Reads of the blobs on them.
    package let blobs: BlobStore
    /// The journal's keepers among them.
    package let keepers: [any KeeperClient]

    /// Has every disk of the cluster served that a node finds; the others are left alone.
    package static func open(
        of cluster: ClusterID,
        on nodes: [NodeMember],
        transport: any Transport,
        time: any TimeSource,
        random: any RandomSource
    ) async -> ClusterDisks {
        let calls = NodeCalls(transport: transport, incarnation: 0)
        let survey = await DiskSurvey.take(nodes, calls)
        let view = ClusterView()
        var map = ClusterMap()
        var keepers: [any KeeperClient] = []
        for (entry, found, disk) in survey.identities where found == cluster {
            let expected = ExpectedDisk(cluster: cluster, disk: disk)
            guard let opened = try? await calls.open(entry.place, expected) else { continue }
            map.disks[disk] = PlacementDisk(id: disk, site: entry.site, node: entry.place.node)
            guard opened.hasLog else { continue }
            keepers.append(
                TransportKeeperClient(
                    keeper: disk,
                    node: entry.place.node.name,
                    transport: transport,
                    timeout: StoreOpening.keeperTimeout
                )
            )
        }
        view.update(map: map)
        for disk in map.disks.keys { view.update(disk, condition: DiskCondition(isUsable: true, room: 0)) }
        return ClusterDisks(
            blobs: BlobStore(transport: transport, view: view, time: time, random: random),
            keepers: keepers
        )
    }
}
