import Checksums
import ObjectModel
import S3Protocol
import TestKit
import Testing

@Suite("Gateway: objects there and back")
struct ObjectRoundTripTests {
    @Test("Every payload mode stores the same bytes, and a forged signature stores none")
    func payloadModes() async throws {
        var generator = SplitMix64(seed: 1)
        let bodies = [[], Array("x".utf8), generator.bytes(200_000)]
        try await GatewayHarness.run { harness in
            for payload in [SigningClient.Payload.signed, .unsigned, .chunked, .chunkedTrailer, .unsignedTrailer] {
                for (index, body) in bodies.enumerated() {
                    let path = "/pictures/\(payload)-\(index)"
                    let forged = try harness.send(
                        "PUT",
                        path,
                        body: body,
                        payload: payload,
                        tamper: { _ in String(repeating: "0", count: 64) }
                    )
                    #expect(forged.status == 403 && forged.code == "SignatureDoesNotMatch")
                    let put = try harness.send("PUT", path, body: body, payload: payload)
                    #expect(put.status == 200, "\(payload) \(put.text)")
                    #expect(put.header("etag") == "\"\(Hexadecimal.text(MessageDigest.md5.digest(body)))\"")
                    let get = try harness.send("GET", path)
                    #expect(get.status == 200 && get.body == body)
                }
            }
            #expect(harness.objects.snapshot().count == 15)
        }
    }

    /// Found by a hunt: the frames were stored with the bytes.
    @Test("A body that is said to be framed is not stored as it comes where the payload mode names no framing")
    func framingThatIsNone() async throws {
        let framed = Array("5\r\nhello\r\n0\r\n\r\n".utf8)
        let coding = ("content-encoding", "gzip, AWS-Chunked")
        let length = ("x-amz-decoded-content-length", "5")
        try await GatewayHarness.run { harness in
            let id = try #require(try harness.send("POST", "/pictures/k?uploads").element("UploadId"))
            for path in ["/pictures/k", "/pictures/k?partNumber=1&uploadId=\(id)"] {
                for (headers, payload) in [
                    ([coding], SigningClient.Payload.unsigned), ([length], .unsigned), ([length], .signed),
                    ([coding, length], .signed), ([("x-amz-decoded-content-length", "x")], .signed),
                ] {
                    let refused = try harness.send("PUT", path, headers: headers, body: framed, payload: payload)
                    #expect(refused.status == 400 && refused.code == "InvalidArgument", "\(path) \(headers)")
                }
                let client = try harness.client()
                client.send(
                    "PUT \(harness.signer.presigned("PUT", path)) HTTP/1.1\r\nhost: 127.0.0.1\r\n"
                        + "content-encoding: aws-chunked\r\ncontent-length: 1\r\n\r\nx"
                )
                #expect(try client.response().code == "InvalidArgument")
            }
            #expect(harness.objects.snapshot().isEmpty)
            // As long as is said, and whole by its digest: there is no frame.
            let same = ("x-amz-decoded-content-length", "\(framed.count)")
            #expect(try harness.send("PUT", "/pictures/k", headers: [coding, same], body: framed).status == 200)
            #expect(try harness.send("HEAD", "/pictures/k").header("content-encoding") == "gzip")
        }
    }

    @Test("Headers, metadata, tags and class come back; HEAD says what GET says")
    func attributes() async throws {
        try await GatewayHarness.run { harness in
            let put = try harness.send(
                "PUT",
                "/pictures/study/a%20b%2Bc",
                headers: [
                    ("content-type", "application/dicom"), ("cache-control", "no-cache"),
                    ("x-amz-meta-patient", "x  y"),
                    ("x-amz-storage-class", "GLACIER"), ("x-amz-tagging", "a=1&b=2%203"), ("x-amz-acl", "private"),
                    ("expires", "soon"), ("content-language", "de"),
                ].map { ($0.0, $0.1.replacing("  ", with: " ")) },
                body: Array("hello".utf8)
            )
            #expect(put.status == 200)
            #expect(harness.objects.snapshot().keys.sorted() == ["pictures/study/a b+c"])
            let get = try harness.send("GET", "/pictures/study/a%20b%2Bc")
            let head = try harness.send("HEAD", "/pictures/study/a%20b%2Bc")
            for response in [get, head] {
                #expect(response.status == 200)
                #expect(response.header("content-type") == "application/dicom")
                #expect(response.header("cache-control") == "no-cache")
                #expect(response.header("expires") == "soon")
                #expect(response.header("content-language") == "de")
                #expect(response.header("x-amz-meta-patient") == "x y")
                #expect(response.header("x-amz-storage-class") == "GLACIER")
                #expect(response.header("x-amz-tagging-count") == "2")
                #expect(response.header("content-length") == "5")
                #expect(response.header("accept-ranges") == "bytes")
                #expect(response.header("last-modified") == "Tue, 14 Nov 2023 22:13:20 GMT")
                #expect(response.header("x-amz-request-id")?.count == 16)
                #expect(response.header("x-amz-id-2") != nil && response.header("date") != nil)
            }
            let tags = try harness.send("GET", "/pictures/study/a%20b%2Bc?tagging")
            #expect(tags.text.contains("<Tag><Key>b</Key><Value>2 3</Value></Tag>"))
            let overridden = try harness.send("GET", "/pictures/study/a%20b%2Bc?response-content-type=text%2Fplain")
            #expect(overridden.header("content-type") == "text/plain")
            for (name, status) in [("%C3%BC.txt", 200), ("%E6%9C%88.txt", 400)] {
                let path = "/pictures/study/a%20b%2Bc?response-content-disposition=\(name)"
                #expect(try harness.send("GET", path).status == status)
            }
            let split = try harness.send("GET", "/pictures/study/a%20b%2Bc?response-content-type=a%0D%0Ax%3Ay")
            #expect(split.status == 400)
        }
    }

    @Test("Ranges and conditions")
    func rangesAndConditions() async throws {
        let body = Array("0123456789".utf8)
        try await GatewayHarness.run { harness in
            _ = try harness.send("PUT", "/pictures/k", body: body)
            let eTag = "\"\(Hexadecimal.text(MessageDigest.md5.digest(body)))\""
            func get(_ headers: [(String, String)], _ query: String = "") throws -> SocketClient.Response {
                try harness.send("GET", "/pictures/k" + query, headers: headers)
            }
            for (range, text, expected) in [
                ("bytes=2-4", "234", "bytes 2-4/10"), ("bytes=7-", "789", "bytes 7-9/10"),
                ("bytes=-3", "789", "bytes 7-9/10"), ("bytes=5-99", "56789", "bytes 5-9/10"),
            ] {
                let response = try get([("range", range)])
                #expect(response.status == 206 && response.text == text)
                #expect(response.header("content-range") == expected)
            }
            for ignored in ["bytes=4-2", "bytes=0-1,3-4", "items=0-1", "bytes=x"] {
                let response = try get([("range", ignored)])
                #expect(response.status == 200 && response.body == body)
            }
            let beyond = try get([("range", "bytes=10-")])
            #expect(beyond.status == 416 && beyond.code == "InvalidRange")
            #expect(beyond.element("ActualObjectSize") == "10")
            #expect(try get([("if-match", eTag)]).status == 200)
            #expect(try get([("if-match", "\"x\"")]).code == "PreconditionFailed")
            let unchanged = try get([("if-none-match", eTag)])
            #expect(unchanged.status == 304 && unchanged.header("etag") == eTag && unchanged.body.isEmpty)
            #expect(try get([], "?versionId=null").header("x-amz-version-id") == "null")
            #expect(try get([], "?versionId=abc").code == "InvalidArgument")
            #expect(try get([], "?versionId=3sL4kqtJlcpXroDTDmJ.rUgDbMvGPbRX").code == "NoSuchVersion")
            #expect(try get([], "?versionId=").code == "InvalidArgument")
            #expect(try get([], "?partNumber=1").status == 206)
            #expect(try get([], "?partNumber=2").code == "InvalidPartNumber")
            #expect(try get([], "?partNumber=0").code == "InvalidArgument")
            #expect(try harness.send("PUT", "/pictures/k", headers: [("if-none-match", "*")]).status == 412)
            #expect(try harness.send("PUT", "/pictures/k", headers: [("if-none-match", eTag)]).status == 412)
            #expect(try harness.send("PUT", "/pictures/k", headers: [("if-match", "\"x\"")]).status == 412)
            #expect(try harness.send("PUT", "/pictures/new", headers: [("if-match", eTag)]).code == "NoSuchKey")
            #expect(try get([]).body == body)
        }
    }

    @Test("A large object streams, on one connection with what follows")
    func large() async throws {
        var generator = SplitMix64(seed: 3)
        let body = generator.bytes(5 << 20)
        try await GatewayHarness.run { harness in
            let client = try harness.client()
            client.send(harness.signer.request("PUT", "/pictures/big", body: body, payload: .unsignedTrailer))
            #expect(try client.response().status == 200)
            for _ in 0..<3 {
                client.send(harness.signer.request("GET", "/pictures/big"))
                #expect(try client.response().body == body)
                client.send(harness.signer.request("HEAD", "/pictures/big"))
                #expect(try client.response(isHead: true).header("content-length") == "\(5 << 20)")
            }
        }
    }

    @Test("Digests that do not fit are refused, and nothing is stored")
    func digests() async throws {
        let body = Array("hello".utf8)
        let crc = Base64.encode(body.withUnsafeBytes { ChecksumAlgorithm.crc32.digest($0) })
        try await GatewayHarness.run { harness in
            func put(_ headers: [(String, String)], _ bytes: [UInt8] = body) throws -> String? {
                try harness.send("PUT", "/pictures/k", headers: headers, body: bytes).code
            }
            #expect(try put([("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")]) == "BadDigest")
            #expect(try put([("content-md5", "nonsense")]) == "InvalidDigest")
            #expect(try put([("x-amz-checksum-crc32", "AAAAAA==")]) == "BadDigest")
            #expect(try put([("x-amz-checksum-crc32", "AAAA")]) == "InvalidRequest")
            #expect(try put([("x-amz-checksum-crc32", crc), ("x-amz-checksum-sha1", crc)]) == "InvalidRequest")
            #expect(try put([("x-amz-sdk-checksum-algorithm", "CRC32")]) == "InvalidRequest")
            #expect(harness.objects.snapshot().isEmpty)
            let good = try harness.send("PUT", "/pictures/k", headers: [("x-amz-checksum-crc32", crc)], body: body)
            #expect(good.status == 200 && good.header("x-amz-checksum-crc32") == crc)
            let get = try harness.send("GET", "/pictures/k", headers: [("x-amz-checksum-mode", "ENABLED")])
            #expect(get.header("x-amz-checksum-crc32") == crc && get.header("x-amz-checksum-type") == "FULL_OBJECT")
            #expect(try harness.send("GET", "/pictures/k").header("x-amz-checksum-crc32") == nil)
        }
    }

    @Test("Copies keep or replace, and only from buckets of one's own")
    func copies() async throws {
        try await GatewayHarness.run { harness in
            _ = try harness.send("PUT", "/pictures/a", headers: [("x-amz-meta-m", "1")], body: Array("hello".utf8))
            _ = try harness.send("PUT", "/secrets/s", body: Array("secret".utf8), as: MemoryCredentials.bob)
            func copy(_ source: String, _ headers: [(String, String)] = [], to path: String = "/pictures/b") throws
                -> SocketClient.Response
            {
                try harness.send("PUT", path, headers: headers + [("x-amz-copy-source", source)])
            }
            let copied = try copy("/pictures/a")
            #expect(copied.status == 200 && copied.element("ETag")?.hasPrefix("&quot;") == true)
            #expect(try harness.send("HEAD", "/pictures/b").header("x-amz-meta-m") == "1")
            #expect(
                try copy("pictures/a", [("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-m", "2")]).status == 200
            )
            #expect(try harness.send("HEAD", "/pictures/b").header("x-amz-meta-m") == "2")
            #expect(try copy("secrets/s").code == "AccessDenied")
            #expect(try copy("pictures/none").code == "NoSuchKey")
            #expect(try copy("nowhere/none").code == "NoSuchBucket")
            for bad in ["", "/", "pictures", "pictures/", "%00/a", "http://x/y%ff"] {
                #expect((400..<500).contains(try copy(bad).status), "\(bad)")
            }
            for impossible in ["x/k", "Not_one/k", "/-pictures/a", "192.168.0.1/k"] {
                #expect(try copy(impossible).element("Message") == "Invalid copy source bucket name")
            }
            #expect(try harness.send("DELETE", "/pictures/a", headers: [("x-amz-copy-source", "a/b")]).status == 400)
            #expect(try copy("pictures/a", to: "/pictures/a").code == "InvalidRequest")
            #expect(try copy("pictures/a", [("x-amz-copy-source-if-match", "x")]).code == "PreconditionFailed")
            #expect(try copy("pictures/a", [("x-amz-metadata-directive", "MOVE")]).code == "InvalidArgument")
            for (bytes, refusal) in [([], nil), (Array("hello".utf8), "BadDigest")] as [([UInt8], String?)] {
                let md5 = Base64.encode(MessageDigest.md5.digest(bytes))
                #expect(try copy("pictures/a", [("content-md5", md5)]).code == refusal)
                let crc = Base64.encode(bytes.withUnsafeBytes { ChecksumAlgorithm.crc32.digest($0) })
                #expect(try copy("pictures/a", [("x-amz-checksum-crc32", crc)]).code == refusal)
            }
            #expect(try copy("pictures/a", [("content-md5", "x")]).code == "InvalidDigest")
            #expect(harness.objects.snapshot()["pictures/b"] == Array("hello".utf8))
        }
    }

    @Test("a range of another version than the client has is answered with the whole")
    func ifRange() async throws {
        try await GatewayHarness.run { harness in
            _ = try harness.send("PUT", "/pictures/k", body: Array("old-old".utf8))
            let old = try #require(try harness.send("HEAD", "/pictures/k").header("etag"))
            _ = try harness.send("PUT", "/pictures/k", body: Array("new-new".utf8))
            let head = try harness.send("HEAD", "/pictures/k")
            let (new, date) = (try #require(head.header("etag")), try #require(head.header("last-modified")))
            let long = "Mon, 01 Jan 2001 00:00:00 GMT"
            for (validator, status) in [(old, 200), (new, 206), (date, 206), (long, 200), ("W/" + new, 200)] {
                let answer = try harness.send(
                    "GET",
                    "/pictures/k",
                    headers: [("range", "bytes=4-")],
                    unsigned: [("if-range", validator)]
                )
                #expect(answer.status == status, "\(validator)")
                #expect(answer.text == (status == 206 ? "new" : "new-new"))
                #expect((answer.header("content-range") != nil) == (status == 206))
            }
            // Without a range it means nothing, and one beyond the end of the version that is there is none.
            #expect(try harness.send("GET", "/pictures/k", unsigned: [("if-range", old)]).status == 200)
            for (validator, status) in [(old, 200), (new, 416)] {
                let unsigned = [("range", "bytes=100-"), ("if-range", validator)]
                #expect(try harness.send("GET", "/pictures/k", unsigned: unsigned).status == status)
            }
        }
    }

    @Test("what cannot be read is refused with a document, unless some of it has gone out", arguments: [8, 3_000_000])
    func unreadable(length: Int) async throws {
        try await GatewayHarness.run { harness in
            _ = try harness.send("PUT", "/pictures/k", body: [UInt8](repeating: 7, count: length))
            harness.objects.damage(from: 0)
            let client = try harness.client()
            for _ in 0..<2 {
                client.send(harness.signer.request("GET", "/pictures/k"))
                let refused = try client.response()
                #expect(refused.status == 503 && refused.code == "ServiceUnavailable")
                #expect(refused.text.contains("3 good shards, 4 needed"))
            }
            harness.objects.damage(from: 1_000_000)
            client.send(harness.signer.request("GET", "/pictures/k"))
            let answer = try? client.response()
            #expect((answer?.body.count == length) == (length < 1_000_000))
        }
    }
}
