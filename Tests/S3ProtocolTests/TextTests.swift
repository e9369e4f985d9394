import HTTPTypes
import ObjectModel
import S3Protocol
import Testing

@Suite("Text: dates, escapes, ranges, conditions, tokens")
struct TextTests {
    @Test("The three date forms of HTTP read as one")
    func httpDates() {
        let expected: Int64 = 784_111_777_000
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            #expect(S3Date.parseHTTP(text) == expected)
        }
        for zone in ["UTC", "+0000", "-0000"] {
            #expect(S3Date.parseHTTP("Sun, 06 Nov 1994 08:49:37 \(zone)") == expected, "\(zone)")
        }
        #expect(S3Date.http(expected) == "Sun, 06 Nov 1994 08:49:37 GMT")
        for bad in [
            "", "x", "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Now 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 EST", "Sun, 30 Feb 1994 08:49:37 GMT",
        ] {
            #expect(S3Date.parseHTTP(bad) == nil, "\(bad)")
        }
    }

    @Test("Dates round-trip over four centuries")
    func roundTrip() {
        for day in stride(from: Int64(-70_000), to: 130_000, by: 37) {
            let milliseconds = day * 86_400_000 + 12_345_678
            #expect(S3Date.parseISO8601(S3Date.iso8601(milliseconds)) == milliseconds)
            let seconds = milliseconds / 1_000 * 1_000 - (milliseconds < 0 && milliseconds % 1_000 != 0 ? 1_000 : 0)
            #expect(S3Date.parseBasic(S3Date.basic(milliseconds)) == seconds)
            #expect(S3Date.parseHTTP(S3Date.http(milliseconds)) == seconds)
        }
        #expect(S3Date.iso8601(1_709_164_800_000) == "2024-02-29T00:00:00.000Z")
        #expect(S3Date.parseISO8601("2024-02-29T01:00:00+01:00") == 1_709_164_800_000)
        #expect(S3Date.parseISO8601("2023-02-29T01:00:00Z") == nil)
    }

    @Test("Escapes decode once and encode as SigV4 does")
    func percent() {
        #expect(PercentCoding.encode("a b/ü+~*", keepsSlash: true) == "a%20b/%C3%BC%2B~%2A")
        #expect(PercentCoding.encode("/", keepsSlash: false) == "%2F")
        #expect(PercentCoding.decodeText("a%2520+".utf8) == "a%20+")
        #expect(PercentCoding.decodeText("a+b".utf8, plusIsSpace: true) == "a b")
        for bad in ["%", "%1", "%gg", "%ff"] { #expect(PercentCoding.decodeText(bad.utf8) == nil) }
        for byte in UInt8.min...UInt8.max {
            var text: [UInt8] = []
            PercentCoding.append([byte], keepsSlash: false, to: &text)
            #expect(PercentCoding.decode(text) == [byte])
        }
    }

    @Test("Range headers")
    func ranges() {
        let table: [(String, RangeHeader?)] = [
            ("bytes=0-0", .closed(0, 0)), ("bytes=5-9", .closed(5, 9)), ("bytes=5-", .from(5)),
            ("bytes=-5", .suffix(5)),
            ("bytes=-0", .suffix(0)), ("BYTES=1-2", .closed(1, 2)), ("bytes=9-5", nil), ("bytes=", nil),
            ("bytes=-", nil),
            ("bytes=1", nil), ("bytes=1-2,4-5", nil), ("bytes=a-b", nil), ("lines=1-2", nil), ("bytes=+1-2", nil),
            ("bytes=1-99999999999999999999", .closed(1, .max - 1)),
        ]
        for (text, expected) in table { #expect(RangeHeader(text) == expected, "\(text)") }
        #expect((try? RangeHeader.copySource("bytes=0-4")) == 0...4)
        for bad in ["0-2", "bytes=0", "bytes=hello-world", "bytes=0-bar", "bytes=hello-", "bytes=0-2,3-5", "bytes=2-"] {
            #expect(throws: S3Error.self) { try RangeHeader.copySource(bad) }
        }
    }

    static func headers(_ values: [(String, String)], query: String = "") throws -> S3Headers {
        var fields = HTTPFields()
        for (name, value) in values { fields.append(HTTPField(name: try #require(HTTPField.Name(name)), value: value)) }
        return S3Headers(fields: fields, query: try QueryParameters(query[...]))
    }

    @Test("Conditions follow RFC 9110's order")
    func conditions() throws {
        let modified: Int64 = 784_111_777_500
        let same = "Sun, 06 Nov 1994 08:49:37 GMT"
        let before = "Sun, 06 Nov 1994 08:49:36 GMT"
        func outcome(_ values: [(String, String)]) throws -> ConditionHeaders.Outcome {
            ConditionHeaders(try Self.headers(values), now: modified + 10_000).outcome(eTag: "e", modified: modified)
        }
        #expect(try outcome([]) == .proceed)
        #expect(try outcome([("if-match", "\"e\"")]) == .proceed)
        #expect(try outcome([("if-match", "\"a\", e")]) == .proceed)
        #expect(try outcome([("if-match", "*")]) == .proceed)
        #expect(try outcome([("if-match", "x")]) == .failed("If-Match"))
        #expect(try outcome([("if-match", "e"), ("if-unmodified-since", before)]) == .proceed)
        #expect(try outcome([("if-unmodified-since", same)]) == .proceed)
        #expect(try outcome([("if-unmodified-since", before)]) == .failed("If-Unmodified-Since"))
        #expect(try outcome([("if-none-match", "W/\"e\"")]) == .notModified)
        #expect(try outcome([("if-none-match", "x"), ("if-modified-since", same)]) == .proceed)
        #expect(try outcome([("if-modified-since", same)]) == .notModified)
        #expect(try outcome([("if-modified-since", before)]) == .proceed)
        #expect(try outcome([("if-modified-since", "nonsense")]) == .proceed)
        // Up to now, but not beyond.
        #expect(try outcome([("if-modified-since", "Sun, 06 Nov 1994 08:49:47 GMT")]) == .notModified)
        #expect(try outcome([("if-modified-since", "Sun, 06 Nov 1994 08:49:48 GMT")]) == .proceed)
        #expect(try outcome([("if-unmodified-since", "Sun, 06 Nov 1994 08:49:48 GMT")]) == .proceed)
    }

    @Test("Write conditions: four forms, all others refused")
    func writeConditions() throws {
        #expect(try WriteConditionHeader(Self.headers([])) == .none)
        #expect(try WriteConditionHeader(Self.headers([("if-none-match", "*")])) == .isAbsent)
        #expect(try WriteConditionHeader(Self.headers([("if-match", "\"e\"")])) == .matches("e"))
        #expect(try WriteConditionHeader(Self.headers([("if-match", "*")])) == .matches("*"))
        #expect(try WriteConditionHeader(Self.headers([("if-none-match", "\"e\"")])) == .differs("e"))
        let both = [("if-match", "a"), ("if-none-match", "b")]
        for bad in [
            [("if-none-match", "a, b")], [("if-match", "a, b")], [("if-match", "")], [("if-modified-since", "x")], both,
        ] {
            #expect(throws: S3Error.self) { try WriteConditionHeader(Self.headers(bad)) }
        }
    }

    @Test("Copy sources")
    func copySources() throws {
        func read(_ text: String) throws -> [String?] {
            let source = try CopySource(text)
            return [source.bucket, source.key, source.versionID]
        }
        #expect(try read("b/k") == ["b", "k", nil])
        #expect(try read("/b/a%20b%2Fc?versionId=null") == ["b", "a b/c", "null"])
        #expect(try read("%2Fb%2Fk") == ["b", "k", nil])
        #expect(try read("b/k%3Fx") == ["b", "k?x", nil])
        for bad in [
            "", "/", "b", "b/", "/b", "b/%00", "b/%ff", "arn:aws:s3:x/k", "b/k?versionId=", "b/k?x",
            "b/k?versionId=null&x", "b/k?x?versionId=null",
        ] {
            #expect(throws: S3Error.self) { try read(bad) }
        }
    }

    @Test("Tokens are opaque and come back; others are refused")
    func tokens() throws {
        for key in ["", "a", "ü/\u{1}", String(repeating: "k", count: 1_024)] {
            #expect(try ContinuationToken.decode(ContinuationToken.encode(after: key)) == key)
        }
        for bad in ["x", "AA==", "Av8=", "Af8="] { #expect(throws: S3Error.self) { try ContinuationToken.decode(bad) } }
    }

    @Test("Attributes: aws-chunked is not the object's, metadata has a limit and no control characters")
    func attributes() throws {
        let kept = try AttributeHeaders.attributes(
            Self.headers([
                ("content-encoding", "aws-chunked, gzip"), ("x-amz-meta-B", "2"), ("x-amz-meta-a", "1"),
                ("x-amz-meta-a", "3"),
            ])
        )
        #expect(kept.contentType == "binary/octet-stream")
        #expect(kept.headers.map(\.value) == ["gzip"])
        #expect(kept.metadata.map { $0.name + $0.value } == ["a1,3", "b2"])
        let plain = try AttributeHeaders.attributes(Self.headers([("content-encoding", "aws-chunked")]))
        #expect(plain.headers.isEmpty)
        let limit = String(repeating: "v", count: 2_047)
        #expect(try AttributeHeaders.attributes(Self.headers([("x-amz-meta-a", limit)])).metadata.count == 1)
        #expect(throws: S3Error.self) { try AttributeHeaders.attributes(Self.headers([("x-amz-meta-a", limit + "v")])) }
        // Those of the standard headers have one for themselves.
        let type = String(repeating: "t", count: 1_000)
        let expiry = String(repeating: "e", count: 2_048 - 1_000 - "content-type".count - "expires".count)
        let full = [("content-type", type), ("expires", expiry), ("x-amz-meta-a", limit)]
        #expect(try AttributeHeaders.attributes(Self.headers(full)).headers.count == 1)
        #expect(throws: S3Error.self) {
            try AttributeHeaders.attributes(Self.headers([("content-type", type), ("expires", expiry + "e")]))
        }
        #expect(throws: S3Error.self) {
            try AttributeHeaders.attributes(Self.headers([], query: "x-amz-meta-a=b%0D%0Ax:y"))
        }
        #expect(throws: S3Error.self) {
            try AttributeHeaders.attributes(Self.headers([("x-amz-storage-class", "A B")]))
        }
    }
}
