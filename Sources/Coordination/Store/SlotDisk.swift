internal import DiskFormat
internal import ObjectModel
internal import ShardStorage
internal import SystemInterface

/// How the disks of one store are formatted and opened: the same at a start, for a replacement and for a return.
struct SlotDisk {
    let cluster: ClusterID
    let configuration: ShardDiskConfiguration
    let time: any TimeSource
    let random: any RandomSource

    /// Makes an empty folder a disk of this store in its first epoch. Throws `.notEmpty` when anything is in it.
    func format(
        _ fileSystem: any FileSystem,
        slot: StoreSlot,
        id: DiskID
    ) async throws(ShardStorageError) {
        let identity = DiskIdentity(
            cluster: cluster,
            disk: id,
            site: slot.site,
            node: slot.node,
            epoch: 1,
            created: time.wall.milliseconds
        )
        try await ShardDisk.format(fileSystem: fileSystem, identity: identity)
    }

    /// Opens the disk of that id, and none that is older than `epoch`.
    func open(
        _ fileSystem: any FileSystem,
        id: DiskID,
        epoch: UInt32 = 0
    ) async throws(ShardStorageError) -> ShardDisk {
        try await ShardDisk.open(
            fileSystem: fileSystem,
            expecting: DiskExpectation(cluster: cluster, disk: id, epoch: epoch),
            time: time,
            random: random,
            configuration: configuration
        )
    }
}
