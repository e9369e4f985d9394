import ClusterProtocol
import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import SystemInterface

/// Real messages of membership, slots and gateways, of every kind.
enum ClusterSeeds {
    private static let cluster = ClusterID(Identifier128(high: 1, low: 2))
    private static let disk = DiskID(Identifier128(high: 3, low: 4))
    private static let shard = ShardID(blob: BlobID(incarnation: 3, lease: 4, sequence: 5), index: 5)
    private static let node = NodeAddress(name: NodeName("n-1"), site: SiteName("s"), host: "10.0.0.1", port: 7_400)

    static func all() throws -> [[UInt8]] {
        nodeCalls() + nodeResponses() + coordinatorCalls() + (try coordinatorResponses()) + gatewayMessages()
    }

    private static func nodeCalls() -> [[UInt8]] {
        let expected = ExpectedDisk(cluster: cluster, disk: disk, epoch: 2, wantsLog: true, isReturning: true)
        let requests: [NodeRequest] = [
            .survey, .format(slot: "disk-1", NewDisk(cluster: cluster, disk: disk)),
            .open(slot: "disk-1", expected), .release(disk), .reopenLog(disk), .renewLog(disk), .watch, .compact, .mend,
        ]
        return requests.map { NodeCall(incarnation: 7, request: $0).encoded }
    }

    private static func nodeResponses() -> [[UInt8]] {
        let findings: [SlotReport.Finding] = [.disk(cluster, disk), .empty, .unusable("EIO"), .occupied("a")]
        let hosted = HostedDiskReport(
            disk: disk,
            slot: "disk-1",
            failure: "EIO",
            isInPlace: false,
            log: .failed,
            hasJournalRoom: true,
            journalRoom: 9 << 20,
            wantsCheckpoint: true
        )
        let refusals: [NodeRefusal] = [
            .superseded(9), .noSuchSlot("d"), .notEmpty("x"), .failed("EIO"), .busy, .notServed,
        ]
        let responses: [NodeResponse] = [
            .slots(findings.map { SlotReport(slot: "disk-1", path: "/srv/1", finding: $0) }),
            .opened(OpenedDisk(hasLog: true, isUnused: false)), .disks([hosted]), .bad([shard]), .count(3), .done,
        ]
        return (responses + refusals.map { .refused($0) }).map(\.encoded)
    }

    private static func coordinatorCalls() -> [[UInt8]] {
        let beat = NodeBeat(
            address: node,
            incarnation: 3,
            mapVersion: 4,
            credentialsVersion: 5,
            suspects: [shard],
            degraded: [shard.blob]
        )
        var named = beat
        named.process = 6
        let join = JoinRequest(secret: [1, 2], name: node.name, site: node.site, publicKey: "-----BEGIN")
        let calls: [CoordinatorCall] = [.join(join), .renew(publicKey: "-----BEGIN"), .beat(beat), .beat(named)]
        return calls.map(\.encoded)
    }

    private static func coordinatorResponses() throws -> [[UInt8]] {
        guard let scheme = Scheme(dataCount: 2, parityCount: 1) else { throw FuzzFinding("a scheme of three shards") }
        let group = MapUpdate.Group(id: GroupID(1), epoch: 2, scheme: scheme, members: [disk, disk, disk])
        let state = ClusterState(
            incarnation: 3,
            region: "eu-1",
            map: MapUpdate(
                version: 9,
                nodes: [node],
                disks: [MapUpdate.Disk(id: disk, site: node.site, node: node.name)],
                groups: [group],
                classes: [StorageClass(name: "COLD", scheme: scheme)]
            ),
            credentials: CredentialsUpdate(
                version: 4,
                entries: [.init(user: "u", displayName: "U", accessKey: "AK", secretKey: "SK")]
            ),
            conditions: [DiskFitness(disk: disk, isUsable: true, room: 1 << 40)],
            leases: [HeldLease(lease: shard.blob.writeLease, holder: node.name)]
        )
        let empty = ClusterState(incarnation: 0, region: "", map: nil, credentials: nil, conditions: [], leases: nil)
        let responses: [CoordinatorResponse] = [
            .joined(NodeCertificate(cluster: cluster, certificate: "c", authority: "a")), .state(state), .state(empty),
            .refused("no"),
        ]
        return responses.map(\.encoded)
    }

    private static func gatewayMessages() -> [[UInt8]] {
        let calls: [GatewayCall] = [
            .held([shard.blob]), .follow(incarnation: 9, host: "::1", port: 7_400), .nodes,
        ]
        let responses: [GatewayResponse] = [.held([shard.blob]), .nodes([node]), .refused("no")]
        return calls.map(\.encoded) + responses.map(\.encoded)
    }
}

/// Real metadata calls of gateways and their answers, of every kind.
enum MetadataMessageSeeds {
    private static let lease = WriteLease(incarnation: 1, number: 1)
    private static let bucket = Bucket(
        name: "ct",
        owner: MetadataSeeds.owner,
        region: "us-east-1",
        created: WallTime(milliseconds: 1_000)
    )
    private static let error = StorageError(.preconditionFailed, "no")

    static func all() -> [[UInt8]] { requests().map(\.encoded) + responses().map(\.encoded) }

    private static func requests() -> [MetadataRequest] {
        let (part, id) = (MetadataSeeds.part, MetadataSeeds.upload.upload.id)
        return [
            .createBucket(bucket), .deleteBucket("ct"), .bucket("ct"), .buckets(owner: nil),
            .buckets(owner: MetadataSeeds.owner),
            .commit(
                WriteTransaction(
                    lease: lease,
                    blobs: [MetadataSeeds.blob],
                    writes: [
                        .version(MetadataSeeds.version, .matches("*")), .part(part, bucket: "ct", key: "a/c"),
                    ]
                )
            ),
            .commit(WriteTransaction(lease: nil, blobs: [], writes: [.version(MetadataSeeds.version, .isAbsent)])),
            .version(bucket: "ct", key: "a/b"),
            .delete(bucket: "ct", [DeleteRequest(bucket: "ct", key: "a/b", version: .id("v"), condition: .none)]),
            .putTags(bucket: "ct", key: "a/b", tags: [ObjectTag(key: "k", value: "v")]),
            .list(ListRequest(bucket: "ct", prefix: "a", delimiter: "/", after: "a/a", limit: 10)),
            .createUpload(MetadataSeeds.upload), .upload(bucket: "ct", key: "a/c", id: id),
            .listUploads(ListUploadsRequest(bucket: "ct", limit: 10)), .parts(of: id, after: 0, limit: 10),
            .complete(completion(id)), .abortUpload(bucket: "ct", key: "a/c", id: id), .grantLease, .endLease(lease),
            .activeLeases,
        ]
    }

    private static func completion(_ id: UploadID) -> CompleteTransaction {
        CompleteTransaction(
            request: CompleteUploadRequest(
                bucket: "ct",
                key: "a/c",
                upload: id,
                parts: [
                    .init(number: 1, eTag: "e", checksum: DeclaredChecksum(algorithm: .crc32, value: [1, 2, 3, 4]))
                ],
                condition: .isAbsent,
                checksum: DeclaredChecksum(algorithm: .sha1, value: [9]),
                checksumParts: 1,
                checksumKind: .composite,
                objectLength: 262_244
            ),
            modified: WallTime(milliseconds: 6_000),
            eTag: "0123456789abcdef0123456789abcdef-1",
            checksum: nil,
            parts: [MetadataSeeds.part]
        )
    }

    private static func responses() -> [MetadataResponse] {
        let (version, blob) = (MetadataSeeds.version, MetadataSeeds.blob)
        let uploads = ListUploadsPage(
            uploads: [MetadataSeeds.upload.upload],
            commonPrefixes: ["a/"],
            isTruncated: true,
            nextKeyMarker: "a/c",
            nextUploadMarker: "up"
        )
        return [
            .failed(error), .done, .bucket(bucket), .bucket(nil), .buckets([bucket]),
            .outcomes([.success(CommitOutcome(number: 7)), .failure(error)]), .version(nil),
            .version(VersionDetail(version: version, blobs: [blob.id: blob])),
            .deletions([.success(DeleteResult(existed: true)), .failure(error)]),
            .list(ListPage(entries: [.object(version.summary), .commonPrefix("a/")], isTruncated: true)),
            .upload(MetadataSeeds.upload), .upload(nil), .listUploads(uploads),
            .parts([MetadataSeeds.part], isTruncated: false), .completed(CommitOutcome(number: 8)), .lease(lease),
            .leases([(lease: lease, holder: NodeName("n"))]),
        ]
    }
}
