import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import Synchronization
import SystemInterface
import TestKit

/// A journal that keeps what it is given, and delays or fails when a test says so.
final class FakeJournal: JournalWriter {
    struct Failure: Error {}

    private struct State {
        var records: [JournalRecord] = []
        var batches: [Int] = []
        var fails = false
        /// Keeps the records although it fails: the keepers had them, but nobody knows.
        var keepsWhenFailing = false
        var gate: CheckedContinuation<Void, Never>?
        var isGated = false
        var arrivals: [CheckedContinuation<Void, Never>] = []
        var shortage: StorageError?
    }

    private let state = Mutex(State())

    var records: [JournalRecord] { state.withLock(\.records) }
    /// Records of each call, in order.
    var batches: [Int] { state.withLock(\.batches) }

    func fail(keeping: Bool = false) {
        state.withLock {
            $0.fails = true
            $0.keepsWhenFailing = keeping
        }
    }

    func recover() { state.withLock { $0.fails = false } }

    /// What a journal without room says; nil when there is some again.
    var shortage: StorageError? {
        get { state.withLock(\.shortage) }
        set { state.withLock { $0.shortage = newValue } }
    }

    /// The next call waits until `release`.
    func hold() { state.withLock { $0.isGated = true } }

    func release() {
        let gate = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.isGated = false
            defer { state.gate = nil }
            return state.gate
        }
        gate?.resume()
    }

    /// Returns once a call is held.
    func arrival() async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state -> Bool in
                if state.gate != nil { return true }
                state.arrivals.append(continuation)
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    func append(_ records: [JournalRecord]) async throws {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let (isHeld, arrivals) = state.withLock { state -> (Bool, [CheckedContinuation<Void, Never>]) in
                guard state.isGated else { return (false, []) }
                state.gate = continuation
                defer { state.arrivals = [] }
                return (true, state.arrivals)
            }
            for arrival in arrivals { arrival.resume() }
            if !isHeld { continuation.resume() }
        }
        let fails = state.withLock { state -> Bool in
            if !state.fails || state.keepsWhenFailing {
                state.records += records
                state.batches.append(records.count)
            }
            return state.fails
        }
        if fails { throw Failure() }
    }
}

/// A check that does not hold.
struct Violation: Error, CustomStringConvertible {
    var description: String
}

func expect(_ holds: Bool, _ message: @autoclosure () -> String) throws {
    if !holds { throw Violation(description: message()) }
}

/// The code of the error that `body` throws; nil when it throws none.
func code(_ body: () async throws -> Void) async -> StorageError.Code? {
    do {
        try await body()
        return nil
    } catch let error as StorageError {
        return error.code
    } catch {
        return .internalFailure
    }
}

/// Values that tests store.
enum Sample {
    static let owner = UserID("owner")
    static let node = NodeName("n1")
    static let disks = (1...8).map { DiskID(Identifier128(high: 7, low: UInt64($0))) }

    static func scheme() throws -> Scheme {
        guard let scheme = Scheme(dataCount: 4, parityCount: 2) else { throw Violation(description: "scheme") }
        return scheme
    }

    static func bucket(_ name: String, owner: UserID = Sample.owner) -> Bucket {
        Bucket(name: name, owner: owner, region: "us-east-1", created: WallTime(milliseconds: 1_000))
    }

    static func blob(
        _ lease: WriteLease,
        _ sequence: UInt64,
        length: Int = 1_000,
        frames: FrameIndex = .uniform,
        missing: [UInt8] = [],
        group: UInt32 = 1
    ) -> BlobRecord {
        BlobRecord(
            id: BlobID(incarnation: lease.incarnation, lease: lease.number, sequence: sequence),
            group: GroupID(group),
            length: length,
            frames: frames,
            ingestDigest: ContentDigest(high: sequence, low: 9),
            missing: missing
        )
    }

    static func extent(_ blob: BlobRecord, firstFrame: Int = 0, offset: Int = 0, length: Int? = nil) -> Extent {
        Extent(blob: blob.id, firstFrame: firstFrame, offset: offset, length: length ?? blob.length)
    }

    static func version(
        _ bucket: String,
        _ key: String,
        _ extents: [Extent] = [],
        eTag: String = "d41d8cd98f00b204e9800998ecf8427e",
        owner: UserID = Sample.owner
    ) -> VersionRecord {
        VersionRecord(
            bucket: bucket,
            key: key,
            number: 0,
            owner: owner,
            modified: WallTime(milliseconds: 5_000),
            length: extents.reduce(0) { $0 + $1.length },
            eTag: eTag,
            checksum: nil,
            attributes: ObjectAttributes(),
            tags: [],
            extents: extents,
            parts: []
        )
    }

    static func upload(_ bucket: String, _ key: String, _ id: String, created: Int64 = 1) -> UploadRecord {
        UploadRecord(
            upload: Upload(
                id: UploadID(id),
                bucket: bucket,
                key: key,
                owner: owner,
                created: WallTime(milliseconds: created),
                attributes: ObjectAttributes(contentType: "a/b"),
                checksum: .crc32,
                checksumKind: .composite
            ),
            tags: [ObjectTag(key: "t", value: "v")]
        )
    }

    static func part(_ upload: String, _ number: Int, _ extents: [Extent], eTag: String = "e1") -> PartRecord {
        PartRecord(
            upload: UploadID(upload),
            summary: PartSummary(
                number: number,
                eTag: eTag,
                length: extents.reduce(0) { $0 + $1.length },
                modified: WallTime(milliseconds: 2),
                checksum: nil
            ),
            extents: extents
        )
    }

    static func user(_ name: String) -> UserRecord {
        UserRecord(
            id: UserID("id-" + name),
            name: name,
            displayName: name,
            email: "",
            accessKey: "AK" + name,
            sealedSecret: [1, 2, 3]
        )
    }
}

extension ReplicatedMetadata {
    /// An incarnation, one group of six disks, a bucket `b`, a lease.
    func prepare() async throws -> WriteLease {
        try await beginIncarnation(1)
        let group = GroupRecord(
            id: GroupID(1),
            epoch: 1,
            scheme: try Sample.scheme(),
            members: Array(Sample.disks.prefix(6))
        )
        try await putGroups([group])
        try await createBucket(Sample.bucket("b"))
        return try await grantLease(holder: Sample.node)
    }

    /// One object in a blob of its own.
    @discardableResult
    func put(
        _ lease: WriteLease,
        _ sequence: UInt64,
        _ key: String,
        bucket: String = "b",
        length: Int = 1_000,
        missing: [UInt8] = [],
        condition: WriteCondition = .none
    ) async throws -> BlobRecord {
        let blob = Sample.blob(lease, sequence, length: length, missing: missing)
        let version = Sample.version(bucket, key, [Sample.extent(blob)])
        let outcomes = try await commit(
            WriteTransaction(lease: lease, blobs: [blob], writes: [.version(version, condition)])
        )
        for outcome in outcomes { _ = try outcome.get() }
        return blob
    }

    @discardableResult
    func delete(_ key: String, bucket: String = "b") async throws -> Bool {
        guard let result = try await delete(bucket: bucket, [DeleteRequest(bucket: bucket, key: key)]).first else {
            throw Violation(description: "no result")
        }
        return try result.get().existed
    }

    func names(
        prefix: String = "",
        delimiter: String = "",
        after: String = "",
        limit: Int = 1_000
    ) async throws -> (names: [String], isTruncated: Bool) {
        let page = try await list(
            ListRequest(bucket: "b", prefix: prefix, delimiter: delimiter, after: after, limit: limit)
        )
        return (page.entries.map(\.name), page.isTruncated)
    }
}

extension MetadataStore {
    /// Whether one shard counts from here on.
    func registerShard(_ shard: ShardID, groupEpoch: UInt32) async throws -> Bool {
        try await registerShards([NewShard(shard, groupEpoch: groupEpoch)]).contains(shard)
    }

    /// Notes shards lost where they are placed now; one of no live blob on a disk that is none.
    func markMissing(wherePlaced shards: [ShardID]) async throws {
        let groups = try await groups()
        var placed: [PlacedShard] = []
        for shard in shards {
            let blob = try await blob(shard.blob)
            let group = groups.first { $0.id == blob?.group }
            let isMoving = blob?.moving.contains(shard.index) ?? false
            let disk = group?.holder(of: shard.index, isMoving: isMoving)
            placed.append(PlacedShard(shard, on: disk ?? DiskID(Identifier128(high: 0, low: 0))))
        }
        try await markMissing(placed)
    }
}
