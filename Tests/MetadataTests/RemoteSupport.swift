import ClusterProtocol
import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import Synchronization
import SystemInterface

/// A transport to one coordinator in this process, which loses calls and answers when a test says so.
final class LoopbackTransport: Transport {
    enum Fault: Sendable {
        case unreachable
        /// Carried out, and the answer lost.
        case answerLost
        /// Carried out, and answered with these bytes.
        case answer([UInt8])
    }

    private struct State {
        var faults: [Fault] = []
        var calls: [[UInt8]] = []
    }

    private let state = Mutex(State())
    private let service: MetadataService
    private let caller: NodeName

    init(_ service: MetadataService, from caller: NodeName = Sample.node) {
        self.service = service
        self.caller = caller
    }

    /// What happens to the calls that follow, one by one; behind them all is well again.
    func fail(_ faults: Fault...) { state.withLock { $0.faults = faults } }

    /// The headers of all calls so far.
    var calls: [[UInt8]] { state.withLock(\.calls) }

    func call(
        _ node: String,
        _ message: TransportMessage,
        timeout: Duration
    ) async throws(TransportError) -> TransportMessage {
        let fault = state.withLock { state -> Fault? in
            state.calls.append(message.header)
            return state.faults.isEmpty ? nil : state.faults.removeFirst()
        }
        if case .unreachable = fault { throw .unreachable(node: node) }
        let answer = await service.answer(message.header, from: caller)
        switch fault {
        case .answerLost: throw .unknownOutcome(node: node)
        case .answer(let bytes): return TransportMessage(header: bytes)
        default: break
        }
        guard let answer else { throw .unreachable(node: node) }
        return TransportMessage(header: answer)
    }
}

/// Time of which nothing is waited for: a sleep moves it on.
final class SteppingTime: TimeSource {
    private let nanoseconds = Mutex<UInt64>(0)

    var monotonic: MonotonicTime { MonotonicTime(nanoseconds: nanoseconds.withLock { $0 }) }
    var wall: WallTime { WallTime(milliseconds: 0) }

    func sleep(for duration: Duration) async throws {
        nanoseconds.withLock { $0 += UInt64(duration.nanoseconds) }
    }
}

/// A store as a gateway and its coordinator have it together: what gateways may ask goes over messages, the rest is
/// done at the coordinator.
struct RemoteTestStore: ReplicatedMetadata {
    let remote: RemoteMetadataStore
    let local: any ReplicatedMetadata

    init(_ local: any ReplicatedMetadata) {
        self.local = local
        let transport = LoopbackTransport(MetadataService(metadata: local, isConfirmed: { true }))
        remote = RemoteMetadataStore(transport: transport, coordinator: "c", time: SteppingTime())
    }

    var damage: String? { local.damage }
    var filledGroups: Set<GroupID> { local.filledGroups }
    func checkRows(from place: RowPlace, limit: Int) async throws(StorageError) -> RowPlace? {
        try await local.checkRows(from: place, limit: limit)
    }

    // MARK: Over messages

    func createBucket(_ bucket: Bucket) async throws(StorageError) { try await remote.createBucket(bucket) }
    func deleteBucket(_ name: String) async throws(StorageError) { try await remote.deleteBucket(name) }
    func bucket(_ name: String) async throws(StorageError) -> Bucket? { try await remote.bucket(name) }
    func buckets(owner: UserID?) async throws(StorageError) -> [Bucket] { try await remote.buckets(owner: owner) }
    func commit(
        _ transaction: WriteTransaction
    ) async throws(StorageError) -> [Result<CommitOutcome, StorageError>] {
        try await remote.commit(transaction)
    }
    func version(bucket: String, key: String) async throws(StorageError) -> VersionDetail? {
        try await remote.version(bucket: bucket, key: key)
    }
    func delete(
        bucket: String,
        _ requests: [DeleteRequest]
    ) async throws(StorageError) -> [Result<DeleteResult, StorageError>] {
        try await remote.delete(bucket: bucket, requests)
    }
    func putTags(bucket: String, key: String, tags: [ObjectTag]) async throws(StorageError) {
        try await remote.putTags(bucket: bucket, key: key, tags: tags)
    }
    func list(_ request: ListRequest) async throws(StorageError) -> ListPage { try await remote.list(request) }
    func createUpload(_ record: UploadRecord) async throws(StorageError) { try await remote.createUpload(record) }
    func upload(bucket: String, key: String, id: UploadID) async throws(StorageError) -> UploadRecord? {
        try await remote.upload(bucket: bucket, key: key, id: id)
    }
    func listUploads(_ request: ListUploadsRequest) async throws(StorageError) -> ListUploadsPage {
        try await remote.listUploads(request)
    }
    func parts(of upload: UploadID, after part: Int, limit: Int) async throws(StorageError) -> [PartRecord] {
        try await remote.parts(of: upload, after: part, limit: limit)
    }
    func complete(_ transaction: CompleteTransaction) async throws(StorageError) -> CommitOutcome {
        try await remote.complete(transaction)
    }
    func abortUpload(bucket: String, key: String, id: UploadID) async throws(StorageError) {
        try await remote.abortUpload(bucket: bucket, key: key, id: id)
    }
    func endLease(_ lease: WriteLease) async throws(StorageError) { try await remote.endLease(lease) }
    func activeLeases() async throws(StorageError) -> [(lease: WriteLease, holder: NodeName)] {
        try await remote.activeLeases()
    }

    /// This node's leases over messages; another node's as it would ask itself.
    func grantLease(holder: NodeName) async throws(StorageError) -> WriteLease {
        holder == Sample.node
            ? try await remote.grantLease(holder: holder) : try await local.grantLease(holder: holder)
    }
}

// MARK: At the coordinator

extension RemoteTestStore {
    func addUser(_ user: UserRecord) async throws(StorageError) { try await local.addUser(user) }
    func removeUser(name: String) async throws(StorageError) { try await local.removeUser(name: name) }
    func addClass(_ item: StorageClass, groups: [GroupRecord]) async throws(StorageError) {
        try await local.addClass(item, groups: groups)
    }
    func removeClass(_ name: String) async throws(StorageError) { try await local.removeClass(name) }
    func classes() async throws(StorageError) -> [StorageClass] { try await local.classes() }
    func setBucketClass(_ bucket: String, _ name: String?) async throws(StorageError) {
        try await local.setBucketClass(bucket, name)
    }
    func beginClassRewrite(_ rewrite: ClassRewrite) async throws(StorageError) -> ClassRewrite {
        try await local.beginClassRewrite(rewrite)
    }
    func pauseClassRewrite(_ bucket: String, _ isPaused: Bool) async throws(StorageError) -> Bool {
        try await local.pauseClassRewrite(bucket, isPaused)
    }
    func endClassRewrite(_ bucket: String, before: UInt64?) async throws(StorageError) -> Bool {
        try await local.endClassRewrite(bucket, before: before)
    }
    func beginMaintenance(_ maintenance: NodeMaintenance, now: WallTime) async throws(StorageError) {
        try await local.beginMaintenance(maintenance, now: now)
    }
    func endMaintenance(_ site: SiteName, _ node: NodeName) async throws(StorageError) -> Bool {
        try await local.endMaintenance(site, node)
    }
    func maintenances() async throws(StorageError) -> [NodeMaintenance] { try await local.maintenances() }
    func noteForcedStart(_ start: ForcedStart) async throws(StorageError) { try await local.noteForcedStart(start) }
    func acceptForcedStart() async throws(StorageError) -> Bool { try await local.acceptForcedStart() }
    func forcedStart() async throws(StorageError) -> ForcedStart? { try await local.forcedStart() }
    func noteCertificateFloors(_ floors: [CertificateFloor]) async throws(StorageError) {
        try await local.noteCertificateFloors(floors)
    }
    func certificateFloors() async throws(StorageError) -> [CertificateFloor] { try await local.certificateFloors() }
    func classRewrites() async throws(StorageError) -> [ClassRewrite] { try await local.classRewrites() }
    func blob(_ id: BlobID) async throws(StorageError) -> BlobRecord? { try await local.blob(id) }
    func blobs(after id: BlobID?, limit: Int) async throws(StorageError) -> [BlobRecord] {
        try await local.blobs(after: id, limit: limit)
    }
    func missingBlobs(
        spares: ClosedRange<Int>,
        after last: MissingBlob?,
        limit: Int
    ) async throws(StorageError) -> [MissingBlob] {
        try await local.missingBlobs(spares: spares, after: last, limit: limit)
    }

    func missingShards(limit: Int) async throws(StorageError) -> [MissingShard] {
        try await local.missingShards(limit: limit)
    }
    func missingShardCount() async throws(StorageError) -> Int { try await local.missingShardCount() }
    func markMissing(_ shards: [PlacedShard]) async throws(StorageError) { try await local.markMissing(shards) }
    func registerShards(_ shards: [NewShard]) async throws(StorageError) -> Set<ShardID> {
        try await local.registerShards(shards)
    }
    func owners(of blob: BlobID) async throws(StorageError) -> [BlobOwner] { try await local.owners(of: blob) }
    func users() async throws(StorageError) -> [UserRecord] { try await local.users() }
    func uploads(createdBefore time: WallTime, limit: Int) async throws(StorageError) -> [Upload] {
        try await local.uploads(createdBefore: time, limit: limit)
    }
    func disks() async throws(StorageError) -> [DiskRecord] { try await local.disks() }
    func groups() async throws(StorageError) -> [GroupRecord] { try await local.groups() }
    func statistics() async throws(StorageError) -> MetadataStatistics { try await local.statistics() }
    func deadBlobs(after id: BlobID?, limit: Int) async throws(StorageError) -> [BlobRecord] {
        try await local.deadBlobs(after: id, limit: limit)
    }
    func forgetBlobs(_ ids: [BlobID]) async throws(StorageError) { try await local.forgetBlobs(ids) }
    func sparseBlobs(share: Double, limit: Int) async throws(StorageError) -> [BlobUsage] {
        try await local.sparseBlobs(share: share, limit: limit)
    }
    func move(_ transaction: MoveTransaction) async throws(StorageError) -> [Bool] {
        try await local.move(transaction)
    }
    func putDisk(_ disk: DiskRecord) async throws(StorageError) { try await local.putDisk(disk) }
    func putGroups(_ groups: [GroupRecord]) async throws(StorageError) { try await local.putGroups(groups) }
    func moveMembers(_ moves: MemberMoves) async throws(StorageError) { try await local.moveMembers(moves) }

    func finishedMoves() async throws(StorageError) -> [GroupID: [UInt8]] { try await local.finishedMoves() }

    func endMoves(_ finished: [GroupID: [UInt8]]) async throws(StorageError) -> Int {
        try await local.endMoves(finished)
    }

    func movingShards(
        of group: GroupID?,
        after last: MovingShard?,
        limit: Int
    ) async throws(StorageError) -> [MovingShard] {
        try await local.movingShards(of: group, after: last, limit: limit)
    }

    func spreadMember(_ old: DiskID, over groups: [GroupID: DiskID]) async throws(StorageError) {
        try await local.spreadMember(old, over: groups)
    }

    func replaceMember(_ old: DiskID, with new: DiskID) async throws(StorageError) {
        try await local.replaceMember(old, with: new)
    }

    var requests: UInt64 { local.requests }
    var stopped: StorageError? { local.stopped }
    func position() async throws(MetadataError) -> JournalPosition { try await local.position() }
    func incarnation() async throws(StorageError) -> UInt32 { try await local.incarnation() }
    func beginIncarnation(_ incarnation: UInt32) async throws(StorageError) {
        try await local.beginIncarnation(incarnation)
    }
    func grantedLeases() async throws(StorageError) -> GrantedLeases { try await local.grantedLeases() }
    func keeperSet() async throws(StorageError) -> KeeperSet? { try await local.keeperSet() }
    func recordKeeperSetChange(_ change: KeeperSetChange) async throws(StorageError) {
        try await local.recordKeeperSetChange(change)
    }
    func checkpoints() async throws(StorageError) -> [CheckpointRecord] { try await local.checkpoints() }
    func putCheckpoints(_ transaction: CheckpointTransaction) async throws(StorageError) {
        try await local.putCheckpoints(transaction)
    }
    func makeDurable() async throws(MetadataError) { try await local.makeDurable() }
    func apply(_ records: [JournalRecord]) async throws(MetadataError) { try await local.apply(records) }
    func snapshot() async throws(MetadataError) -> any MetadataSnapshot { try await local.snapshot() }
    func beginImport() async throws(MetadataError) { try await local.beginImport() }
    func importRows(_ bytes: [UInt8]) async throws(MetadataError) { try await local.importRows(bytes) }
    func finishImport() async throws(MetadataError) { try await local.finishImport() }
}
