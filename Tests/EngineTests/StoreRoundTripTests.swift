import Checksums
import ObjectInterface
import ObjectModel
import Testing

@Suite("A store gives back what was put, byte for byte")
struct StoreRoundTripTests {
    static let sizes = [
        0, 1, 100, 1 << 10, 63 << 10, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, (256 << 10) - 1, 256 << 10,
        (256 << 10) + 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, 5 << 20,
    ]

    @Test("objects of every size come back whole, random and compressible ones")
    func sizes() async throws {
        let store = try await StoreHarness.open()
        for size in Self.sizes {
            for bytes in [Content.random(size), Content.compressible(size)] {
                let result = try await store.put("size-\(size)", bytes)
                #expect(result.eTag == Hexadecimal.text(MessageDigest.md5.digest(bytes)))
                #expect(!result.isDegraded)
                #expect(try await store.holds("size-\(size)", bytes), "size \(size)")
                #expect(try await store.head("size-\(size)").length == size)
            }
        }
        try await store.close()
    }

    @Test("an object of several blobs comes back whole", arguments: [false, true])
    func severalBlobs(isCompressible: Bool) async throws {
        let store = try await StoreHarness.open()
        let size = 70 << 20 | 12_345
        let bytes = isCompressible ? Content.compressible(size) : Content.random(size)
        try await store.put("large", bytes)
        #expect(try await store.holds("large", bytes))
        let ranges: [ByteRange] = [
            .closed(0, 0), .closed((64 << 20) - 10, (64 << 20) + 10), .from(size - 5), .suffix(70_000),
            .closed((4 << 20) - 1, (4 << 20)), .closed(1_000_000, 9_000_000),
        ]
        for range in ranges {
            let expected = try #require(range.resolved(length: size))
            #expect(try await store.holds("large", bytes[expected], range: range), "\(range)")
        }
        try await store.close()
    }

    @Test("ranges of all three kinds within and across frames, cells and stripes")
    func ranges() async throws {
        let store = try await StoreHarness.open()
        for size in [1, 1_000, 100_000, 300_000, (1 << 20) + 17, (4 << 20) + 4_097, (9 << 20) + 1] {
            for (name, bytes) in [("random", Content.random(size)), ("even", Content.compressible(size))] {
                try await store.put(name, bytes)
                for range in Self.ranges(of: size) {
                    guard let expected = range.resolved(length: size) else {
                        #expect(await code(of: { _ = try await store.get(name, range: range) }) == .invalidRange)
                        continue
                    }
                    #expect(try await store.holds(name, bytes[expected], range: range), "\(size) \(range)")
                }
            }
        }
        try await store.close()
    }

    private static func ranges(of size: Int) -> [ByteRange] {
        let edges = [0, 1, 65_535, 65_536, 262_143, 262_144, 1 << 20, 4 << 20, 8 << 20, size - 1, size, size + 5]
        return [.suffix(0), .suffix(1), .suffix(size), .suffix(size + 1), .suffix(70_000)]
            + edges.filter { $0 >= 0 }.flatMap { edge in
                [.from(edge), .closed(edge, edge), .closed(edge, edge + 99_999), .closed(max(0, edge - 3), edge + 3)]
            }
    }

    @Test("a body that comes in small pieces, or ends too early, or is too long")
    func bodies() async throws {
        let store = try await StoreHarness.open()
        let objects = try store.objects
        func request(_ length: Int) -> PutRequest {
            PutRequest(
                bucket: StoreHarness.bucket,
                key: "k",
                owner: StoreHarness.owner,
                length: length,
                attributes: ObjectAttributes()
            )
        }
        for size in [10, 1 << 20, (5 << 20) + 3] {
            let bytes = Content.random(size)
            _ = try await objects.put(request(size), body: ArrayBody(bytes, step: max(3, size / 777)))
            #expect(try await store.holds("k", bytes))
            let short = await code(of: { _ = try await objects.put(request(size + 1), body: ArrayBody(bytes)) })
            #expect(short == .incompleteBody)
            let long = await code(of: { _ = try await objects.put(request(size - 1), body: ArrayBody(bytes)) })
            #expect(long == .incompleteBody)
            #expect(try await store.holds("k", bytes))
        }
        try await store.close()
    }
}
