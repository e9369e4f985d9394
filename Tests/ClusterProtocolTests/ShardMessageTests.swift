import ClusterProtocol
import DiskFormat
import ObjectModel
import TestKit
import Testing

@Suite("Shard messages")
struct ShardMessageTests {
    private static let disk = DiskID(Identifier128(high: 0x0102_0304, low: .max))
    private static let shard = ShardID(blob: BlobID(incarnation: 1, lease: .max, sequence: 1 << 40), index: 5)

    private static func header() throws -> ShardHeader {
        ShardHeader(
            shard: shard,
            group: GroupID(77),
            groupEpoch: 3,
            scheme: try #require(Scheme(name: "rs-8-4")),
            writeStamp: .max - 1,
            bodyCapacity: 1 << 20
        )
    }

    private static func trailers() -> [ShardTrailer] {
        let digests = (0..<12 as Range<UInt64>).map { ContentDigest(high: $0, low: .max - $0) }
        let frames = [
            Frame(logicalLength: Limits.frameLength, storedLength: 1, filter: .shuffle16, codec: .lz4, keySlot: 2),
            Frame(logicalLength: 5, storedLength: 5),
        ]
        let plain = ShardTrailer(
            blobLength: 9,
            shardDigests: digests,
            ingestDigest: ContentDigest(high: 1, low: 2),
            frames: .uniform
        )
        var full = plain
        full.frames = .explicit(frames)
        full.dataKeys = [DataKey(slot: 1, wrapped: [1, 2, 3], nonceBase: [])]
        full.identity = IdentityDocument(objects: []).encoded()
        return [plain, full]
    }

    static func requests() throws -> [ShardRequest] {
        let header = try header()
        let other = ShardID(blob: BlobID(incarnation: 0, lease: 0, sequence: 0), index: 0)
        return try trailers().flatMap { trailer in
            [
                .write(disk, header, trailer, leafChecksums: []),
                .write(disk, header, trailer, leafChecksums: [0, 1, .max]),
                .rewrite(disk, header, trailer, leafChecksums: [0, 1, .max]),
                .seal(disk, handle: 3, trailer, leafChecksums: [9]),
            ]
        } + [
            .begin(disk, header), .append(disk, handle: .max, offset: Limits.blobLength),
            .append(disk, handle: 0, offset: 0), .abort(disk, handle: 7), .read(disk, shard, ranges: []),
            .read(disk, shard, ranges: [0..<1, 5..<Limits.blobLength]), .describe(disk, shard), .verify(disk, shard),
            .erase(disk, []), .erase(disk, [shard, other]), .eraseRecord(disk, shard, writeStamp: .max),
            .inventory(disk, after: nil, limit: 0),
            .inventory(disk, after: shard, limit: ShardRequest.batchLimit), .status(disk),
        ]
    }

    static func responses() throws -> [ShardResponse] {
        let header = try header()
        let failures: [ShardFailure] = [
            .notFound, .corrupt, .full, .diskUnusable("gone: é"), .noSuchDisk, .noSuchHandle, .leaseEnded,
            .invalid(""),
            .unreachable,
            .unknownOutcome,
        ]
        let part = ShardReadAnswer.Part(firstLeaf: 3, length: 70_000, leafChecksums: [1, .max])
        let entry = ShardInventoryEntry(shard: shard, writeStamp: 4, bodyLength: 5)
        let status = DiskStatus(
            isUsable: true,
            reason: "r",
            capacity: 1 << 50,
            room: 2,
            liveBytes: 3,
            deadBytes: 4,
            shardCount: 5
        )
        return trailers().map { .description(header, $0) } + failures.map { .failure($0) } + [
            .done, .handle(.max), .read(ShardReadAnswer(writeStamp: 1, parts: [])),
            .read(ShardReadAnswer(writeStamp: .max, parts: [part, part])), .verified(isGood: true),
            .verified(isGood: false), .inventory([], isLast: true), .inventory([entry], isLast: false), .status(status),
        ]
    }

    @Test("every request comes back as it went, field by field")
    func requests() throws {
        for request in try Self.requests() {
            let encoded = request.encoded()
            let decoded = try ShardRequest(encoded: encoded)
            // Neither type is Equatable; their descriptions show every field.
            #expect(String(reflecting: decoded) == String(reflecting: request))
            #expect(decoded.encoded() == encoded)
            #expect(decoded.disk == Self.disk)
        }
    }

    @Test("every response comes back as it went, field by field")
    func responses() throws {
        for response in try Self.responses() {
            let encoded = response.encoded()
            let decoded = try ShardResponse(encoded: encoded)
            #expect(String(reflecting: decoded) == String(reflecting: response))
            #expect(decoded.encoded() == encoded)
        }
    }

    @Test("a message that ends early, or late, is refused")
    func lengths() throws {
        for encoded in try Self.requests().map({ $0.encoded() }) {
            for end in 0..<encoded.count {
                #expect(throws: MessageError.self) { try ShardRequest(encoded: Array(encoded[..<end])) }
            }
            #expect(throws: MessageError.self) { try ShardRequest(encoded: encoded + [0]) }
        }
        for encoded in try Self.responses().map({ $0.encoded() }) {
            for end in 0..<encoded.count {
                #expect(throws: MessageError.self) { try ShardResponse(encoded: Array(encoded[..<end])) }
            }
            #expect(throws: MessageError.self) { try ShardResponse(encoded: encoded + [0]) }
        }
    }

    @Test("no bytes of a peer trap, and what is understood says the same again")
    func hostile() throws {
        var generator = SplitMix64(seed: 11)
        let requests = try Self.requests().map { $0.encoded() }
        let responses = try Self.responses().map { $0.encoded() }
        for round in 0..<4_000 {
            var request = requests[round % requests.count]
            var response = responses[round % responses.count]
            Self.damage(&request, using: &generator)
            Self.damage(&response, using: &generator)
            if let decoded = try? ShardRequest(encoded: request) {
                let again = try ShardRequest(encoded: decoded.encoded())
                #expect(String(reflecting: again) == String(reflecting: decoded))
            }
            if let decoded = try? ShardResponse(encoded: response) {
                let again = try ShardResponse(encoded: decoded.encoded())
                #expect(String(reflecting: again) == String(reflecting: decoded))
            }
            let noise = generator.bytes(Int(generator.next() % 80))
            #expect((try? ShardRequest(encoded: noise)) == nil)
        }
    }

    private static func damage(_ bytes: inout [UInt8], using generator: inout SplitMix64) {
        for _ in 0...generator.next() % 3 {
            let place = Int(generator.next() % UInt64(bytes.count))
            let draw = generator.next()
            // All ones make the largest counts; a single bit, the subtlest lies.
            bytes[place] = draw % 3 == 0 ? 0xFF : bytes[place] ^ (1 << UInt8(draw >> 8 & 7))
        }
    }

    @Test("ranges outside a blob, or turned round, and batches too large are refused")
    func limits() throws {
        let blob = Limits.blobLength
        for encoded in [
            ShardRequest.read(Self.disk, Self.shard, ranges: [0..<blob + 1]).encoded(),
            ShardRequest.read(Self.disk, Self.shard, ranges: [5..<5]).encoded(),
            ShardRequest.append(Self.disk, handle: 1, offset: blob + 1).encoded(),
            ShardRequest.inventory(Self.disk, after: nil, limit: ShardRequest.batchLimit + 1).encoded(),
            ShardRequest.erase(Self.disk, Array(repeating: Self.shard, count: ShardRequest.batchLimit + 1)).encoded(),
        ] {
            #expect(throws: MessageError.self) { try ShardRequest(encoded: encoded) }
        }
    }
}
