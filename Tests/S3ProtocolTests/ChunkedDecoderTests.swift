import HTTPTypes
import S3Protocol
import TestKit
import Testing

/// The chunked examples that AWS publishes, taken apart in every way, and every way to fail.
@Suite("aws-chunked: published examples, random splits, malformed framing")
struct ChunkedDecoderTests {
    static let payload = [UInt8](repeating: UInt8(ascii: "a"), count: 66_560)

    static let signedBody = body([
        ("10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", 65_536),
        ("400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497", 1_024),
        ("0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9", 0),
    ])

    static let trailerBody =
        body([
            ("10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2", 65_536),
            ("400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7", 1_024),
        ])
        + Array(
            ("0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
                + "x-amz-checksum-crc32c:sOO8/Q==\r\n"
                + "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n")
                .utf8
        )

    static func body(_ chunks: [(header: String, length: Int)]) -> [UInt8] {
        chunks.flatMap { Array("\($0.header)\r\n".utf8) + payload.prefix($0.length) + Array("\r\n".utf8) }
    }

    /// The verified seed of the example's request.
    static func seed(trailer: Bool) throws -> SignatureSeed {
        var headers = [
            ("Content-Encoding", "aws-chunked"),
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + (trailer ? "-TRAILER" : "")),
            ("x-amz-date", "20130524T000000Z"), ("x-amz-decoded-content-length", "66560"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ]
        headers.append(trailer ? ("x-amz-trailer", "x-amz-checksum-crc32c") : ("Content-Length", "66824"))
        let names =
            trailer
            ? "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
                + "x-amz-storage-class;x-amz-trailer"
            : "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
                + "x-amz-storage-class"
        let signature =
            trailer
            ? "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
            : "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
        headers.append(("Authorization", SignatureTests.authorization(names, signature)))
        let request = try SignatureTests.request(
            .put,
            "/examplebucket/chunkObject.txt",
            headers,
            host: "s3.amazonaws.com"
        )
        let verifier = SignatureVerifier(region: "us-east-1")
        let claim = try verifier.claim(of: request, now: SignatureTests.now)
        return try verifier.verify(claim, of: request, secret: SignatureTests.secret)
    }

    /// What came out of a decoder fed in pieces that end at `cuts`.
    static func decode(
        _ decoder: inout AWSChunkedDecoder,
        _ bytes: [UInt8],
        cuts: [Int] = []
    ) throws(S3Error) -> [UInt8] {
        var output: [UInt8] = []
        var start = 0
        for end in cuts + [bytes.count] where end >= start {
            let piece = Array(bytes[start..<end])
            start = end
            var position = 0
            let ranges = try steps(&decoder, piece, &position)
            for range in ranges { output.append(contentsOf: piece[range]) }
        }
        try decoder.endOfInput()
        return output
    }

    private static func steps(
        _ decoder: inout AWSChunkedDecoder,
        _ piece: [UInt8],
        _ position: inout Int
    ) throws(S3Error) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        while true {
            var moved = position
            let outcome = piece.withUnsafeBytes { bytes in
                Result { () throws(S3Error) in try decoder.next(bytes, position: &moved) }
            }
            let step = try outcome.get()
            position = moved
            guard case .payload(let range) = step else { return ranges }
            ranges.append(range)
        }
    }

    static func decoder(_ kind: Kind) throws -> AWSChunkedDecoder {
        switch kind {
        case .signed:
            AWSChunkedDecoder(decodedLength: 66_560, seed: try seed(trailer: false), hasTrailer: false, announced: [])
        case .signedTrailer:
            AWSChunkedDecoder(
                decodedLength: 66_560,
                seed: try seed(trailer: true),
                hasTrailer: true,
                announced: ["x-amz-checksum-crc32c"]
            )
        case .unsigned(let length):
            AWSChunkedDecoder(
                decodedLength: length,
                seed: nil,
                hasTrailer: true,
                announced: ["x-amz-checksum-crc32"]
            )
        }
    }

    enum Kind: Sendable { case signed, signedTrailer, unsigned(Int) }

    @Test("AWS's examples decode, whole and in every random split", arguments: [Kind.signed, .signedTrailer])
    func examples(_ kind: Kind) throws {
        let bytes = if case .signed = kind { Self.signedBody } else { Self.trailerBody }
        var generator = SplitMix64(seed: 7)
        for round in 0..<60 {
            var decoder = try Self.decoder(kind)
            let count = [0, 1, 3, 40, 400][round % 5]
            let cuts = (0..<count).map { _ in Int.random(in: 0...bytes.count, using: &generator) }.sorted()
            #expect(try Self.decode(&decoder, bytes, cuts: cuts) == Self.payload)
            if case .signedTrailer = kind {
                #expect(decoder.trailers == [.init(name: "x-amz-checksum-crc32c", value: "sOO8/Q==")])
            }
        }
    }

    @Test("Fed byte by byte around every frame border")
    func byteByByte() throws {
        let bytes = Self.trailerBody
        var decoder = try Self.decoder(.signedTrailer)
        let cuts = Array(0..<200) + Array(65_500..<65_900) + Array((bytes.count - 300)..<bytes.count)
        #expect(try Self.decode(&decoder, bytes, cuts: cuts) == Self.payload)
    }

    @Test("A body that ends anywhere before its end is incomplete", arguments: [Kind.signed, .signedTrailer])
    func truncated(_ kind: Kind) throws {
        let bytes = if case .signed = kind { Self.signedBody } else { Self.trailerBody }
        // Behind a trailer the blank line may be missing, and nothing else.
        let whole = if case .signed = kind { bytes.count } else { bytes.count - 2 }
        let lengths = Array(0..<100) + [40_000, 65_623, 65_700] + Array((bytes.count - 280)..<bytes.count)
        for length in lengths where length != whole {
            var decoder = try Self.decoder(kind)
            #expect(throws: S3Error.self) { _ = try Self.decode(&decoder, Array(bytes[..<length])) }
        }
    }

    @Test("A trailer needs no blank line behind it where the body ends, but every field that it must have")
    func withoutBlankLine() throws {
        var decoder = try Self.decoder(.signedTrailer)
        #expect(try Self.decode(&decoder, Self.trailerBody.dropLast(2)) == Self.payload)
        #expect(decoder.trailers == [.init(name: "x-amz-checksum-crc32c", value: "sOO8/Q==")])
        let right = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n"
        #expect(try Self.unsigned(right, length: 5) == Array("hello".utf8))
        for short in ["5\r\nhello\r\n0\r\n", String(right.dropLast()), "5\r\nhello\r\n"] {
            #expect { try Self.unsigned(short, length: 5) } throws: { ($0 as? S3Error)?.code == .incompleteBody }
        }
    }

    @Test("A flipped byte anywhere in frames, payload or trailer is refused", arguments: [Kind.signed, .signedTrailer])
    func flipped(_ kind: Kind) throws {
        let bytes = if case .signed = kind { Self.signedBody } else { Self.trailerBody }
        let places = Array(0..<100) + [30_000, 65_620, 66_000] + Array((bytes.count - 290)..<(bytes.count - 4))
        for place in places {
            var damaged = bytes
            damaged[place] ^= 1
            var decoder = try Self.decoder(kind)
            // The value of the last signature line is hexadecimal: letter case is the one thing that may differ.
            #expect(throws: S3Error.self, "byte \(place)") { _ = try Self.decode(&decoder, damaged) }
        }
    }

    static func unsigned(_ text: String, length: Int) throws(S3Error) -> [UInt8] {
        var decoder = AWSChunkedDecoder(
            decodedLength: length,
            seed: nil,
            hasTrailer: true,
            announced: ["x-amz-checksum-crc32"]
        )
        return try decode(&decoder, Array(text.utf8))
    }

    @Test("Unsigned bodies with a trailer, as several clients write them")
    func unsignedForms() throws {
        let trailer = "x-amz-checksum-crc32:NSRBwg=="
        for end in ["0\r\n\(trailer)\r\n\r\n", "0\r\n\(trailer)\n\r\n", "0\r\n\(trailer)\n\r\n\r\n"] {
            #expect(try Self.unsigned("5\r\nhello\r\n" + end, length: 5) == Array("hello".utf8))
        }
        #expect(try Self.unsigned("0\r\n\(trailer)\r\n\r\n", length: 0).isEmpty)
    }

    @Test(
        "Malformed framing is refused",
        arguments: [
            "5\nhello\r\n0\r\n", "5\r\nhelloX\r\n", "5\r\nhello\n0\r\n", "x\r\nhello", "-5\r\nhello", "+5\r\nhello",
            "5 \r\nhello", "5;a=b\r\nhello", "\r\nhello", "11111111111111111\r\n", "ffffffffffffffff\r\n",
            "6\r\nhello!",
            "4\r\nhell\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\r\nx-amz-checksum-sha1:NSRBwg==\r\n\r\n",
            "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:a\r\nx-amz-checksum-crc32:a\r\n\r\n",
            "5\r\nhello\r\n0\r\nno colon\r\n\r\n",
            "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\nextra",
            "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n\r\n\r\n\r\n",
        ]
    )
    func malformed(_ text: String) {
        #expect(throws: S3Error.self) { try Self.unsigned(text, length: 5) }
    }

    @Test("What cannot be followed is incomplete, as for AWS, and says why")
    func codes() {
        for (text, detail) in [
            ("5\nhello\n0\n\n", "Problem"), ("x\r\nhello", "Problem"), ("5\r\nhelloX\r\n", "Problem"),
            ("6\r\nhello!\r\n", "NumberBytesProvided"), ("4\r\nhell\r\n0\r\n\r\n", "NumberBytesProvided"),
        ] {
            #expect { try Self.unsigned(text, length: 5) } throws: { error in
                guard let error = error as? S3Error else { return false }
                return error.code == .incompleteBody && error.details.contains { $0.name == detail }
            }
        }
    }

    @Test("A signature that is none, or has another name, is framing that cannot be followed")
    func damagedSignatures() throws {
        func code(_ kind: Kind, _ old: String, _ new: String) throws -> S3ErrorCode? {
            var bytes = if case .signed = kind { Self.signedBody } else { Self.trailerBody }
            bytes.replace(Array(old.utf8), with: Array(new.utf8))
            var decoder = try Self.decoder(kind)
            do throws(S3Error) {
                _ = try Self.decode(&decoder, bytes)
                return nil
            } catch { return error.code }
        }
        let first = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
        let last = "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"
        let trailer = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
        for (kind, signature) in [(Kind.signed, first), (.signed, last), (.signedTrailer, trailer)] {
            #expect(try code(kind, signature, String(signature.reversed())) == .signatureDoesNotMatch)
            for damaged in ["", String(signature.dropLast()), signature + "00", "g" + signature.dropFirst()] {
                #expect(try code(kind, signature, damaged) == .incompleteBody, "\(damaged)")
            }
        }
        #expect(try code(.signed, last + "\r\n", last + "ab") == .incompleteBody)
        #expect(try code(.signedTrailer, "x-amz-trailer-signature", "x-amz-trailer-signaturf") == .incompleteBody)
        #expect(try code(.signedTrailer, "x-amz-checksum-crc32c:", "x-amz-checksum-crc32:") == .malformedTrailer)
    }

    @Test("A line has a limit")
    func longLine() {
        let padding = String(repeating: "0", count: 2_000)
        #expect(throws: S3Error.self) { try Self.unsigned(padding + "5\r\nhello\r\n0\r\n\r\n", length: 5) }
    }

    @Test("Random bytes never trap")
    func noise() {
        var generator = SplitMix64(seed: 7)
        for _ in 0..<2_000 {
            let alphabet = Array("0123456789abcf;=\r\n:chunk-signature x".utf8)
            let bytes = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
            }
            var decoder = AWSChunkedDecoder(decodedLength: 7, seed: nil, hasTrailer: true, announced: [])
            _ = try? Self.decode(&decoder, bytes)
        }
    }
}
