package import BlobStorage
internal import ClusterProtocol
internal import Coordination
internal import DiskFormat
internal import ObjectModel
internal import Placement
internal import ShardStorage
internal import StorageNode
package import SystemInterface

/// Disks that were opened for recovery, served inside this process: reads with reconstruction, from wherever the shards
/// lie. Nothing that goes through here changes a disk.
package final class RecoveryCluster: Sendable {
    package let disks: RecoveryDisks
    package let blobs: BlobStore
    package let pool: BufferPool
    let time: any TimeSource
    let transport: LocalTransport

    private static let node = NodeName("recovery")

    package init(_ disks: RecoveryDisks, time: any TimeSource, random: any RandomSource, pool: BufferPool) {
        self.disks = disks
        self.time = time
        self.pool = pool
        let service = StorageNodeService(time: time)
        let view = ClusterView()
        var map = ClusterMap()
        for disk in disks.disks {
            let id = disk.identity.disk
            service.host(HostedDisk(shards: disk.shards, journal: disk.journal))
            map.disks[id] = PlacementDisk(id: id, site: disk.identity.site, node: Self.node)
            view.update(id, condition: DiskCondition(isUsable: true, room: 0))
        }
        view.update(map: map)
        transport = LocalTransport(time: time)
        transport.register(Self.node.name, service)
        blobs = BlobStore(transport: transport, view: view, time: time, random: random, pool: pool)
    }

    /// How long one call to a disk of this process may take: a disk that is dying is slow.
    private static let timeout = Duration.seconds(120)

    /// Those of the disks that keep a log.
    var keepers: [any KeeperClient] {
        disks.disks.filter { $0.journal != nil }.map {
            TransportKeeperClient(
                keeper: $0.identity.disk,
                node: Self.node.name,
                transport: transport,
                timeout: Self.timeout
            )
        }
    }

    /// Disks that hold a shard, by path.
    func holders(of shard: ShardID) -> [RecoveryDisk] { disks.disks.filter { $0.shards.contains(shard) } }
}
