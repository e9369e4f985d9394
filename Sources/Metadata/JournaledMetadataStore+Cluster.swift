package import ClusterProtocol
package import ObjectInterface
package import ObjectModel
package import SystemInterface

extension JournaledMetadataStore {
    // MARK: Blobs, repair and garbage

    package func blob(_ id: BlobID) async throws(StorageError) -> BlobRecord? {
        try await read { (view) throws(MetadataError) in try view.blob(id)?.record(id) }
    }

    package func blobs(after id: BlobID?, limit: Int) async throws(StorageError) -> [BlobRecord] {
        try await read { (view) throws(MetadataError) in try view.blobs(.blobs, after: id, limit: limit) }
    }

    package func missingShards(limit: Int) async throws(StorageError) -> [MissingShard] {
        try await read { (view) throws(MetadataError) in try view.missingShards(limit: limit) }
    }

    package func missingShardCount() async throws(StorageError) -> Int {
        try await statistics().missingShards
    }

    package func missingBlobs(
        spares: ClosedRange<Int>,
        after last: MissingBlob?,
        limit: Int
    ) async throws(StorageError) -> [MissingBlob] {
        try await read { (view) throws(MetadataError) in
            try view.missingBlobs(spares: spares, after: last, limit: limit)
        }
    }

    package func markMissing(_ shards: [PlacedShard]) async throws(StorageError) {
        try await change { (change) throws(MetadataError) in try change.markMissing(shards) }
    }

    package func registerShards(_ shards: [NewShard]) async throws(StorageError) -> Set<ShardID> {
        try await change { (change) throws(MetadataError) in try change.registerShards(shards) }
    }

    package func movingShards(
        of group: GroupID?,
        after last: MovingShard?,
        limit: Int
    ) async throws(StorageError) -> [MovingShard] {
        try await read { (view) throws(MetadataError) in
            try view.movingShards(of: group, after: last, limit: limit)
        }
    }

    package func deadBlobs(after id: BlobID?, limit: Int) async throws(StorageError) -> [BlobRecord] {
        try await read { (view) throws(MetadataError) in try view.blobs(.deadBlobs, after: id, limit: limit) }
    }

    package func forgetBlobs(_ ids: [BlobID]) async throws(StorageError) {
        try await change { (change) throws(MetadataError) in try change.forgetBlobs(ids) }
    }

    package func sparseBlobs(share: Double, limit: Int) async throws(StorageError) -> [BlobUsage] {
        try await read { (view) throws(MetadataError) in try view.sparseBlobs(share: share, limit: limit) }
    }

    package func owners(of blob: BlobID) async throws(StorageError) -> [BlobOwner] {
        try await read { (view) throws(MetadataError) in try view.owners(of: blob) }
    }

    package func move(_ transaction: MoveTransaction) async throws(StorageError) -> [Bool] {
        try await change { (change) throws(MetadataError) in try change.move(transaction) }
    }

    // MARK: The cluster

    package func grantLease(holder: NodeName) async throws(StorageError) -> WriteLease {
        try await change(isVital: true) { (change) throws(MetadataError) in try change.grantLease(holder: holder) }
    }

    package func endLease(_ lease: WriteLease) async throws(StorageError) {
        try await change(isVital: true) { (change) throws(MetadataError) in try change.endLease(lease) }
    }

    package func activeLeases() async throws(StorageError) -> [(lease: WriteLease, holder: NodeName)] {
        try await read { (view) throws(MetadataError) in try view.activeLeases() }
    }

    package func putDisk(_ disk: DiskRecord) async throws(StorageError) {
        try await change(isVital: true) { (change) throws(MetadataError) in try change.perform([.diskPut(disk)]) }
    }

    package func disks() async throws(StorageError) -> [DiskRecord] {
        try await read { (view) throws(MetadataError) in try view.disks() }
    }

    package func putGroups(_ groups: [GroupRecord]) async throws(StorageError) {
        try await change(isVital: true) { (change) throws(MetadataError) in try change.putGroups(groups) }
    }

    package func groups() async throws(StorageError) -> [GroupRecord] {
        try await read { (view) throws(MetadataError) in try view.groups() }
    }

    package func addClass(_ item: StorageClass, groups: [GroupRecord]) async throws(StorageError) {
        try await change(addsRows: true) { (change) throws(MetadataError) in
            try change.addClass(item, groups: groups)
        }
    }

    package func removeClass(_ name: String) async throws(StorageError) {
        try await change { (change) throws(MetadataError) in try change.removeClass(name) }
    }

    package func classes() async throws(StorageError) -> [StorageClass] {
        try await read { (view) throws(MetadataError) in try view.classes() }
    }

    package func setBucketClass(_ bucket: String, _ name: String?) async throws(StorageError) {
        try await change { (change) throws(MetadataError) in try change.setBucketClass(bucket, name) }
    }

    package func beginClassRewrite(_ rewrite: ClassRewrite) async throws(StorageError) -> ClassRewrite {
        try await change { (change) throws(MetadataError) in try change.beginClassRewrite(rewrite) }
    }

    package func pauseClassRewrite(_ bucket: String, _ isPaused: Bool) async throws(StorageError) -> Bool {
        try await change { (change) throws(MetadataError) in try change.pauseClassRewrite(bucket, isPaused) }
    }

    package func endClassRewrite(_ bucket: String, before: UInt64?) async throws(StorageError) -> Bool {
        try await change { (change) throws(MetadataError) in try change.endClassRewrite(bucket, before: before) }
    }

    package func classRewrites() async throws(StorageError) -> [ClassRewrite] {
        try await read { (view) throws(MetadataError) in try view.classRewrites() }
    }

    package func beginMaintenance(_ maintenance: NodeMaintenance, now: WallTime) async throws(StorageError) {
        try await change(isVital: true) { (change) throws(MetadataError) in
            try change.beginMaintenance(maintenance, now: now)
        }
    }

    package func endMaintenance(_ site: SiteName, _ node: NodeName) async throws(StorageError) -> Bool {
        try await change(isVital: true) { (change) throws(MetadataError) in try change.endMaintenance(site, node) }
    }

    package func maintenances() async throws(StorageError) -> [NodeMaintenance] {
        try await read { (view) throws(MetadataError) in try view.maintenances() }
    }

    package func noteForcedStart(_ start: ForcedStart) async throws(StorageError) {
        try await change(isVital: true) { (change) throws(MetadataError) in
            try change.perform([.forcedStartPut(start)])
        }
    }

    package func acceptForcedStart() async throws(StorageError) -> Bool {
        try await change(isVital: true) { (change) throws(MetadataError) in try change.acceptForcedStart() }
    }

    package func forcedStart() async throws(StorageError) -> ForcedStart? {
        try await read { (view) throws(MetadataError) in try view.forcedStart() }
    }

    package func noteCertificateFloors(_ floors: [CertificateFloor]) async throws(StorageError) {
        try await change(isVital: true) { (change) throws(MetadataError) in try change.noteCertificateFloors(floors) }
    }

    package func certificateFloors() async throws(StorageError) -> [CertificateFloor] {
        try await read { (view) throws(MetadataError) in try view.certificateFloors() }
    }

    package func spreadMember(_ old: DiskID, over groups: [GroupID: DiskID]) async throws(StorageError) {
        try await change(isVital: true) { (change) throws(MetadataError) in
            try change.spreadMember(evaluating: old, over: groups)
        }
    }

    package func replaceMember(_ old: DiskID, with new: DiskID) async throws(StorageError) {
        try await change(isVital: true) { (change) throws(MetadataError) in
            try change.replaceMember(evaluating: old, with: new)
        }
    }

    package func moveMembers(_ moves: MemberMoves) async throws(StorageError) {
        try await change(isVital: true) { (change) throws(MetadataError) in try change.moveMembers(evaluating: moves) }
    }

    package func finishedMoves() async throws(StorageError) -> [GroupID: [UInt8]] {
        try await read { (view) throws(MetadataError) in try view.finishedMoves() }
    }

    package func endMoves(_ finished: [GroupID: [UInt8]]) async throws(StorageError) -> Int {
        try await change(isVital: true) { (change) throws(MetadataError) in try change.endMovesEvaluating(finished) }
    }

    package func statistics() async throws(StorageError) -> MetadataStatistics {
        try await read { (view) throws(MetadataError) in try view.state().statistics }
    }
}
