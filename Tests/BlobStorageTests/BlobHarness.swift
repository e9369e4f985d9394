import BlobStorage
import Checksums
import ClusterProtocol
import DiskFormat
import LinuxSystem
import ObjectModel
import Placement
import ShardStorage
import StorageNode
import Synchronization
import SystemInterface
import TestKit
import Testing

/// Six disks of one node, reached over a transport that can be told to misbehave.
final class BlobHarness: Sendable {
    static let node = NodeName("node-1")

    let scheme: Scheme
    let disks: [DiskID]
    let memory: [MemoryDisk]
    let transport: FaultyTransport
    let store: BlobStore
    let view: ClusterView
    let time = LinuxTime()
    let service: StorageNodeService
    let bad = Mutex<Set<ShardID>>([])
    let degraded = Mutex<[BlobID]>([])
    private let sequence = Mutex<UInt64>(0)

    /// `sites`: the disks take turns among so many; within a site, among so many `nodes`. `standpoint`: where the
    /// reader is.
    init(
        cellSize: Int = 64 << 10,
        data: Int = 4,
        parity: Int = 2,
        sites: Int = 1,
        nodes: Int = 1,
        standpoint: Standpoint? = nil,
        buggify: Buggify = .never
    ) async throws {
        view = ClusterView(standpoint: standpoint)
        scheme = try #require(Scheme(dataCount: data, parityCount: parity, cellSize: cellSize))
        var generator = SplitMix64(seed: 3)
        let service = StorageNodeService(time: time)
        self.service = service
        let cluster = ClusterID(.random(using: &generator))
        let random = SeededRandom(seed: 4)
        var (ids, memory, map) = ([DiskID](), [MemoryDisk](), ClusterMap())
        for number in 0..<scheme.shardCount {
            let id = DiskID(.random(using: &generator))
            let disk = MemoryDisk(device: UInt64(number))
            let files = disk.mount()
            let identity = DiskIdentity(
                cluster: cluster,
                disk: id,
                site: SiteName("site-1"),
                node: Self.node,
                epoch: 1,
                created: 0
            )
            try await ShardDisk.format(fileSystem: files, identity: identity)
            var configuration = ShardDiskConfiguration()
            configuration.segmentLength = 8 << 20
            configuration.growthLength = 1 << 20
            configuration.reserveLength = 1 << 20
            let shards = try await ShardDisk.open(
                fileSystem: files,
                expecting: DiskExpectation(cluster: cluster, disk: id),
                time: time,
                random: random,
                configuration: configuration
            )
            service.host(HostedDisk(shards: shards, journal: nil))
            map.disks[id] = PlacementDisk(
                id: id,
                site: SiteName("site-\(number % sites + 1)"),
                node: NodeName("node-\(number / sites % nodes + 1)")
            )
            ids.append(id)
            memory.append(disk)
        }
        map.groups[GroupID(0)] = ClusterMap.Group(id: GroupID(0), epoch: 1, scheme: scheme, members: ids)
        let local = LocalTransport(time: time)
        for number in 1...nodes { local.register("node-\(number)", service) }
        disks = ids
        self.memory = memory
        transport = FaultyTransport(local, time: time)
        view.update(map: map)
        store = BlobStore(transport: transport, view: view, time: time, random: random, buggify: buggify)
        for disk in ids { view.update(disk, condition: DiskCondition(isUsable: true, room: 1 << 40)) }
        store.onDegradedRead { [weak self] blob in self?.degraded.withLock { $0.append(blob) } }
        store.onBadShard { [weak self] shard in self?.bad.withLock { _ = $0.insert(shard) } }
    }

    func nextBlob() -> BlobID {
        sequence.withLock { sequence in
            sequence += 1
            return BlobID(incarnation: 1, lease: 1, sequence: sequence)
        }
    }

    private func description(_ bytes: [UInt8]) -> BlobDescription {
        BlobDescription(frames: .uniform, ingestDigest: Self.digest(bytes))
    }

    static func digest(_ bytes: [UInt8]) -> ContentDigest {
        let digest = XXH3Digest()
        bytes.withUnsafeBytes { digest.update($0) }
        return ContentDigest(digest.finalize())
    }

    /// Writes a blob as its length asks for: whole, or stripe by stripe.
    func write(_ blob: BlobID, _ bytes: [UInt8]) async throws -> BlobReceipt {
        let capacity = scheme.dataCount * scheme.cellSize
        guard bytes.count > capacity else {
            let stripe = store.stripeBuffer(for: scheme, blobLength: bytes.count)
            stripe.mutableBytes.copyBytes(from: bytes)
            return try await store.write(
                blob,
                scheme: scheme,
                stripe: stripe,
                length: bytes.count,
                description: description(bytes)
            )
        }
        let writer = try await BlobWriter(store, blob: blob, scheme: scheme, capacity: bytes.count)
        var position = 0
        while bytes.count - position >= capacity {
            writer.stripe.mutableBytes.copyBytes(from: bytes[position..<position + capacity])
            try await writer.flush()
            position += capacity
        }
        writer.stripe.mutableBytes.copyBytes(from: bytes[position...])
        return try await writer.finish(rest: bytes.count - position, description: description(bytes))
    }

    func location(_ blob: BlobID, length: Int, missing: [UInt8] = []) throws -> BlobLocation {
        try store.locate(blob, length: length, group: GroupID(0), missing: missing, moving: [])
    }

    func read(_ location: BlobLocation, _ range: Range<Int>) async throws -> [UInt8] {
        try await store.readAcrossStripes(location, range: range).flatMap { $0.copied() }
    }

    func repair(_ location: BlobLocation, _ bytes: [UInt8], shards: [UInt8]) async throws -> [UInt8] {
        guard let group = store.view.group(GroupID(0)) else { throw BlobError.unknownGroup(GroupID(0)) }
        return try await store.repair(
            RepairRequest(
                location: location,
                group: group,
                frames: .uniform,
                ingestDigest: Self.digest(bytes),
                shards: shards
            )
        )
    }

    /// Flips a bit in a leaf of the first record of more than 256 KiB that the disk was given.
    func flipFirstRecord(ofDisk disk: Int, leaf: Int) {
        let body = SegmentHeader.recordsOffset + Block.size
        for path in memory[disk].files where path.hasPrefix("segments/") {
            memory[disk].flip(path, offset: body + leaf * Leaf.size + 100, mask: 4)
        }
    }

    static func bytes(_ count: Int) -> [UInt8] {
        var generator = SplitMix64(seed: UInt64(count))
        return generator.bytes(count)
    }
}

/// Passes calls on, except to disks with a fault.
final class FaultyTransport: Transport {
    enum Fault: Sendable {
        case delay(Duration)
        case fail(TransportError)
        /// Flips a bit in each buffer of the answer.
        case corrupt
        /// Answers to cells of long shards get lost, and the cells as well.
        case loseAppends
    }

    private let transport: any Transport
    private let time: any TimeSource
    private let faults = Mutex<[DiskID: Fault]>([:])
    private let reads = Mutex<[DiskID: Int]>([:])
    private let sent = Mutex<[DiskID: Int]>([:])

    init(_ transport: any Transport, time: any TimeSource) {
        self.transport = transport
        self.time = time
    }

    func set(_ fault: Fault?, for disk: DiskID) { faults.withLock { $0[disk] = fault } }

    /// Reads that each disk was asked for since the last call.
    func takeReads() -> [DiskID: Int] {
        reads.withLock { reads in
            defer { reads = [:] }
            return reads
        }
    }

    /// Bytes of shards that each disk has sent since the last call.
    func takeSent() -> [DiskID: Int] {
        sent.withLock { sent in
            defer { sent = [:] }
            return sent
        }
    }

    func call(
        _ node: String,
        _ message: TransportMessage,
        timeout: Duration
    ) async throws(TransportError) -> TransportMessage {
        let answer = try await answer(node, message, timeout: timeout)
        if let disk = (try? ShardRequest(encoded: message.header))?.disk {
            let count = answer.buffers.reduce(0) { $0 + $1.count }
            sent.withLock { $0[disk, default: 0] += count }
        }
        return answer
    }

    private func answer(
        _ node: String,
        _ message: TransportMessage,
        timeout: Duration
    ) async throws(TransportError) -> TransportMessage {
        guard let request = try? ShardRequest(encoded: message.header) else { throw .unreachable(node: node) }
        if case .read = request { reads.withLock { $0[request.disk, default: 0] += 1 } }
        switch faults.withLock({ $0[request.disk] }) {
        case nil: break
        case .fail(let error): throw error
        case .delay(let duration): try? await time.sleep(for: duration)
        case .loseAppends: if case .append = request { throw .unknownOutcome(node: node) }
        case .corrupt:
            var answer = try await transport.call(node, message, timeout: timeout)
            answer.buffers = answer.buffers.map { slice in
                var bytes = slice.copied()
                if !bytes.isEmpty { bytes[bytes.count / 2] ^= 4 }
                return BufferSlice(copying: bytes)
            }
            return answer
        }
        return try await transport.call(node, message, timeout: timeout)
    }
}
