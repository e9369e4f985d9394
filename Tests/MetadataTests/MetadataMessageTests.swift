import ClusterProtocol
import Metadata
import ObjectInterface
import ObjectModel
import SystemInterface
import TestKit
import Testing

@Suite("Metadata operations as messages")
struct MetadataMessageTests {
    @Test("every request comes back as it was", arguments: 0..<100 as Range<UInt64>)
    func requests(seed: UInt64) throws {
        var generator = MessageGenerator(seed: seed)
        for request in generator.requests() {
            let bytes = request.encoded
            let decoded = try MetadataRequest(decoding: bytes)
            #expect("\(decoded)" == "\(request)")
            #expect(decoded.encoded == bytes)
            #expect(MetadataMessage.isCall(bytes))
        }
    }

    @Test("every response comes back as it was", arguments: 0..<100 as Range<UInt64>)
    func responses(seed: UInt64) throws {
        var generator = MessageGenerator(seed: seed)
        for response in generator.responses() {
            let bytes = response.encoded
            let decoded = try MetadataResponse(decoding: bytes)
            #expect(decoded.encoded == bytes)
            #expect(!MetadataMessage.isCall(bytes))
            if case .version(let detail?) = response, case .version(let other?) = decoded {
                // Their dictionaries have no order that a description could keep.
                #expect(other.version == detail.version && other.blobs == detail.blobs)
            } else {
                #expect("\(decoded)" == "\(response)")
            }
        }
    }

    @Test("the layout of version 1 stays what it is")
    func layout() {
        #expect(MetadataRequest.activeLeases.encoded == [1, 0, 0x01, 0x4D, 27])
        #expect(
            MetadataRequest.parts(of: UploadID("u"), after: -1, limit: 300).encoded.dropFirst(4) == [
                15, 1, 0x75, 1, 0xD8, 4,
            ]
        )
        #expect(MetadataResponse.done.encoded == [1, 0, 0x02, 0x4D, 2])
        #expect(MetadataResponse.failed(StorageError(.busy, "x")).encoded.dropFirst(4) == [1, 26, 1, 0x78])
    }

    @Test("every error code comes back, an unknown one as a failure, and long words are cut")
    func errors() throws {
        let codes: [StorageError.Code] = [
            .noSuchBucket, .bucketExists, .bucketOwnedByYou, .bucketNotEmpty, .tooManyBuckets, .noSuchKey,
            .noSuchVersion, .noSuchUpload, .noSuchUser, .userExists, .preconditionFailed, .notModified,
            .conditionalConflict, .invalidPart, .invalidPartOrder, .partTooSmall, .entityTooLarge, .badDigest,
            .incompleteBody, .invalidRange, .invalidArgument, .invalidRequest, .unavailable, .full, .unreadable,
            .busy, .unknownOutcome, .internalFailure,
        ]
        for (index, code) in codes.enumerated() {
            let bytes = MetadataResponse.failed(StorageError(code, "m")).encoded
            #expect(Int(bytes[5]) == index + 1)
            #expect(try Self.error(bytes).code == code)
        }
        let later: [UInt8] = [1, 0, 0x02, 0x4D, 1, 0xFF, 1, 1, 0x6D]
        #expect(try Self.error(later).code == .internalFailure)
        let long = StorageError(.full, "x" + String(repeating: "\u{e4}", count: 5_000))
        let cut = try Self.error(MetadataResponse.failed(long).encoded).message
        #expect(cut.utf8.count < 4_200 && cut.hasPrefix("x\u{e4}"))
    }

    private static func error(_ bytes: [UInt8]) throws -> StorageError {
        guard case .failed(let error) = try MetadataResponse(decoding: bytes) else {
            throw Violation(description: "no error")
        }
        return error
    }

    @Test("other kinds and versions are refused, and hostile counts take no memory")
    func heads() {
        let call = MetadataRequest.activeLeases.encoded
        #expect(throws: MessageError.unknownKind(0x4D01)) { try MetadataResponse(decoding: call) }
        #expect(throws: MessageError.unknownVersion(2)) { try MetadataRequest(decoding: [2] + call.dropFirst()) }
        #expect(throws: MessageError.self) { try MetadataRequest(decoding: []) }
        #expect(!MetadataMessage.isCall([1, 0, 1]) && !MetadataMessage.isCall([1, 0, 0x01, 0x4B, 1]))
        let head: [UInt8] = [1, 0, 0x01, 0x4D]
        let most: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F]
        #expect(throws: MessageError.self) { try MetadataRequest(decoding: head + [8, 0] + most) }
        #expect(throws: MessageError.self) { try MetadataRequest(decoding: head + [6, 0] + most) }
        let keys = (0...MetadataMessage.listLimit).map { _ in DeleteRequest(bucket: "b", key: "") }
        #expect(throws: MessageError.self) {
            try MetadataRequest(decoding: MetadataRequest.delete(bucket: "b", keys).encoded)
        }
    }

    @Test(
        "missing shards that no blob can have are refused, not mended",
        arguments: [[32], [3, 3], [4, 1]] as [[UInt8]]
    )
    func missing(shards: [UInt8]) {
        let lease = WriteLease(incarnation: 1, number: 1)
        let transaction = WriteTransaction(lease: lease, blobs: [Sample.blob(lease, 1, missing: shards)], writes: [])
        #expect(throws: MessageError.self) {
            try MetadataRequest(decoding: MetadataRequest.commit(transaction).encoded)
        }
    }

    @Test("damaged and cut messages give an error or a message, never a trap, and nothing may trail")
    func hostile() {
        var generator = MessageGenerator(seed: 5)
        let messages = generator.requests().map(\.encoded) + generator.responses().map(\.encoded)
        for bytes in messages {
            #expect(Self.again(bytes))
            for length in 0..<bytes.count { #expect(!Self.again(Array(bytes.prefix(length)))) }
            for byte in [0, 1, 0x80, 0xFF] as [UInt8] { #expect(!Self.again(bytes + [byte])) }
            for _ in 0..<300 {
                var damaged = bytes
                for _ in 0...generator.number(3) {
                    damaged[4 + generator.number(damaged.count - 4)] ^= UInt8(1 + generator.number(255))
                }
                if Self.again(damaged) { #expect(!Self.again(damaged + [0])) }
            }
        }
        for _ in 0..<20_000 {
            let head: [UInt8] = [1, 0, UInt8(1 + generator.number(2)), 0x4D, UInt8(generator.number(32))]
            _ = Self.again(head + generator.random.bytes(generator.number(64)))
        }
    }

    /// Whether it is a message; one that is comes back as it was from its own encoding.
    private static func again(_ bytes: [UInt8]) -> Bool {
        if let request = try? MetadataRequest(decoding: bytes) {
            #expect((try? MetadataRequest(decoding: request.encoded))?.encoded == request.encoded)
            return true
        }
        guard let response = try? MetadataResponse(decoding: bytes) else { return false }
        #expect((try? MetadataResponse(decoding: response.encoded))?.encoded == response.encoded)
        return true
    }
}
