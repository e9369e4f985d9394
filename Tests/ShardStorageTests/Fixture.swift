import Checksums
import DiskFormat
import ObjectModel
import ShardStorage
import SystemInterface
import TestKit

/// A whole shard as a writer would hand it in.
struct TestShard: Sendable {
    var header: ShardHeader
    var body: [UInt8]
    var leafChecksums: [UInt32]
    var trailer: ShardTrailer

    var id: ShardID { header.shard }

    init(sequence: UInt64, index: UInt8 = 0, length: Int, stamp: UInt64? = nil, using generator: inout SplitMix64) {
        self.init(
            sequence: sequence,
            index: index,
            body: generator.bytes(length),
            stamp: stamp ?? generator.next(),
            using: &generator
        )
    }

    init(sequence: UInt64, index: UInt8 = 0, body: [UInt8], stamp: UInt64, using generator: inout SplitMix64) {
        guard let scheme = Scheme(dataCount: 4, parityCount: 2) else { preconditionFailure("a valid scheme") }
        let shard = ShardID(blob: BlobID(incarnation: 1, lease: 1, sequence: sequence), index: index)
        header = ShardHeader(
            shard: shard,
            group: GroupID(7),
            groupEpoch: 3,
            scheme: scheme,
            writeStamp: stamp,
            bodyCapacity: body.count
        )
        self.body = body
        leafChecksums = Self.checksums(body, header)
        let digest = body.withUnsafeBytes { XXH3Digest.digest($0) }
        var digests = (0..<6).map { _ in ContentDigest(high: generator.next(), low: generator.next()) }
        digests[Int(index)] = ContentDigest(high: digest.high, low: digest.low)
        trailer = ShardTrailer(
            blobLength: min(body.count * 4, 64 << 20),
            shardDigests: digests,
            ingestDigest: ContentDigest(high: 1, low: 2),
            frames: .uniform
        )
    }

    static func checksums(_ body: [UInt8], _ header: ShardHeader) -> [UInt32] {
        var checksums: [UInt32] = []
        body.withUnsafeBytes { ShardRecordTrailer.seed(header).checksums(of: $0, firstLeaf: 0, into: &checksums) }
        return checksums
    }

    func write(to disk: ShardDisk) async throws {
        try await disk.write(header, body: [BufferSlice(copying: body)], leafChecksums: leafChecksums, trailer: trailer)
    }

    /// Whether the disk gives exactly this shard, with checksums that fit.
    func isOn(_ disk: ShardDisk) async throws -> Bool {
        let read = try await disk.read(id, ranges: [0..<body.count])
        guard let part = read.parts.first, read.parts.count == 1 else { return false }
        return read.writeStamp == header.writeStamp && read.bodyLength == body.count
            && part.bytes.flatMap { $0.copied() } == body && part.leafChecksums == leafChecksums
    }
}

/// A disk in memory with a small configuration, which can be crashed and opened again.
struct TestDisk {
    static let cluster = ClusterID(Identifier128(high: 1, low: 2))
    static let identity = DiskIdentity(
        cluster: cluster,
        disk: DiskID(Identifier128(high: 3, low: 4)),
        site: SiteName("a"),
        node: NodeName("n1"),
        epoch: 5
    )

    static var configuration: ShardDiskConfiguration {
        var configuration = ShardDiskConfiguration()
        configuration.segmentLength = 1 << 20
        configuration.growthLength = 256 << 10
        configuration.reserveLength = 8 << 20
        configuration.quarantine = .zero
        return configuration
    }

    /// Where a segment lies.
    static func path(_ segment: UInt64) -> String { "segments/\(SegmentHeader.fileName(segment))" }

    static func format(_ fileSystem: any FileSystem) async throws {
        try await ShardDisk.format(fileSystem: fileSystem, identity: identity)
    }

    static func open(
        _ fileSystem: any FileSystem,
        seed: UInt64 = 1,
        configuration: ShardDiskConfiguration = Self.configuration,
        time: any TimeSource = ManualTime()
    ) async throws(ShardStorageError) -> ShardDisk {
        try await ShardDisk.open(
            fileSystem: fileSystem,
            expecting: DiskExpectation(cluster: cluster, epoch: 5),
            time: time,
            random: SeededRandom(seed: seed),
            configuration: configuration
        )
    }

    /// A new disk, formatted and open.
    static func make(capacity: Int = 1 << 30) async throws -> (MemoryFileSystem, ShardDisk) {
        let fileSystem = MemoryFileSystem(capacity: capacity)
        try await format(fileSystem)
        return (fileSystem, try await open(fileSystem))
    }
}

extension TestShard {
    /// Writes some shards to both kinds of segment, each sixth a large one, and of the others none below `smallest`.
    static func fill(
        _ disk: ShardDisk,
        smallest: Int = 500,
        _ generator: inout SplitMix64
    ) async throws -> [TestShard] {
        try await fill(disk, (0..<18).map { $0 % 6 == 5 ? 300 << 10 : smallest + 977 * $0 }, &generator)
    }

    /// Writes 150 shards of 20,000 bytes, which take several segments.
    static func fillSegments(_ disk: ShardDisk, _ generator: inout SplitMix64) async throws -> [TestShard] {
        try await fill(disk, Array(repeating: 20_000, count: 150), &generator)
    }

    private static func fill(
        _ disk: ShardDisk,
        _ lengths: [Int],
        _ generator: inout SplitMix64
    ) async throws -> [TestShard] {
        var shards: [TestShard] = []
        for (number, length) in lengths.enumerated() {
            shards.append(TestShard(sequence: UInt64(number), length: length, using: &generator))
            try await shards[number].write(to: disk)
        }
        return shards
    }
}

extension MemoryFileSystem {
    /// Gives each of two segment files the other's name, as somebody may beneath an open disk.
    func exchange(_ one: String, _ other: String) async throws {
        try await rename(one, to: "segments/other")
        try await rename(other, to: one)
        try await rename("segments/other", to: other)
    }
}

/// The error that `body` throws; nil when it throws none.
func storageError(_ body: () async throws -> Void) async -> ShardStorageError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? ShardStorageError
    }
}
