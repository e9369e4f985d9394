package import ClusterProtocol
package import ObjectInterface
package import ObjectModel
package import SystemInterface

extension RemoteMetadataStore {
    // MARK: Write leases

    /// The holder is the node that calls, whatever `holder` is: the coordinator believes the connection only.
    package func grantLease(holder: NodeName) async throws(StorageError) -> WriteLease {
        try await ask(.grantLease) { if case .lease(let lease) = $0 { lease } else { nil } }
    }

    package func endLease(_ lease: WriteLease) async throws(StorageError) { try await perform(.endLease(lease)) }

    package func activeLeases() async throws(StorageError) -> [(lease: WriteLease, holder: NodeName)] {
        try await ask(.activeLeases) { if case .leases(let leases) = $0 { leases } else { nil } }
    }

    // MARK: The coordinator's own

    package func blob(_ id: BlobID) async throws(StorageError) -> BlobRecord? { throw Self.coordinatorsOwn("blob") }

    package func blobs(after id: BlobID?, limit: Int) async throws(StorageError) -> [BlobRecord] {
        throw Self.coordinatorsOwn("blobs")
    }

    package func missingShards(limit: Int) async throws(StorageError) -> [MissingShard] {
        throw Self.coordinatorsOwn("missingShards")
    }

    package func missingShardCount() async throws(StorageError) -> Int {
        throw Self.coordinatorsOwn("missingShardCount")
    }

    package func missingBlobs(
        spares: ClosedRange<Int>,
        after last: MissingBlob?,
        limit: Int
    ) async throws(StorageError) -> [MissingBlob] {
        throw Self.coordinatorsOwn("missingBlobs")
    }

    package func markMissing(_ shards: [PlacedShard]) async throws(StorageError) {
        throw Self.coordinatorsOwn("markMissing")
    }

    package func registerShards(_ shards: [NewShard]) async throws(StorageError) -> Set<ShardID> {
        throw Self.coordinatorsOwn("registerShards")
    }

    package func movingShards(
        of group: GroupID?,
        after last: MovingShard?,
        limit: Int
    ) async throws(StorageError) -> [MovingShard] {
        throw Self.coordinatorsOwn("movingShards")
    }

    package func deadBlobs(after id: BlobID?, limit: Int) async throws(StorageError) -> [BlobRecord] {
        throw Self.coordinatorsOwn("deadBlobs")
    }

    package func forgetBlobs(_ ids: [BlobID]) async throws(StorageError) { throw Self.coordinatorsOwn("forgetBlobs") }

    package func sparseBlobs(share: Double, limit: Int) async throws(StorageError) -> [BlobUsage] {
        throw Self.coordinatorsOwn("sparseBlobs")
    }

    package func owners(of blob: BlobID) async throws(StorageError) -> [BlobOwner] {
        throw Self.coordinatorsOwn("owners")
    }

    package func move(_ transaction: MoveTransaction) async throws(StorageError) -> [Bool] {
        throw Self.coordinatorsOwn("move")
    }

    package func putDisk(_ disk: DiskRecord) async throws(StorageError) { throw Self.coordinatorsOwn("putDisk") }

    package func disks() async throws(StorageError) -> [DiskRecord] { throw Self.coordinatorsOwn("disks") }

    package func putGroups(_ groups: [GroupRecord]) async throws(StorageError) {
        throw Self.coordinatorsOwn("putGroups")
    }

    package func groups() async throws(StorageError) -> [GroupRecord] { throw Self.coordinatorsOwn("groups") }

    package func addClass(_ item: StorageClass, groups: [GroupRecord]) async throws(StorageError) {
        throw Self.coordinatorsOwn("addClass")
    }

    package func removeClass(_ name: String) async throws(StorageError) { throw Self.coordinatorsOwn("removeClass") }

    package func classes() async throws(StorageError) -> [StorageClass] { throw Self.coordinatorsOwn("classes") }

    package func setBucketClass(_ bucket: String, _ name: String?) async throws(StorageError) {
        throw Self.coordinatorsOwn("setBucketClass")
    }

    package func beginClassRewrite(_ rewrite: ClassRewrite) async throws(StorageError) -> ClassRewrite {
        throw Self.coordinatorsOwn("beginClassRewrite")
    }

    package func pauseClassRewrite(_ bucket: String, _ isPaused: Bool) async throws(StorageError) -> Bool {
        throw Self.coordinatorsOwn("pauseClassRewrite")
    }

    package func endClassRewrite(_ bucket: String, before: UInt64?) async throws(StorageError) -> Bool {
        throw Self.coordinatorsOwn("endClassRewrite")
    }

    package func classRewrites() async throws(StorageError) -> [ClassRewrite] {
        throw Self.coordinatorsOwn("classRewrites")
    }

    package func beginMaintenance(_ maintenance: NodeMaintenance, now: WallTime) async throws(StorageError) {
        throw Self.coordinatorsOwn("beginMaintenance")
    }

    package func endMaintenance(_ site: SiteName, _ node: NodeName) async throws(StorageError) -> Bool {
        throw Self.coordinatorsOwn("endMaintenance")
    }

    package func maintenances() async throws(StorageError) -> [NodeMaintenance] {
        throw Self.coordinatorsOwn("maintenances")
    }

    package func noteForcedStart(_ start: ForcedStart) async throws(StorageError) {
        throw Self.coordinatorsOwn("noteForcedStart")
    }

    package func acceptForcedStart() async throws(StorageError) -> Bool {
        throw Self.coordinatorsOwn("acceptForcedStart")
    }

    package func forcedStart() async throws(StorageError) -> ForcedStart? {
        throw Self.coordinatorsOwn("forcedStart")
    }

    package func noteCertificateFloors(_ floors: [CertificateFloor]) async throws(StorageError) {
        throw Self.coordinatorsOwn("noteCertificateFloors")
    }

    package func certificateFloors() async throws(StorageError) -> [CertificateFloor] {
        throw Self.coordinatorsOwn("certificateFloors")
    }

    package func spreadMember(_ old: DiskID, over groups: [GroupID: DiskID]) async throws(StorageError) {
        throw Self.coordinatorsOwn("spreadMember")
    }

    package func replaceMember(_ old: DiskID, with new: DiskID) async throws(StorageError) {
        throw Self.coordinatorsOwn("replaceMember")
    }

    package func moveMembers(_ moves: MemberMoves) async throws(StorageError) {
        throw Self.coordinatorsOwn("moveMembers")
    }

    package func finishedMoves() async throws(StorageError) -> [GroupID: [UInt8]] {
        throw Self.coordinatorsOwn("finishedMoves")
    }

    package func endMoves(_ finished: [GroupID: [UInt8]]) async throws(StorageError) -> Int {
        throw Self.coordinatorsOwn("endMoves")
    }

    package func statistics() async throws(StorageError) -> MetadataStatistics {
        throw Self.coordinatorsOwn("statistics")
    }
}
