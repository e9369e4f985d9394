import Coordination
import ObjectInterface
import ObjectStorage
import TestKit
import Testing

/// Found by hand: each download that its client reads slowly holds some stripes, and nothing but the number of
/// connections bounded how many there are: 600 took 2.7 GB.
@Suite("What all requests together hold in memory")
struct RequestMemoryTests {
    private static func download(_ store: StoreHarness) async throws -> GetResult {
        try await store.objects.get(GetRequest(bucket: StoreHarness.bucket, key: "object"))
    }

    @Test("beyond the limit requests are told to slow down, and go on when others have ended")
    func limit() async throws {
        let store = try await StoreHarness.open { $0.requestMemory = 32 << 20 }
        let bytes = Content.random(20 << 20)
        try await store.put("object", bytes)
        try await store.put("small", Content.random(900))
        #expect(try store.store.objects.memory.inUse == 0)
        var downloads: [GetResult] = []
        while downloads.count < 100 {
            guard let next = try? await Self.download(store) else { break }
            downloads.append(next)
        }
        #expect((1..<10).contains(downloads.count))
        #expect(await code(of: { _ = try await Self.download(store) }) == .busy)
        #expect(await code(of: { try await store.put("other", bytes) }) == .busy)
        #expect(try await store.holds("small", Content.random(900)))
        for download in downloads { #expect(try await StoreHarness.bytes(of: download) == bytes) }
        downloads = []
        #expect(try store.store.objects.memory.inUse == 0)
        try await store.put("other", bytes)
        #expect(try await store.holds("other", bytes))
        try await store.close()
    }

    @Test("a request that needs more than all there is goes on while it is alone")
    func alone() async throws {
        let store = try await StoreHarness.open { $0.requestMemory = 1 << 20 }
        let bytes = Content.random(9 << 20)
        try await store.put("object", bytes)
        #expect(try await store.holds("object", bytes))
        let first = try await Self.download(store)
        #expect(await code(of: { _ = try await Self.download(store) }) == .busy)
        #expect(try await StoreHarness.bytes(of: first) == bytes)
        try await store.close()
    }
}
