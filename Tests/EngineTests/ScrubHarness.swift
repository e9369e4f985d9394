import BlobStorage
import Checksums
import ClusterProtocol
import Coordination
import DiskFormat
import Metadata
import ObjectModel
import ObjectStorage
import Placement
import ShardStorage
import StorageNode
import Synchronization
import SystemInterface
import TestKit
import Testing

/// A store whose scrub lives in time that the test moves; every verification that reaches a disk is written down.
final class ScrubHarness: Sendable {
    static let day = 86_400.0
    static let objects = 12
    /// Large enough for a blob of its own, small enough for fast tests.
    static let objectLength = 1_200_000

    /// One shard read by its disk, and when: seconds since the beginning.
    struct Reading: Hashable {
        var disk: DiskID
        var shard: ShardID
        var seconds: Double
    }

    let harness: StoreHarness
    let time: ManualTime
    private let log: ReadingLog
    private let folder = Mutex(MemoryDisk(device: 99))
    private let running = Mutex<(scrubber: Scrubber, task: Task<Void, Never>)?>(nil)
    private let settings: ScrubSettings

    private init(harness: StoreHarness, time: ManualTime, log: ReadingLog, settings: ScrubSettings) {
        self.harness = harness
        self.time = time
        self.log = log
        self.settings = settings
    }

    static func open(
        objects: Int = ScrubHarness.objects,
        period: Double = 14,
        codingPeriod: Double = 9_000
    ) async throws -> ScrubHarness {
        let time = ManualTime()
        let log = ReadingLog(time: time)
        let harness = try await StoreHarness.open { configuration in
            configuration.link = { LoggedTransport(base: $0, log: log) }
        }
        for number in 0..<objects { try await harness.put(key(number), content(number)) }
        var settings = ScrubSettings(period: .seconds(period * day), codingPeriod: .seconds(codingPeriod * day))
        // These disks are tiny: a pass over them must take days.
        settings.minimumRate = 1
        settings.poll = .seconds(3_600)
        return ScrubHarness(harness: harness, time: time, log: log, settings: settings)
    }

    static func key(_ number: Int) -> String { "image-\(number)" }
    static func content(_ number: Int) -> [UInt8] { Content.random(objectLength, seed: UInt64(number)) }

    var store: Store { get throws { try harness.store } }
    var scrubber: Scrubber { get throws { try #require(running.withLock { $0?.scrubber }) } }
    var status: ScrubStatus { get throws { try scrubber.status } }
    var seconds: Double { Double(time.monotonic.nanoseconds) / 1e9 }
    var readings: [Reading] { log.readings.withLock { $0 } }
    var diskOfPosition: MemoryDisk { folder.withLock { $0 } }

    func diskID(_ slot: Int) async throws -> DiskID {
        let name = StoreHarness.name(slot)
        return try #require(try await store.metadata.disks().first { $0.slot == name && $0.state == .active }).id
    }

    // MARK: The scrub's process

    func start() throws {
        let store = try store
        let scrubber = Scrubber(
            metadata: store.metadata,
            blobs: store.blobs,
            time: time,
            settings: settings,
            folder: diskOfPosition.mount()
        )
        var helpers = Scrubber.Helpers()
        helpers.rewrite = { blob in
            guard let repack = try? await store.objects.repack([blob]) else { return false }
            return (try? await store.objects.commit(repack)) != nil
        }
        helpers.found = { [badShards = store.badShards] in await badShards.note($0) }
        scrubber.use(helpers)
        running.withLock { $0 = (scrubber, Task { await scrubber.run() }) }
    }

    func stop() async {
        let last = running.withLock { current in
            defer { current = nil }
            return current
        }
        last?.task.cancel()
        await last?.task.value
    }

    /// Ends the scrub's process; what it had not kept by then is lost.
    func kill() async {
        let kept = diskOfPosition.copy()
        await stop()
        folder.withLock { $0 = kept }
    }

    func replacePosition(_ disk: MemoryDisk) { folder.withLock { $0 = disk } }

    // MARK: Time

    /// Until everything that runs is asleep.
    private func settle() async throws {
        let scrubber = try scrubber
        while time.sleeperCount < 1 + scrubber.workerCount { try await Task.sleep(for: .microseconds(200)) }
    }

    /// Moves time on, in steps in which everything that is due is done, until `condition` holds.
    func advance(days: Double, until condition: () throws -> Bool = { false }) async throws {
        let end = seconds + days * Self.day
        while seconds < end {
            try await settle()
            if try condition() { return }
            time.advance(by: settings.poll)
        }
        try await settle()
    }

    // MARK: What was read

    /// The shards that metadata places on disks, none of which is known to be missing.
    func placed() async throws -> Set<Reading> {
        let store = try store
        var placed: Set<Reading> = []
        for blob in try await store.metadata.blobs(after: nil, limit: 1_000) {
            let members = try #require(store.blobs.view.group(blob.group)).members
            for (index, disk) in members.enumerated() where !blob.missing.contains(UInt8(index)) {
                placed.insert(Reading(disk: disk, shard: ShardID(blob: blob.id, index: UInt8(index)), seconds: 0))
            }
        }
        return placed
    }

    /// The longest time, in days, that any shard was not read from `begin` to now.
    func longestGap(since begin: Double = 0) async throws -> Double {
        var times: [Reading: [Double]] = [:]
        for one in try await placed() { times[one] = [begin] }
        for reading in readings where reading.seconds >= begin {
            times[Reading(disk: reading.disk, shard: reading.shard, seconds: 0)]?.append(reading.seconds)
        }
        let gaps = times.values.map { times in
            let all = times + [seconds]
            return zip(all, all.dropFirst()).map { $1 - $0 }.max() ?? 0
        }
        return (gaps.max() ?? 0) / Self.day
    }

    // MARK: Damage

    func blob(of key: String) async throws -> BlobRecord {
        let detail = try #require(try await store.metadata.version(bucket: StoreHarness.bucket, key: key))
        return try #require(detail.blobs.values.first)
    }

    func disk(of shard: ShardID) async throws -> DiskID {
        let blob = try #require(try await store.metadata.blob(shard.blob))
        return try #require(store.blobs.view.group(blob.group)).members[Int(shard.index)]
    }

    /// Flips a bit in the body of a shard where it lies.
    func rot(_ shard: ShardID) async throws {
        let disk = try await disk(of: shard)
        let hosted = try #require(try store.hosted.first { $0.disk.shards.identity.disk == disk }).disk.shards
        let entry = try #require(hosted.inventory(after: nil, limit: 10_000).first { $0.shard == shard })
        let medium = try #require((hosted.fileSystem as? MemoryFileSystem)?.disk)
        let path = "segments/\(SegmentHeader.fileName(entry.segment))"
        #expect(medium.flip(path, offset: entry.offset + entry.headerLength + entry.bodyLength / 2, mask: 4))
    }

    /// Puts another shard in the place of one: whole by its own measure, with `body` and the digests that its trailer
    /// states changed as asked.
    func substitute(
        _ shard: ShardID,
        body change: (inout [UInt8]) -> Void = { _ in },
        digests: [Int: ContentDigest] = [:]
    ) async throws {
        let nodes = try store.blobs.nodes
        let disk = try await disk(of: shard)
        var (header, trailer) = try await nodes.describe(disk, shard)
        let (_, buffers) = try await nodes.read(disk, shard, ranges: [0..<header.bodyCapacity])
        var body = buffers.flatMap { $0.copied() }
        change(&body)
        header.writeStamp &+= 1
        trailer.shardDigests[Int(shard.index)] = body.withUnsafeBytes { ContentDigest(XXH3Digest.digest($0)) }
        for (index, digest) in digests { trailer.shardDigests[index] = digest }
        var leaves: [UInt32] = []
        let seed = LeafSeed(shard: shard, stamp: header.writeStamp)
        body.withUnsafeBytes { seed.checksums(of: $0, firstLeaf: 0, into: &leaves) }
        try await nodes.erase(disk, [shard])
        let slice = BufferSlice(copying: body)
        try await nodes.write(disk, header: header, trailer: trailer, leafChecksums: leaves, body: [slice])
        #expect(try await nodes.verify(disk, shard))
    }

    func missing(_ shard: ShardID) async throws -> Bool {
        try await store.metadata.blob(shard.blob)?.missing.contains(shard.index) ?? false
    }
}

/// Every verification asked of a disk.
final class ReadingLog: Sendable {
    let readings = Mutex<[ScrubHarness.Reading]>([])
    let time: ManualTime

    init(time: ManualTime) { self.time = time }
}

private struct LoggedTransport: Transport {
    let base: any Transport
    let log: ReadingLog

    func call(_ node: String, _ message: TransportMessage, timeout: Duration) async throws(TransportError)
        -> TransportMessage
    {
        if case .verify(let disk, let shard)? = try? ShardRequest(encoded: message.header) {
            let seconds = Double(log.time.monotonic.nanoseconds) / 1e9
            log.readings.withLock { $0.append(ScrubHarness.Reading(disk: disk, shard: shard, seconds: seconds)) }
        }
        return try await base.call(node, message, timeout: timeout)
    }
}
