import ClusterProtocol
import DiskFormat
import ObjectModel

/// What peers send one another.
extension FuzzTarget {
    static let messageTargets: [FuzzTarget] = [
        FuzzTarget("messages", maximumLength: 4_096, seeds: { try MessageSeeds.all() }, run: { try message($0) })
    ]

    /// Every decoder gets every message; the head says whose it is.
    private static func message(_ bytes: [UInt8]) throws -> Bool {
        var owners = 0
        if let call = try? KeeperCall(decoding: bytes) {
            owners += 1
            try require(call.encoded == bytes, "a keeper call has two encodings")
            try require(try KeeperCall(decoding: call.encoded) == call, "another keeper call comes back")
        }
        if let response = try? KeeperResponse(decoding: bytes) {
            owners += 1
            // Words may be cut within a character, so that only the second encoding is the same.
            let encoded = try KeeperResponse(decoding: response.encoded).encoded
            try require(encoded == response.encoded, "another keeper response comes back")
            if case .refused = response {} else { try require(encoded == bytes, "a response has two encodings") }
        }
        if let request = try? ShardRequest(encoded: bytes) {
            owners += 1
            try require(request.encoded() == bytes, "a shard request has two encodings")
        }
        if let response = try? ShardResponse(encoded: bytes) {
            owners += 1
            let encoded = try ShardResponse(encoded: response.encoded()).encoded()
            try require(encoded == response.encoded(), "another shard response comes back")
            if case .failure = response {} else { try require(encoded == bytes, "a response has two encodings") }
        }
        try require(owners <= 1, "one message is two")
        return owners == 1
    }
}

/// Real messages of every kind.
enum MessageSeeds {
    private static let disk = DiskID(Identifier128(high: 1, low: 2))
    private static let place = JournalPosition(incarnation: 3, sequence: 41)
    private static let record = JournalRecord(
        position: JournalPosition(incarnation: 3, sequence: 42),
        payload: [0xAA, 0xBB]
    )
    private static let shard = ShardID(blob: BlobID(incarnation: 3, lease: 4, sequence: 5), index: 5)

    static func all() throws -> [[UInt8]] {
        keeperCalls() + keeperResponses() + (try shardRequests()) + (try shardResponses())
    }

    private static func keeperCalls() -> [[UInt8]] {
        let requests: [KeeperRequest] = [
            .state, .promise(incarnation: 7, holder: 8), .append(incarnation: 7, previous: place, records: [record]),
            .read(sequence: 9, limit: 1 << 20), .trim(incarnation: 7, base: place, reference: [1, 2]),
            .confirm(incarnation: 1),
        ]
        return requests.map { KeeperCall(keeper: disk, request: $0).encoded }
    }

    private static func keeperResponses() -> [[UInt8]] {
        let state = KeeperState(promised: 7, holder: 8, written: 6, base: place, last: place, damaged: [3..<9])
        let errors: [KeeperError] = [
            .superseded(promised: 9), .gap(expected: 4), .mismatch(sequence: 3), .damaged(1..<4), .trimmed(place),
            .full, .failed("EIO"), .tooLarge(limit: 12), .busy, .invalid("why"),
        ]
        let responses: [KeeperResponse] = [.state(state), .records([record]), .done(last: 42)]
        return (responses + errors.map { .refused($0) }).map(\.encoded)
    }

    private static func header() throws -> ShardHeader {
        guard let scheme = Scheme(dataCount: 2, parityCount: 1) else { throw FuzzFinding("a scheme of three shards") }
        return ShardHeader(
            shard: shard,
            group: GroupID(1),
            groupEpoch: 2,
            scheme: scheme,
            writeStamp: 3,
            bodyCapacity: 4_096
        )
    }

    private static let trailer = ShardTrailer(
        blobLength: 5_000,
        shardDigests: (0..<3).map { ContentDigest(high: $0, low: 1) },
        ingestDigest: ContentDigest(high: 4, low: 5),
        frames: .explicit([Frame(logicalLength: 9_000, storedLength: 5_000, codec: .lz4)]),
        dataKeys: [DataKey(slot: 1, wrapped: [1], nonceBase: [2])],
        identity: IdentityBlock(encoding: .json, bytes: Array("{}".utf8))
    )

    private static func shardRequests() throws -> [[UInt8]] {
        let requests: [ShardRequest] = [
            .write(disk, try header(), trailer, leafChecksums: [6]),
            .rewrite(disk, try header(), trailer, leafChecksums: []),
            .begin(disk, try header()), .append(disk, handle: 7, offset: 8),
            .seal(disk, handle: 7, trailer, leafChecksums: [1, 2]), .abort(disk, handle: 7),
            .read(disk, shard, ranges: [0..<10, 20..<30]), .describe(disk, shard), .verify(disk, shard),
            .erase(disk, [shard]), .eraseRecord(disk, shard, writeStamp: 9), .inventory(disk, after: shard, limit: 10),
            .inventory(disk, after: nil, limit: 0),
            .status(disk),
        ]
        return requests.map { $0.encoded() }
    }

    private static func shardResponses() throws -> [[UInt8]] {
        let part = ShardReadAnswer.Part(firstLeaf: 1, length: 2, leafChecksums: [3])
        let entry = ShardInventoryEntry(shard: shard, writeStamp: 1, bodyLength: 2)
        let status = DiskStatus(
            isUsable: false,
            reason: "gone",
            capacity: 5,
            room: 4,
            liveBytes: 3,
            deadBytes: 2,
            shardCount: 1
        )
        let failures: [ShardFailure] = [
            .notFound, .corrupt, .full, .diskUnusable("EIO"), .noSuchDisk, .noSuchHandle, .invalid("x"), .unreachable,
            .unknownOutcome,
        ]
        let responses: [ShardResponse] = [
            .done, .handle(7), .read(ShardReadAnswer(writeStamp: 1, parts: [part])),
            .description(try header(), trailer), .verified(isGood: true), .inventory([entry], isLast: true),
            .status(status),
        ]
        return (responses + failures.map { .failure($0) }).map { $0.encoded() }
    }
}
