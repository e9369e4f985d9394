import BlobStorage
import ClusterProtocol
import DiskFormat
import LinuxSystem
import ObjectModel
import ShardStorage
import StorageNode
import SystemInterface
import TestKit
import Testing

@Suite("A disk that its node lets go")
struct ReleasedDiskTests {
    private static let cluster = ClusterID(Identifier128(high: 1, low: 1))
    private static let id = DiskID(Identifier128(high: 2, low: 2))

    private static func open(_ files: any FileSystem) async throws -> ShardDisk {
        try await ShardDisk.open(
            fileSystem: files,
            expecting: DiskExpectation(cluster: cluster, disk: id),
            time: LinuxTime(),
            random: SeededRandom(seed: 1)
        )
    }

    /// Found by the simulator: the writer was kept, with the disk and its lock, and the disk could not be taken up
    /// again before the process ended.
    @Test("a writer that was begun meanwhile does not hold it")
    func begunMeanwhile() async throws {
        let disk = MemoryDisk()
        let identity = DiskIdentity(
            cluster: Self.cluster,
            disk: Self.id,
            site: SiteName("site-1"),
            node: NodeName("node-1"),
            epoch: 1,
            created: 0
        )
        try await ShardDisk.format(fileSystem: disk.mount(), identity: identity)
        let service = StorageNodeService(time: LinuxTime())
        service.host(HostedDisk(shards: try await Self.open(disk.mount()), journal: nil))
        // Gone in the middle of making the segment for the shard.
        disk.setLatency { operation, path, _ in
            if operation == .open, path.hasPrefix(DiskFolder.segments) { service.release(Self.id) }
        }
        let scheme = try #require(Scheme(dataCount: 4, parityCount: 2))
        let header = ShardHeader(
            shard: ShardID(blob: BlobID(incarnation: 1, lease: 1, sequence: 1), index: 0),
            group: GroupID(0),
            groupEpoch: 1,
            scheme: scheme,
            writeStamp: 5,
            bodyCapacity: 1 << 20
        )
        let answer = await service.answer(TransportMessage(header: ShardRequest.begin(Self.id, header).encoded()))
        disk.setLatency(nil)
        guard case .failure(.noSuchDisk) = try ShardResponse(encoded: answer.header) else {
            Issue.record("a writer of a disk that is not served")
            return
        }
        // Its lock is free again.
        _ = try await Self.open(disk.mount())
    }
}
