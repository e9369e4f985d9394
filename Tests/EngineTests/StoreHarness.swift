import BlobStorage
import Checksums
import Coordination
import DiskFormat
import LinuxSystem
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import ShardStorage
import StorageNode
import Synchronization
import SystemInterface
import TestKit
import Testing

/// A whole store on disks in memory that can be pulled, swapped, flipped and crashed.
final class StoreHarness: Sendable {
    static let bucket = "archive"
    static let owner = UserID("owner")

    private struct State {
        var disks: [MemoryDisk]
        var database = MemoryMetadataDatabase()
        var generator: SplitMix64
    }

    private let state: Mutex<State>
    private let current = Mutex<Store?>(nil)
    let time = LinuxTime()
    let scheme: Scheme
    private let configure: @Sendable (inout StoreConfiguration) -> Void

    init(
        seed: UInt64 = 1,
        disks: Int = 6,
        doubled: Set<Int> = [],
        scheme: Scheme,
        configure: @escaping @Sendable (inout StoreConfiguration) -> Void = { _ in }
    ) {
        self.scheme = scheme
        self.configure = configure
        let made = (0..<disks).map { slot in
            MemoryDisk(capacity: doubled.contains(slot) ? 2 << 40 : 1 << 40, device: UInt64(slot + 1))
        }
        state = Mutex(State(disks: made, generator: SplitMix64(seed: seed)))
    }

    /// A store that is open and has a bucket. The disks of `doubled` slots are twice as large as the others.
    static func open(
        seed: UInt64 = 1,
        scheme: String = "rs-4-2",
        disks: Int = 6,
        doubled: Set<Int> = [],
        configure: @escaping @Sendable (inout StoreConfiguration) -> Void = { _ in }
    ) async throws -> StoreHarness {
        guard let scheme = Scheme(name: scheme) else { throw HarnessError.noSuchScheme }
        let harness = StoreHarness(seed: seed, disks: disks, doubled: doubled, scheme: scheme, configure: configure)
        try await harness.start()
        try await harness.objects.createBucket(bucket, owner: owner, region: "us-east-1")
        return harness
    }

    enum HarnessError: Error { case noSuchScheme, notOpen, timedOut }

    var store: Store {
        get throws {
            guard let store = current.withLock({ $0 }) else { throw HarnessError.notOpen }
            return store
        }
    }

    var objects: any ObjectService { get throws { try store.objects } }

    func disk(_ slot: Int) -> MemoryDisk { state.withLock { $0.disks[slot] } }
    var disks: [MemoryDisk] { state.withLock { $0.disks } }

    static func name(_ slot: Int) -> String { "disk-\(slot + 1)" }

    func start() async throws {
        var configuration = StoreConfiguration(slots: slots, scheme: scheme)
        configuration.disk.segmentLength = 32 << 20
        configuration.disk.growthLength = 4 << 20
        configuration.disk.reserveLength = 1 << 20
        configure(&configuration)
        let database = state.withLock { $0.database }
        let opened = try await Store.open(
            configuration,
            time: time,
            random: SeededRandom(seed: random()),
            md5: .inline
        ) { journal async throws(MetadataError) in JournaledMetadataStore.inMemory(database, journal: journal) }
        current.withLock { $0 = opened }
    }

    private var slots: [StoreSlot] {
        (0..<disks.count).map { number in
            StoreSlot(site: SiteName("site-1"), node: NodeName("node-1"), name: Self.name(number)) {
                [weak self] () throws(FileError) in
                guard let self, !disk(number).isGone else { throw FileError(.gone, operation: "open", path: ".") }
                return disk(number).mount()
            }
        }
    }

    /// One more slot with an empty disk, from the next start on.
    func addSlot() { state.withLock { $0.disks.append(MemoryDisk(device: UInt64($0.disks.count + 1))) } }

    func random() -> UInt64 { state.withLock { $0.generator.next() } }

    /// Puts an empty disk into a slot, as an operator does before `disk replace`.
    func swapDisk(_ slot: Int) {
        state.withLock { state in
            state.disks[slot].isGone = true
            state.disks[slot] = MemoryDisk(device: UInt64(slot + 1))
        }
    }

    /// Puts a copy of a disk in its slot, as somebody may who found it in a drawer. Only while the store is closed.
    func putBack(_ disk: MemoryDisk, _ slot: Int) { state.withLock { $0.disks[slot] = disk } }

    /// Loses power and starts again. `database` is what is left of the metadata database: now, or an older copy.
    func crash(database: MemoryMetadataDatabase? = nil) async throws {
        let old = current.withLock { store in
            defer { store = nil }
            return store
        }
        state.withLock { state in
            state.database = (database ?? state.database).copy()
            for disk in state.disks {
                var generator = state.generator.split()
                disk.crash(using: &generator)
            }
        }
        // A process that has died waits for nothing; this one would wait out the journal's patience, and live on.
        old?.journal.stop(.stopped)
        try await start()
    }

    var database: MemoryMetadataDatabase { state.withLock { $0.database } }

    /// Ends the process in an orderly way: locks end with it, and nothing that was written is lost.
    func close() async throws {
        try await store.close()
        current.withLock { $0 = nil }
        for disk in disks { disk.restart() }
    }

    // MARK: Objects

    @discardableResult
    func put(
        _ key: String,
        _ bytes: [UInt8],
        condition: WriteCondition = .none,
        checksum: ChecksumRequest = .none,
        contentMD5: [UInt8]? = nil,
        tags: [ObjectTag] = []
    ) async throws -> WriteResult {
        try await objects.put(
            PutRequest(
                bucket: Self.bucket,
                key: key,
                owner: Self.owner,
                length: bytes.count,
                attributes: ObjectAttributes(),
                tags: tags,
                condition: condition,
                contentMD5: contentMD5,
                checksum: checksum
            ),
            body: ArrayBody(bytes)
        )
    }

    func get(_ key: String, range: ByteRange? = nil, part: Int? = nil) async throws -> [UInt8] {
        let result = try await objects.get(
            GetRequest(bucket: Self.bucket, key: key, range: range, partNumber: part)
        )
        return try await Self.bytes(of: result)
    }

    /// Whether a read gives exactly these bytes.
    func holds(_ key: String, _ bytes: some Collection<UInt8>, range: ByteRange? = nil) async throws -> Bool {
        // As arrays: comparing generic collections byte by byte takes seconds without optimization.
        try await get(key, range: range) == Array(bytes)
    }

    static func bytes(of result: GetResult) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(result.range.count)
        while let slice = try await result.body?.next() { bytes += slice.copied() }
        return bytes
    }

    func head(_ key: String) async throws -> ObjectSummary {
        try await objects.get(GetRequest(bucket: Self.bucket, key: key, isHead: true)).object
    }

    /// Puts an object and notes shards of its blob as missing.
    func putLacking(_ key: String, _ shards: [UInt8]) async throws -> BlobID {
        let known = Set(try await store.metadata.blobs(after: nil, limit: 100).map(\.id))
        try await put(key, Content.random(90_000))
        let blob = try #require(
            try await store.metadata.blobs(after: nil, limit: 100).map(\.id).first { !known.contains($0) }
        )
        try await store.metadata.markMissing(wherePlaced: shards.map { ShardID(blob: blob, index: $0) })
        return blob
    }

    func isWhole(_ blob: BlobID) async throws -> Bool {
        try await store.metadata.blob(blob)?.missing.isEmpty ?? false
    }

    func delete(_ key: String) async throws {
        _ = try await objects.delete(DeleteRequest(bucket: Self.bucket, key: key))
    }

    func keys() async throws -> [String] {
        try await objects.list(ListRequest(bucket: Self.bucket, limit: 1_000)).entries.map(\.name)
    }

    /// Does the background work while `body` runs.
    func running<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        let store = try store
        let work = Task { await store.run() }
        defer { work.cancel() }
        return try await body()
    }

    /// Waits until `condition` holds, at most two minutes.
    func wait(until condition: () async throws -> Bool) async throws {
        for _ in 0..<12_000 {
            if try await condition() { return }
            try await time.sleep(for: .milliseconds(10))
        }
        throw HarnessError.timedOut
    }
}

/// A body from memory, given in pieces of at most `step` bytes.
struct ArrayBody: BodyReader {
    private final class Position: Sendable {
        let offset = Mutex(0)
    }

    private let bytes: [UInt8]
    private let step: Int
    private let trailer: DeclaredChecksum?
    private let position = Position()

    init(_ bytes: [UInt8], step: Int = .max, trailer: DeclaredChecksum? = nil) {
        self.bytes = bytes
        self.step = step
        self.trailer = trailer
    }

    func read(into buffer: AlignedBuffer, at offset: Int, count: Int) async throws -> Int {
        position.offset.withLock { start in
            let length = min(count, bytes.count - start, step)
            bytes.withUnsafeBytes { source in
                UnsafeMutableRawBufferPointer(rebasing: buffer.mutableBytes[offset..<offset + length])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[start..<start + length]))
            }
            start += length
            return length
        }
    }

    func trailingChecksum() -> DeclaredChecksum? { trailer }
}

/// Bytes for objects.
enum Content {
    /// A prime, so that no two cells, leaves or frames of an object are alike.
    private static let period = 1_000_003

    static func random(_ count: Int, seed: UInt64 = 7) -> [UInt8] {
        var generator = SplitMix64(seed: seed &+ UInt64(count))
        return tiled(generator.bytes(min(count, period)), count)
    }

    /// Shrinks well: like an image with large even areas.
    static func compressible(_ count: Int, seed: UInt64 = 7) -> [UInt8] {
        var block: [UInt8] = []
        while block.count < min(count, period) {
            let shade = UInt8(truncatingIfNeeded: UInt64(block.count / 300) &+ seed)
            block.append(contentsOf: repeatElement(shade, count: 300))
        }
        return tiled(Array(block.prefix(period)), count)
    }

    /// A checksum over all the bytes, by the checksum library alone.
    static func checksum(_ bytes: [UInt8], _ algorithm: ObjectChecksum.Algorithm) -> [UInt8] {
        let kind: ChecksumAlgorithm =
            switch algorithm {
            case .crc32: .crc32
            case .crc32c: .crc32c
            case .crc64nvme: .crc64nvme
            case .sha1: .sha1
            case .sha256: .sha256
            case .sha512: .sha512
            case .md5: .md5
            case .xxhash64: .xxhash64
            case .xxhash3: .xxhash3
            case .xxhash128: .xxhash128
            }
        return bytes.withUnsafeBytes { kind.digest($0) }
    }

    private static func tiled(_ block: [UInt8], _ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count { bytes.append(contentsOf: block.prefix(count - bytes.count)) }
        return bytes
    }
}

/// The code that `body` throws.
func code(of body: () async throws -> Void) async -> StorageError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? StorageError)?.code
    }
}

extension MetadataStore {
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
