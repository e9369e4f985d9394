import BlobStorage
import ClusterProtocol
import DiskFormat
import ObjectModel
import ShardStorage
import StorageNode
import SystemInterface
import TestKit
import Testing

/// Found by reading: each shard that a long write left behind kept its writer on the node, with its room and its
/// segment, until the node began anew; after 4,096 of them no disk of it took any more.
@Suite("Writers that nobody will seal")
struct GivenUpWriterTests {
    private static func writer(_ harness: BlobHarness, length: Int) async throws -> BlobWriter {
        try await BlobWriter(harness.store, blob: harness.nextBlob(), scheme: harness.scheme, capacity: length)
    }

    private static func fill(_ writer: BlobWriter) async throws {
        writer.stripe.mutableBytes.copyBytes(from: BlobHarness.bytes(writer.stripeCapacity))
        try await writer.flush()
    }

    private static func isFree(_ harness: BlobHarness) async throws -> Bool {
        for _ in 0..<6_000 where harness.service.openWriterCount > 0 { try await Task.sleep(for: .milliseconds(10)) }
        return harness.service.openWriterCount == 0
    }

    @Test("one that a write leaves behind is given up, as is one whose cells did not arrive", arguments: [true, false])
    func leftBehind(isLate: Bool) async throws {
        let harness = try await BlobHarness()
        let capacity = harness.scheme.dataCount * harness.scheme.cellSize
        let bytes = BlobHarness.bytes(2 * capacity + 5)
        let writer = try await Self.writer(harness, length: bytes.count)
        #expect(harness.service.openWriterCount == 6)
        harness.transport.set(isLate ? .delay(.milliseconds(800)) : .loseAppends, for: harness.disks[2])
        try await Self.fill(writer)
        try await Self.fill(writer)
        writer.stripe.mutableBytes.copyBytes(from: bytes.suffix(5))
        let description = BlobDescription(frames: .uniform, ingestDigest: BlobHarness.digest(bytes))
        let receipt = try await writer.finish(rest: 5, description: description)
        // On a busy machine another may be late as well.
        #expect(receipt.missing.contains(2))
        #expect(try await Self.isFree(harness))
    }

    /// Found by the simulator, seed 986 of `store`: such a writer kept its segment for an hour.
    @Test("one whose answer is late by a simulation's will is given up, as one whose answer is late")
    func answerLost() async throws {
        let harness = try await BlobHarness(buggify: Buggify { $0 == .answerLost ? 0 : nil })
        let bytes = BlobHarness.bytes(5)
        let writer = try await Self.writer(harness, length: 2 * harness.scheme.dataCount * harness.scheme.cellSize)
        try await Self.fill(writer)
        writer.stripe.mutableBytes.copyBytes(from: bytes)
        let description = BlobDescription(frames: .uniform, ingestDigest: BlobHarness.digest(bytes))
        let receipt = try await writer.finish(rest: 5, description: description)
        #expect(!receipt.missing.isEmpty)
        #expect(try await Self.isFree(harness))
    }

    @Test("those of a write that is given up are, also when the writer's task has been cancelled")
    func cancelled() async throws {
        let harness = try await BlobHarness()
        let length = 3 * harness.scheme.dataCount * harness.scheme.cellSize
        let task = Task {
            let writer = try await Self.writer(harness, length: length)
            try await Self.fill(writer)
            while !Task.isCancelled { await Task.yield() }
            await writer.abort()
        }
        task.cancel()
        try await task.value
        #expect(try await Self.isFree(harness))
    }

    @Test("one that nobody has called for an hour is given up by the node; one that is called is not")
    func idle() async throws {
        let time = ManualTime()
        let (service, disk) = (StorageNodeService(time: time), MemoryDisk())
        let cluster = ClusterID(Identifier128(high: 0, low: 3))
        let id = DiskID(Identifier128(high: 0, low: 7))
        let identity = DiskIdentity(
            cluster: cluster,
            disk: id,
            site: SiteName("site-1"),
            node: NodeName("node-1"),
            epoch: 1,
            created: 0
        )
        try await ShardDisk.format(fileSystem: disk.mount(), identity: identity)
        let shards = try await ShardDisk.open(
            fileSystem: disk.mount(),
            expecting: DiskExpectation(cluster: cluster, disk: id),
            time: time,
            random: SeededRandom(seed: 1),
            configuration: ShardDiskConfiguration()
        )
        service.host(HostedDisk(shards: shards, journal: nil))
        let scheme = try #require(Scheme(dataCount: 4, parityCount: 2))
        var handles: [UInt64] = []
        for index in 0..<2 as Range<UInt8> {
            let header = ShardHeader(
                shard: ShardID(blob: BlobID(incarnation: 1, lease: 1, sequence: 1), index: index),
                group: GroupID(0),
                groupEpoch: 1,
                scheme: scheme,
                writeStamp: 5,
                bodyCapacity: 1 << 20
            )
            let answer = await service.answer(TransportMessage(header: ShardRequest.begin(id, header).encoded()))
            guard case .handle(let handle) = try ShardResponse(encoded: answer.header) else { continue }
            handles.append(handle)
        }
        try #require(handles.count == 2)
        time.advance(by: StorageNodeService.writerPatience / 2)
        let cells = AlignedBuffer(capacity: 4_096).slice(0..<4_096)
        let request = ShardRequest.append(id, handle: handles[1], offset: 0)
        _ = await service.answer(TransportMessage(header: request.encoded(), buffers: [cells]))
        service.endIdleWriters()
        #expect(service.openWriterCount == 2)
        time.advance(by: StorageNodeService.writerPatience / 2)
        service.endIdleWriters()
        #expect(service.openWriterCount == 1)
        let left = await service.answer(TransportMessage(header: ShardRequest.abort(id, handle: handles[1]).encoded()))
        guard case .done = try ShardResponse(encoded: left.header) else {
            Issue.record("a writer that was called lately is gone")
            return
        }
        try await shards.close()
    }
}
