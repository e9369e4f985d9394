import BlobStorage
import Checksums
import Coordination
import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import Placement
import Synchronization
import SystemInterface
import TestKit

/// A store with packs of small objects, and what they must come out as.
final class RepackHarness: Sendable {
    let store: StoreHarness
    private let contents = Mutex<[String: [UInt8]]>([:])

    init(_ store: StoreHarness) { self.store = store }

    /// Puts `count` small objects, so many at a time that they share packs.
    static func open(
        seed: UInt64 = 1,
        count: Int,
        configure: @escaping @Sendable (inout StoreConfiguration) -> Void = { _ in }
    ) async throws -> RepackHarness {
        let harness = RepackHarness(try await StoreHarness.open(seed: seed, configure: configure))
        try await harness.fill(0..<count)
        return harness
    }

    static func key(_ number: Int) -> String { "study/\(number)" }

    static func content(_ number: Int, seed: UInt64 = 1) -> [UInt8] {
        let length = 900 + number % 7 * 400
        return number % 3 == 0
            ? Content.compressible(length, seed: seed &+ UInt64(number))
            : Content.random(length, seed: seed &* 1_000 &+ UInt64(number))
    }

    func fill(_ numbers: Range<Int>) async throws {
        var rest = numbers
        while !rest.isEmpty {
            let batch = rest.prefix(64)
            rest = rest.dropFirst(64)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in batch {
                    group.addTask { try await self.put(Self.key(number), Self.content(number)) }
                }
                try await group.waitForAll()
            }
        }
    }

    func put(_ key: String, _ bytes: [UInt8]) async throws {
        try await store.put(key, bytes)
        contents.withLock { $0[key] = bytes }
    }

    func delete(_ key: String) async throws {
        try await store.delete(key)
        contents.withLock { $0[key] = nil }
    }

    /// What the store must hold.
    var expected: [String: [UInt8]] { contents.withLock { $0 } }
    func expect(_ key: String, _ bytes: [UInt8]?) { contents.withLock { $0[key] = bytes } }

    /// The keys whose objects do not come out as they were put.
    func wrongKeys() async throws -> [String] {
        var wrong: [String] = []
        for (key, bytes) in expected.sorted(by: { $0.key < $1.key }) {
            let found = try? await store.get(key)
            if found != bytes { wrong.append(key) }
        }
        return wrong
    }

    // MARK: Repack

    /// A worker that does not wait for anything.
    func repacker() throws -> Repacker {
        let store = try store.store
        return Repacker(metadata: store.metadata, objects: store.objects, time: self.store.time, grace: .zero)
    }

    /// Writes what lives of all sparse blobs, and moves nothing yet.
    func writeRepack() async throws -> Repack {
        guard let repack = try await store.store.objects.repack(try await sparseBlobs()) else {
            throw StoreHarness.HarnessError.notOpen
        }
        return repack
    }

    /// The keys of the objects in some blobs.
    func keys(of blobs: [BlobID]) async throws -> [String] {
        var keys: Set<String> = []
        for blob in blobs { keys.formUnion(try await store.store.metadata.owners(of: blob).map(\.key)) }
        return keys.sorted()
    }

    func sparseBlobs() async throws -> [BlobID] {
        try await store.store.metadata.sparseBlobs(share: Repacker.share, limit: 10_000).map(\.blob.id)
    }

    /// Lets the collector work until nothing is dead.
    func collectGarbage() async throws {
        try await store.running {
            try await store.wait { try await store.store.metadata.statistics().deadBlobs == 0 }
        }
    }

    /// Bytes that the segments of all disks take.
    func segmentBytes() async throws -> Int {
        var bytes = 0
        for disk in store.disks {
            for path in disk.files where path.hasPrefix("segments/") {
                bytes += try await disk.mount().status(path)?.allocated ?? 0
            }
        }
        return bytes
    }

    func shardCount() async throws -> Int {
        try await store.store.status().disks.reduce(0) { $0 + $1.shardCount }
    }

    // MARK: Shards

    /// Where metadata places a blob's shards.
    func members(of blob: BlobID) async throws -> [DiskID] {
        let store = try store.store
        guard let record = try await store.metadata.blob(blob), let group = store.blobs.view.group(record.group) else {
            throw StoreHarness.HarnessError.notOpen
        }
        return group.members
    }

    /// Writes a copy of a live shard to a disk, under another blob's name if one is given.
    func plant(_ shard: ShardID, as other: BlobID? = nil, on target: DiskID) async throws {
        let nodes = try store.store.blobs.nodes
        let source = try await members(of: shard.blob)[Int(shard.index)]
        let (header, trailer) = try await nodes.describe(source, shard)
        let length = StripeGeometry(scheme: header.scheme, blobLength: trailer.blobLength).shardLength
        let (_, body) = try await nodes.read(source, shard, ranges: [0..<length])
        var planted = header
        planted.shard = ShardID(blob: other ?? shard.blob, index: shard.index)
        planted.writeStamp = store.random()
        var checksums: [UInt32] = []
        let bytes = BufferSlice(copying: body.flatMap { $0.copied() })
        bytes.withBytes {
            LeafSeed(shard: planted.shard, stamp: planted.writeStamp).checksums(of: $0, firstLeaf: 0, into: &checksums)
        }
        try await nodes.write(target, header: planted, trailer: trailer, leafChecksums: checksums, body: [bytes])
    }

    func isThere(_ shard: ShardID, on disk: DiskID) async throws -> Bool {
        do {
            return try await store.store.blobs.nodes.verify(disk, shard)
        } catch {
            return false
        }
    }
}
