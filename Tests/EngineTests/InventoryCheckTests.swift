import BlobStorage
import ClusterProtocol
import Coordination
import Metadata
import ObjectModel
import Placement
import StorageNode
import Synchronization
import SystemInterface
import TestKit
import Testing

/// The comparison of the disks with the metadata after a start.
@Suite("inventory check")
struct InventoryCheckTests {
    @Test("what is written while the disks are compared is neither read nor waited for", arguments: [4, 8])
    func writtenMeanwhile(batch: Int) async throws {
        let reads = Mutex(0)
        let harness = try await StoreHarness.open { configuration in
            configuration.link = { CountedVerifications(base: $0) { reads.withLock { $0 += 1 } } }
        }
        for number in 0..<4 { try await harness.put("before-\(number)", Content.random(70_000)) }
        let store = try harness.store
        let time = ManualTime()
        let check = InventoryCheck(metadata: store.metadata, blobs: store.blobs, time: time, batch: batch)
        let pass = Task { _ = await check.pass() }
        var written = 0
        // Full batches are followed by pauses; more is written in each of them, less than a batch.
        while !check.isDone, written < 100 {
            guard time.sleeperCount > 0 else {
                await Task.yield()
                continue
            }
            for _ in 0..<3 {
                try await harness.put("meanwhile-\(written)", Content.random(70_000))
                written += 1
            }
            time.advance(by: .seconds(1))
        }
        #expect(check.isDone && written < 10)
        pass.cancel()
        await pass.value
        #expect(reads.withLock { $0 } == 0)
        try await harness.close()
    }

    @Test("a disk that lost its last shards is found, and nothing else is read")
    func disksBehind() async throws {
        let reads = Mutex(0)
        let harness = try await StoreHarness.open { configuration in
            configuration.link = { CountedVerifications(base: $0) { reads.withLock { $0 += 1 } } }
        }
        for number in 0..<6 { try await harness.put("key-\(number)", Content.random(70_000)) }
        let store = try harness.store
        let blobs = try await store.metadata.blobs(after: nil, limit: 100)
        let last = try #require(blobs.last)
        let group = try #require(store.blobs.view.group(last.group))
        let lost = ShardID(blob: last.id, index: 2)
        try await store.blobs.nodes.erase(group.members[2], [lost])
        let check = InventoryCheck(metadata: store.metadata, blobs: store.blobs, time: harness.time, batch: 3)
        #expect(await check.pass())
        #expect(try await store.metadata.blob(last.id)?.missing == [2])
        #expect(reads.withLock { $0 } == 1)
        try await harness.close()
    }
}

private struct CountedVerifications: Transport {
    let base: any Transport
    let onVerify: @Sendable () -> Void

    func call(_ node: String, _ message: TransportMessage, timeout: Duration) async throws(TransportError)
        -> TransportMessage
    {
        if case .verify? = try? ShardRequest(encoded: message.header) { onVerify() }
        return try await base.call(node, message, timeout: timeout)
    }
}
