import Checksums
import ObjectModel
import S3Protocol
import TestKit
import Testing

@Suite("Gateway: buckets, lists, multi-object delete, multipart")
struct ListAndUploadTests {
    @Test("Buckets: create, again, by another, list, delete")
    func buckets() async throws {
        try await GatewayHarness.run { harness in
            let made = try harness.send("PUT", "/fresh-bucket")
            #expect(made.status == 200 && made.header("location") == "/fresh-bucket")
            #expect(try harness.send("PUT", "/fresh-bucket").status == 200)
            #expect(try harness.send("PUT", "/fresh-bucket", as: MemoryCredentials.bob).code == "BucketAlreadyExists")
            for name in ["ab", "Upper-Case", "a..b", "192.168.1.1", "under_score", "-a-b", "xn--abc"] {
                #expect(try harness.send("PUT", "/" + name).code == "InvalidBucketName", "\(name)")
            }
            // Names of AWS's first rules are looked for.
            for name in ["Upper-Case", "under_score", "a..b", "-a-b", String(repeating: "X", count: 255)] {
                for (method, path) in [("GET", ""), ("GET", "/k"), ("PUT", "/k"), ("DELETE", "/k"), ("DELETE", "")] {
                    #expect(try harness.send(method, "/" + name + path).code == "NoSuchBucket", "\(method) \(name)")
                }
            }
            for name in ["ab", "a%0Db", "a%2Ab", "a%20b", "b%C3%BCcket", String(repeating: "x", count: 256)] {
                #expect(try harness.send("GET", "/" + name).code == "InvalidBucketName", "\(name)")
            }
            let here = Array(
                ("<CreateBucketConfiguration><LocationConstraint>us-east-1"
                    + "</LocationConstraint></CreateBucketConfiguration>")
                    .utf8
            )
            #expect(try harness.send("PUT", "/located", body: here).status == 200)
            let there = Array(
                ("<CreateBucketConfiguration><LocationConstraint>eu-west-1"
                    + "</LocationConstraint></CreateBucketConfiguration>")
                    .utf8
            )
            #expect(try harness.send("PUT", "/elsewhere", body: there).code == "IllegalLocationConstraintException")
            #expect(try harness.send("PUT", "/elsewhere", body: Array("<x".utf8)).code == "MalformedXML")
            let list = try harness.send("GET", "/")
            #expect(
                list.text.contains("<Name>fresh-bucket</Name><CreationDate>2023-11-14T22:13:20.123Z</CreationDate>")
            )
            _ = try harness.send("PUT", "/fresh-bucket/k", body: [1])
            #expect(try harness.send("DELETE", "/fresh-bucket").code == "BucketNotEmpty")
            #expect(try harness.send("DELETE", "/fresh-bucket/k").status == 204)
            #expect(try harness.send("DELETE", "/fresh-bucket/k").status == 204)
            #expect(try harness.send("DELETE", "/fresh-bucket").status == 204)
            #expect(try harness.send("DELETE", "/fresh-bucket").code == "NoSuchBucket")
            let page = try harness.send("GET", "/?max-buckets=1")
            let token = try #require(page.element("ContinuationToken"))
            let next = try harness.send(
                "GET",
                "/?continuation-token=\(PercentCoding.encode(token, keepsSlash: false))&max-buckets=1"
            )
            #expect(next.text.contains("<Name>pictures</Name>") && next.element("ContinuationToken") == nil)
        }
    }

    @Test("Lists of both versions page through the same keys")
    func pages() async throws {
        try await GatewayHarness.run { harness in
            for key in ["a", "b/1", "b/2", "c%20d", "e%26%3C"] {
                _ = try harness.send("PUT", "/pictures/\(key)", body: [1])
            }
            let all = try harness.send("GET", "/pictures")
            #expect(all.element("IsTruncated") == "false" && all.element("MaxKeys") == "1000")
            #expect(all.text.contains("<Key>e&amp;&lt;</Key>") && all.text.contains("<Marker></Marker>"))
            #expect(all.text.contains("<ETag>&quot;") && all.text.contains("<StorageClass>STANDARD</StorageClass>"))
            let first = try harness.send("GET", "/pictures?delimiter=%2F&max-keys=2")
            #expect(first.element("NextMarker") == "b/" && first.text.contains("<CommonPrefixes><Prefix>b/</Prefix>"))
            let second = try harness.send("GET", "/pictures?delimiter=%2F&marker=b%2F&max-keys=2")
            #expect(second.text.contains("<Key>c d</Key>") && second.element("IsTruncated") == "false")
            let modern = try harness.send("GET", "/pictures?encoding-type=url&list-type=2&max-keys=4")
            #expect(modern.element("KeyCount") == "4" && modern.text.contains("<Key>c%20d</Key>"))
            #expect(modern.element("Owner") == nil)
            let token = try #require(modern.element("NextContinuationToken"))
            let rest = try harness.send(
                "GET",
                "/pictures?continuation-token=\(PercentCoding.encode(token, keepsSlash: false))"
                    + "&fetch-owner=true&list-type=2"
            )
            #expect(
                rest.element("KeyCount") == "1" && rest.element("ID") == "a11ce"
                    && rest.element("ContinuationToken") == token
            )
            for (prefix, told) in [("a", "a"), ("a%2B", "a%2B"), ("100%25", "100%25"), ("%C3%A4", "ä")] {
                let list = try harness.send("GET", "/pictures?encoding-type=url&prefix=\(prefix)")
                #expect(list.element("Prefix") == told)
            }
            let versions = try harness.send("GET", "/pictures?versions")
            #expect(versions.text.contains("<VersionId>null</VersionId><IsLatest>true</IsLatest>"))
            for marker in ["", "null", String(repeating: "a", count: 32)] {
                let later = try harness.send("GET", "/pictures?key-marker=a&version-id-marker=\(marker)&versions")
                #expect(later.status == 200 && later.element("VersionIdMarker") == marker)
            }
            #expect(try harness.send("GET", "/pictures?max-keys=0").element("IsTruncated") == "false")
            #expect(try harness.send("GET", "/pictures?max-keys=5000").element("MaxKeys") == "1000")
            for bad in [
                "max-keys=-1", "max-keys=x", "max-keys=99999999999", "encoding-type=base64",
                "continuation-token=zz&list-type=2", "list-type=3", "version-id-marker=a&versions",
                "key-marker=a&version-id-marker=invalid&versions",
            ] {
                #expect(try harness.send("GET", "/pictures?\(bad)").code == "InvalidArgument", "\(bad)")
            }
        }
    }

    static func delete(_ harness: GatewayHarness, _ document: String, md5: Bool = true) throws -> SocketClient.Response
    {
        let body = Array(document.utf8)
        let headers = md5 ? [("content-md5", Base64.encode(MessageDigest.md5.digest(body)))] : []
        return try harness.send("POST", "/pictures?delete", headers: headers, body: body)
    }

    @Test("Multi-object delete")
    func deleteObjects() async throws {
        try await GatewayHarness.run { harness in
            for key in ["a", "b", "c"] { _ = try harness.send("PUT", "/pictures/\(key)", body: [1]) }
            let first = try Self.delete(
                harness,
                "<Delete><Object><Key>a</Key></Object><Object><Key>gone</Key></Object></Delete>"
            )
            #expect(first.status == 200 && first.text.contains("<Deleted><Key>gone</Key></Deleted>"))
            let quiet = try Self.delete(
                harness,
                "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet><Object><Key>b</Key>"
                    + "<VersionId>null</VersionId></Object></Delete>"
            )
            #expect(quiet.status == 200 && !quiet.text.contains("Deleted>"))
            #expect(
                try Self.delete(harness, "<Delete><Object><Key>c</Key></Object></Delete>", md5: false).code
                    == "InvalidRequest"
            )
            #expect(try Self.delete(harness, "<Delete></Delete>").code == "MalformedXML")
            let many = (0...1_000).map { "<Object><Key>\($0)</Key></Object>" }.joined()
            #expect(try Self.delete(harness, "<Delete>\(many)</Delete>").code == "MalformedXML")
            #expect(
                try Self.delete(harness, "<!DOCTYPE a><Delete><Object><Key>c</Key></Object></Delete>").code
                    == "MalformedXML"
            )
            #expect(
                try Self.delete(harness, "<Delete><Object><Key>&x;c</Key></Object></Delete>").code == "MalformedXML"
            )
            let huge = "<Delete><!--" + String(repeating: "x", count: 2 << 20) + "--></Delete>"
            #expect(try Self.delete(harness, huge).status == 400)
            #expect(try Self.delete(harness, "<Delete><Object><Key>../secrets/s</Key></Object></Delete>").status == 200)
            #expect(harness.objects.snapshot().keys.sorted() == ["pictures/c"])
        }
    }

    @Test("Multipart: create, parts, list, complete")
    func multipart() async throws {
        try await GatewayHarness.run { harness in
            let created = try harness.send("POST", "/pictures/big?uploads", headers: [("x-amz-meta-m", "1")])
            let id = try #require(created.element("UploadId"))
            #expect(created.element("Key") == "big")
            func part(_ number: String, _ text: String) throws -> SocketClient.Response {
                try harness.send("PUT", "/pictures/big?partNumber=\(number)&uploadId=\(id)", body: Array(text.utf8))
            }
            let first = try #require(try part("1", "hello ").header("etag"))
            let second = try #require(try part("2", "world").header("etag"))
            for bad in ["0", "10001", "x", "-1", "", "1.5"] { #expect(try part(bad, "x").code == "InvalidArgument") }
            let copied = try harness.send(
                "PUT",
                "/pictures/big?partNumber=3&uploadId=\(id)",
                headers: [("x-amz-copy-source", "pictures/none")]
            )
            #expect(copied.code == "NoSuchKey")
            let listed = try harness.send("GET", "/pictures/big?max-parts=1&uploadId=\(id)")
            #expect(listed.element("IsTruncated") == "true" && listed.element("NextPartNumberMarker") == "1")
            let uploads = try harness.send("GET", "/pictures?uploads")
            #expect(uploads.element("UploadId") == id && uploads.element("IsTruncated") == "false")
            #expect(uploads.element("NextKeyMarker") == "big" && uploads.element("NextUploadIdMarker") == id)
            func complete(_ parts: [(String, String)], md5: String? = nil) throws -> SocketClient.Response {
                let text = parts.map { "<Part><PartNumber>\($0.0)</PartNumber><ETag>\($0.1)</ETag></Part>" }.joined()
                return try harness.send(
                    "POST",
                    "/pictures/big?uploadId=\(id)",
                    headers: md5.map { [("content-md5", $0)] } ?? [],
                    body: Array("<CompleteMultipartUpload>\(text)</CompleteMultipartUpload>".utf8)
                )
            }
            #expect(try complete([]).code == "MalformedXML")
            #expect(try complete([("2", second), ("1", first)]).code == "InvalidPartOrder")
            #expect(try complete([("1", first), ("1", first)]).code == "InvalidPartOrder")
            let wrong = try complete([("1", first), ("2", "\"other\"")])
            #expect(wrong.code == "InvalidPart" && wrong.element("UploadId") == id)
            #expect(wrong.element("PartNumber") == "2" && wrong.element("ETag") == "other")
            #expect(try complete([("1", "")]).code == "InvalidPart")
            #expect(try complete([("1", first)], md5: "AAAA").code == "InvalidDigest")
            let zeros = Base64.encode([UInt8](repeating: 0, count: 16))
            #expect(try complete([("1", first)], md5: zeros).code == "BadDigest")
            #expect(try complete([("0", first)]).code == "InvalidArgument")
            let done = try complete([("1", first), ("2", second.replacing("\"", with: "&quot;"))])
            #expect(done.status == 200 && done.element("ETag")?.hasSuffix("-2&quot;") == true)
            #expect(try complete([("1", first)]).code == "NoSuchUpload")
            #expect(try harness.send("GET", "/pictures/big").text == "hello world")
            #expect(try harness.send("DELETE", "/pictures/big?uploadId=\(id)").code == "NoSuchUpload")
            for bad in [
                ("SHA1", "FULL_OBJECT"), ("XXHASH3", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE"), ("MD4", "COMPOSITE"),
            ] {
                let response = try harness.send(
                    "POST",
                    "/pictures/big?uploads",
                    headers: [("x-amz-checksum-algorithm", bad.0), ("x-amz-checksum-type", bad.1)]
                )
                #expect(response.code == "InvalidRequest")
            }
        }
    }

    @Test("Tags: documents and limits")
    func tags() async throws {
        try await GatewayHarness.run { harness in
            _ = try harness.send("PUT", "/pictures/k", body: [1])
            func put(_ tags: [(String, String)]) throws -> SocketClient.Response {
                let text = tags.map { "<Tag><Key>\($0.0)</Key><Value>\($0.1)</Value></Tag>" }.joined()
                return try harness.send(
                    "PUT",
                    "/pictures/k?tagging",
                    body: Array("<Tagging><TagSet>\(text)</TagSet></Tagging>".utf8)
                )
            }
            #expect(try put([("a", "1"), ("b", "")]).status == 200)
            #expect(try harness.send("GET", "/pictures/k?tagging").text.contains("<Key>b</Key><Value></Value>"))
            #expect(try put((0..<11).map { ("k\($0)", "v") }).code == "BadRequest")
            #expect(try put([("a", "1"), ("a", "2")]).code == "InvalidTag")
            #expect(try put([(String(repeating: "k", count: 129), "v")]).code == "InvalidTag")
            #expect(try put([("k", String(repeating: "v", count: 257))]).code == "InvalidTag")
            #expect(try put([("aws:k", "v")]).code == "InvalidTag")
            #expect(try put([("k{}", "v")]).code == "InvalidTag")
            #expect(try harness.send("GET", "/pictures/k?tagging").text.contains("<Key>a</Key><Value>1</Value>"))
            #expect(try harness.send("DELETE", "/pictures/k?tagging").status == 204)
            #expect(try harness.send("HEAD", "/pictures/k").header("x-amz-tagging-count") == nil)
            #expect(
                try harness.send("PUT", "/pictures/x", headers: [("x-amz-tagging", "a=1&a=2")], body: [1]).code
                    == "InvalidArgument"
            )
        }
    }
}
