import Coordination
import LinuxSystem
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import SystemInterface
import TestKit
import Testing

@Suite("Repack of large blobs, parts and blobs that are being read")
struct RepackLargeTests {
    static let bucket = StoreHarness.bucket

    private static func upload(_ store: StoreHarness, _ key: String) async throws -> Upload {
        try await store.objects.createUpload(
            CreateUploadRequest(
                bucket: bucket,
                key: key,
                owner: StoreHarness.owner,
                attributes: ObjectAttributes(contentType: "a/b")
            )
        )
    }

    private static func copyPart(
        _ store: StoreHarness,
        _ upload: Upload,
        _ number: Int,
        of source: String,
        _ range: ClosedRange<Int>
    ) async throws -> CompleteUploadRequest.Part {
        let result = try await store.objects.copyPart(
            CopyPartRequest(
                sourceBucket: bucket,
                sourceKey: source,
                sourceRange: range,
                bucket: bucket,
                key: upload.key,
                upload: upload.id,
                partNumber: number
            )
        )
        return CompleteUploadRequest.Part(number: number, eTag: result.eTag)
    }

    private static func complete(
        _ store: StoreHarness,
        _ upload: Upload,
        _ parts: [CompleteUploadRequest.Part]
    ) async throws {
        _ = try await store.objects.completeUpload(
            CompleteUploadRequest(bucket: bucket, key: upload.key, upload: upload.id, parts: parts)
        )
    }

    private static func repack(_ store: StoreHarness, _ blobs: [BlobID]) async throws {
        guard let repack = try await store.store.objects.repack(blobs) else {
            Issue.record("nothing to repack")
            return
        }
        let outcome = try await store.store.objects.commit(repack)
        #expect(outcome.moved == 1 && outcome.refused == 0)
    }

    /// Goal: extents that begin within a frame, frames that are compressed, runs of live frames with dead ones between
    /// them, more than one stripe, and an owner that names two sources.
    @Test("what ranges still name of large objects moves to blobs of its own", arguments: [false, true])
    func ranges(isCompressible: Bool) async throws {
        let store = try await StoreHarness.open()
        let length = 13 << 20
        let contents = [1, 2].map { seed in
            isCompressible
                ? Content.compressible(length, seed: seed) : Content.random(length, seed: seed)
        }
        for (place, content) in contents.enumerated() { try await store.put("source-\(place)", content) }
        let ranges = [
            (0, 700_001...6_000_000), (1, 1_000_000...6_242_890), (0, 7_000_077...12_242_957),
            (1, 13_000_000...13_000_008),
        ]
        let upload = try await Self.upload(store, "made")
        var parts: [CompleteUploadRequest.Part] = []
        for (number, (source, range)) in ranges.enumerated() {
            parts.append(try await Self.copyPart(store, upload, number + 1, of: "source-\(source)", range))
        }
        let expected = ranges.reduce(into: [UInt8]()) { $0 += contents[$1.0][$1.1] }
        // The first half is moved as parts, the rest once they are an object.
        try await store.delete("source-1")
        let repacker = Repacker(
            metadata: try store.store.metadata,
            objects: try store.store.objects,
            time: store.time,
            grace: .zero
        )
        try await repacker.pass()
        #expect(repacker.progress.blobsDone == 1)
        try await Self.complete(store, upload, parts)
        #expect(try await store.holds("made", expected))
        try await store.delete("source-0")
        let sparse = try await store.store.metadata.sparseBlobs(share: 0.9, limit: 9).map(\.blob.id)
        #expect(sparse.count == 1)
        try await Self.repack(store, sparse)
        #expect(try await store.holds("made", expected))
        // The object is still the one that the upload became.
        try await Self.complete(store, upload, parts)
        for _ in 0..<8 {
            let lower = Int(store.random() % UInt64(expected.count - 1))
            let upper = lower + Int(store.random() % UInt64(expected.count - lower))
            #expect(try await store.holds("made", expected[lower...upper], range: .closed(lower, upper)))
        }
        try await store.running {
            try await store.wait { try await store.store.metadata.statistics().deadBlobs == 0 }
        }
        for slot in [2, 5] { store.disk(slot).isGone = true }
        #expect(try await store.holds("made", expected))
        for slot in [2, 5] { store.disk(slot).isGone = false }
        try await store.close()
    }

    @Test("a download in progress goes on from the blob it began with")
    func reader() async throws {
        let store = try await StoreHarness.open()
        let content = Content.random(20 << 20)
        try await store.put("source", content)
        let upload = try await Self.upload(store, "made")
        let part = try await Self.copyPart(store, upload, 1, of: "source", 1_000_000...9_999_999)
        try await Self.complete(store, upload, [part])
        try await store.delete("source")
        let download = try await store.objects.get(GetRequest(bucket: Self.bucket, key: "made"))
        var bytes = try await download.body?.next()?.copied() ?? []
        try await Self.repack(
            store,
            try await store.store.metadata.sparseBlobs(share: 0.5, limit: 9).map(\.blob.id)
        )
        try await store.running {
            try await store.time.sleep(for: GarbageCollector.interval * 3)
            #expect(try await store.store.metadata.statistics().deadBlobs == 1)
            while let slice = try await download.body?.next() { bytes += slice.copied() }
        }
        let isSame = bytes == Array(content[1_000_000...9_999_999])
        #expect(isSame)
        #expect(try await store.holds("made", content[1_000_000...9_999_999]))
        try await store.close()
    }

    @Test("small parts of an open upload move, and the upload is completed")
    func parts() async throws {
        let harness = try await RepackHarness.open(count: 0)
        let store = harness.store
        let upload = try await Self.upload(store, "made")
        let bytes = Content.random(3_000, seed: 4)
        let eTag = try await withThrowingTaskGroup(of: String?.self) { group in
            for number in 0..<40 {
                group.addTask {
                    try await harness.put("k\(number)", Content.random(800, seed: UInt64(number)))
                    return nil
                }
            }
            group.addTask {
                try await store.objects.uploadPart(
                    UploadPartRequest(
                        bucket: Self.bucket,
                        key: "made",
                        upload: upload.id,
                        partNumber: 1,
                        length: bytes.count
                    ),
                    body: ArrayBody(bytes)
                ).eTag
            }
            return try await group.reduce(into: String?.none) { found, next in if let next { found = next } }
        }
        for number in 0..<40 where number % 8 != 0 { try await harness.delete("k\(number)") }
        let part = try #require(try await store.store.metadata.parts(of: upload.id, after: 0, limit: 1).first)
        try await harness.repacker().pass()
        let moved = try #require(try await store.store.metadata.parts(of: upload.id, after: 0, limit: 1).first)
        #expect(moved.summary == part.summary)
        try await harness.collectGarbage()
        try await Self.complete(store, upload, [CompleteUploadRequest.Part(number: 1, eTag: try #require(eTag))])
        harness.expect("made", bytes)
        #expect(try await harness.wrongKeys().isEmpty)
        try await store.close()
    }
}
