package import ObjectInterface
package import ObjectModel

extension RemoteMetadataStore {
    // MARK: Blobs, repair and garbage

    package func blob(_ id: BlobID) async throws(StorageError) -> BlobRecord? {
        try await ask(.blob(id)) { if case .blob(let blob) = $0 { .some(blob) } else { nil } }
    }

    /// Page by page, each of its own moment.
    package func blobs(after id: BlobID?, limit: Int) async throws(StorageError) -> [BlobRecord] {
        try await pages(after: id, limit: limit) { (last, rest) throws(StorageError) in
            try await self.ask(.blobs(after: last, limit: rest)) {
                if case .blobs(let blobs, let isTruncated) = $0 { (blobs, isTruncated) } else { nil }
            }
        } place: {
            $0.id
        }
    }

    /// At most `MetadataMessage.shardLimit`.
    package func missingShards(limit: Int) async throws(StorageError) -> [MissingShard] {
        try await ask(.missingShards(limit: limit)) { if case .missingShards(let shards) = $0 { shards } else { nil } }
    }

    package func missingShardCount() async throws(StorageError) -> Int {
        try await ask(.missingShardCount) { if case .count(let count) = $0 { count } else { nil } }
    }

    package func markMissing(_ shards: [ShardID]) async throws(StorageError) {
        try await perform(.markMissing(shards))
    }

    package func registerShard(_ shard: ShardID, groupEpoch: UInt32) async throws(StorageError) -> Bool {
        try await ask(.registerShard(shard, groupEpoch: groupEpoch)) {
            if case .isRegistered(let value) = $0 { value } else { nil }
        }
    }

    package func movingShards(after last: MovingShard?, limit: Int) async throws(StorageError) -> [MovingShard] {
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
        try await ask(.owners(of: blob)) { if case .owners(let owners) = $0 { owners } else { nil } }
    }

    package func move(_ transaction: MoveTransaction) async throws(StorageError) -> [Bool] {
        throw Self.coordinatorsOwn("move")
    }

    // MARK: The cluster

    /// The holder is the node that calls, whatever `holder` is: the coordinator believes the connection only.
    package func grantLease(holder: NodeName) async throws(StorageError) -> WriteLease {
        try await ask(.grantLease) { if case .lease(let lease) = $0 { lease } else { nil } }
    }

    package func endLease(_ lease: WriteLease) async throws(StorageError) { try await perform(.endLease(lease)) }

    package func activeLeases() async throws(StorageError) -> [(lease: WriteLease, holder: NodeName)] {
        try await ask(.activeLeases) { if case .leases(let leases) = $0 { leases } else { nil } }
    }

    package func putDisk(_ disk: DiskRecord) async throws(StorageError) { throw Self.coordinatorsOwn("putDisk") }

    package func disks() async throws(StorageError) -> [DiskRecord] {
        try await ask(.disks) { if case .disks(let disks) = $0 { disks } else { nil } }
    }

    package func putGroups(_ groups: [GroupRecord]) async throws(StorageError) {
        throw Self.coordinatorsOwn("putGroups")
    }

    package func groups() async throws(StorageError) -> [GroupRecord] {
        try await ask(.groups) { if case .groups(let groups) = $0 { groups } else { nil } }
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

    package func endMoves() async throws(StorageError) -> Int { throw Self.coordinatorsOwn("endMoves") }

    package func statistics() async throws(StorageError) -> MetadataStatistics {
        try await ask(.statistics) { if case .statistics(let statistics) = $0 { statistics } else { nil } }
    }
}
