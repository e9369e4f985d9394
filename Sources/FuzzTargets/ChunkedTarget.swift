import Checksums
import Crypto
import ObjectModel
import S3Protocol
import TestKit

/// aws-chunked bodies: as they come from a stranger, and as a client makes them and the network cuts them.
extension FuzzTarget {
    static let chunkedTargets: [FuzzTarget] = [
        FuzzTarget(
            "chunked-body",
            maximumLength: 4_096,
            seeds: { ChunkedSeeds.bodies() },
            run: { try chunkedBody($0) }
        ),
        FuzzTarget(
            "chunked-signed",
            maximumLength: 1_024,
            seeds: { ChunkedSeeds.scripts() },
            run: { try chunkedScript($0) }
        ),
    ]

    /// A head of 4 bytes (form, where the pieces are cut, declared length), then the body.
    private static func chunkedBody(_ bytes: [UInt8]) throws -> Bool {
        var input = FuzzInput(bytes)
        let form = input.byte()
        let cuts = input.byte()
        let length = Int(input.integer(UInt16.self))
        let body = input.rest()
        let announced = form & 4 == 0 ? [] : ["x-amz-checksum-crc32"]
        let decoder = AWSChunkedDecoder(
            decodedLength: length,
            seed: form & 1 == 0 ? nil : ChunkSigner.seed,
            hasTrailer: form & 2 != 0,
            announced: announced
        )
        let whole = try ChunkedOutcome(decoder, [body])
        try require(whole.payload.count <= length, "more payload than was declared")
        try require(!whole.isFinished || whole.payload.count == length, "finished without the whole payload")
        try require(
            !whole.isFinished || form & 2 == 0 || whole.trailers.map(\.name) == announced,
            "finished without the announced trailer"
        )
        for pieces in [ChunkedOutcome.pieces(of: body, seed: UInt64(cuts)), body.map { [$0] }] {
            try require(try ChunkedOutcome(decoder, pieces) == whole, "the result depends on how the body is cut")
        }
        return whole.isFinished
    }

    /// A head of 4 bytes (form, where it is cut, and what is changed), lengths of chunks up to a zero, payload.
    private static func chunkedScript(_ bytes: [UInt8]) throws -> Bool {
        var input = FuzzInput(bytes)
        let form = input.byte()
        let cuts = UInt64(input.byte())
        let change = Int(input.integer(UInt16.self))
        var lengths: [Int] = []
        while lengths.count < 16, case let length = Int(input.byte()), length > 0 { lengths.append(length) }
        let payload = input.rest()
        let isSigned = form & 1 != 0
        let hasTrailer = form & 2 != 0
        var signer = ChunkSigner(isSigned: isSigned)
        var start = 0
        for length in lengths where start < payload.count {
            let end = min(payload.count, start + length)
            signer.append(Array(payload[start..<end]))
            start = end
        }
        let sent = Array(payload[..<start])
        let name = "x-amz-checksum-crc32"
        let value = Base64.encode(Array(payload.prefix(4)))
        signer.finish(trailer: hasTrailer ? (name, value) : nil)
        let decoder = AWSChunkedDecoder(
            decodedLength: sent.count,
            seed: isSigned ? ChunkSigner.seed : nil,
            hasTrailer: hasTrailer,
            announced: hasTrailer ? [name] : []
        )
        let outcome = try ChunkedOutcome(decoder, ChunkedOutcome.pieces(of: signer.body, seed: cuts))
        try require(outcome.isFinished && outcome.payload == sent, "a good body is refused: \(outcome.failure ?? "")")
        try require(outcome.trailers.map(\.value) == (hasTrailer ? [value] : []), "another trailer comes out")
        var changed = signer.body
        changed[change % changed.count] ^= UInt8(1 << (cuts & 7))
        let other = try ChunkedOutcome(decoder, [changed])
        try require(
            !other.isFinished || !isSigned || other.payload == sent && other.trailers == outcome.trailers,
            "a signed body that was changed passes"
        )
        return true
    }
}

/// What came of a body.
private struct ChunkedOutcome: Equatable {
    var payload: [UInt8] = []
    var failure: String?
    var isFinished = false
    var trailers: [AWSChunkedDecoder.Trailer] = []

    init(_ decoder: AWSChunkedDecoder, _ pieces: [[UInt8]]) throws {
        var decoder = decoder
        for piece in pieces where failure == nil { try feed(&decoder, piece) }
        if failure == nil {
            do { try decoder.endOfInput() } catch { failure = "\(error)" }
        }
        isFinished = failure == nil && decoder.isFinished
        trailers = isFinished ? decoder.trailers : []
    }

    private mutating func feed(_ decoder: inout AWSChunkedDecoder, _ piece: [UInt8]) throws {
        var position = 0
        while true {
            var step = AWSChunkedDecoder.Step.needsInput
            do {
                step = try piece.withUnsafeBytes { try decoder.next($0, position: &position) }
            } catch {
                failure = "\(error)"
                return
            }
            guard case .payload(let range) = step else { break }
            try require(!range.isEmpty && range.upperBound <= piece.count, "payload outside the input")
            payload += piece[range]
        }
        try require(position == piece.count, "a piece is not used up")
    }

    /// Pieces of 0 to 40 bytes.
    static func pieces(of bytes: [UInt8], seed: UInt64) -> [[UInt8]] {
        var generator = SplitMix64(seed: seed)
        var pieces: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + Int.random(in: 0...40, using: &generator))
            pieces.append(Array(bytes[start..<end]))
            start = end
        }
        return pieces
    }
}

/// Frames and signs a body as clients do ("Signature calculations for the Authorization header: Transferring payload in
/// multiple chunks", Amazon S3 API Reference).
struct ChunkSigner {
    static let seed = SignatureSeed(
        key: SymmetricKey(data: [UInt8](repeating: 7, count: 32)),
        timestamp: "20130524T000000Z",
        scope: "20130524/us-east-1/s3/aws4_request",
        signature: String(repeating: "0a", count: 32)
    )

    private(set) var body: [UInt8] = []
    private let isSigned: Bool
    private var previous = seed.signature

    init(isSigned: Bool) { self.isSigned = isSigned }

    mutating func append(_ chunk: [UInt8]) {
        body += Array((String(chunk.count, radix: 16) + signature(of: chunk) + "\r\n").utf8)
        body += chunk
        body += Array("\r\n".utf8)
    }

    mutating func finish(trailer: (name: String, value: String)?) {
        body += Array(("0" + signature(of: []) + "\r\n").utf8)
        if let trailer {
            body += Array("\(trailer.name):\(trailer.value)\r\n".utf8)
            if isSigned {
                let digest = SHA256.hash(data: Array("\(trailer.name):\(trailer.value)\n".utf8))
                sign("AWS4-HMAC-SHA256-TRAILER", [Hexadecimal.text(digest)])
                body += Array("x-amz-trailer-signature:\(previous)\r\n".utf8)
            }
        }
        body += Array("\r\n".utf8)
    }

    private mutating func signature(of chunk: [UInt8]) -> String {
        guard isSigned else { return "" }
        let hashes = [SHA256.hash(data: [UInt8]()), SHA256.hash(data: chunk)].map { Hexadecimal.text($0) }
        sign("AWS4-HMAC-SHA256-PAYLOAD", hashes)
        return ";chunk-signature=" + previous
    }

    private mutating func sign(_ label: String, _ hashes: [String]) {
        let lines = [label, Self.seed.timestamp, Self.seed.scope, previous] + hashes
        let code = HMAC<SHA256>.authenticationCode(for: Array(lines.joined(separator: "\n").utf8), using: Self.seed.key)
        previous = Hexadecimal.text(code)
    }
}

enum ChunkedSeeds {
    static func bodies() -> [[UInt8]] {
        let payload = Array("hello, world".utf8)
        var forms: [[UInt8]] = []
        for form: UInt8 in [0, 1, 6, 7] {
            var signer = ChunkSigner(isSigned: form & 1 != 0)
            signer.append(Array(payload[..<5]))
            signer.append(Array(payload[5...]))
            signer.finish(trailer: form & 2 == 0 ? nil : ("x-amz-checksum-crc32", "AAAAAA=="))
            forms.append([form, 9, UInt8(payload.count), 0] + signer.body)
        }
        return forms
    }

    static func scripts() -> [[UInt8]] {
        (0..<4).map { [$0, 3, 17, 0, 5, 200, 1, 0] + Array("a payload of some bytes".utf8) }
    }
}
