import Checksums
import ObjectInterface
import ObjectModel
import S3Protocol
import TestKit
import Testing

/// What must never happen: an unbuilt sub-resource that changes an image, a header obeyed that nobody signed,
/// protection that was asked for and ignored, another's bucket read.
@Suite("Gateway: nothing falls through")
struct ProtectionTests {
    static let image = Array("an image".utf8)

    @Test("Every verb × every sub-resource leaves the bytes of object and bucket unchanged")
    func verbsAndSubResources() async throws {
        // Those that delete or replace what they name by their plain meaning are left to other tests.
        let names =
            SubResource.allCases.map(\.rawValue) + [
                "unknown", "unknown=", "partNumber=1", "versionId=x", "uploadId=x&partNumber=1", "ACL", "Acl=",
                "acl&tagging",
            ]
        try await GatewayHarness.run { harness in
            _ = try harness.send("PUT", "/pictures/image", body: Self.image)
            let before = harness.objects.snapshot()
            for name in names {
                for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"] {
                    for path in ["/pictures?\(name)", "/pictures/image?\(name)"] {
                        let response = try harness.send(method, path, body: method == "GET" ? [] : Array("x".utf8))
                        // These two do what they say: a new upload, and a delete that AWS calls done when there is
                        // nothing.
                        let isMeant =
                            (method == "DELETE" && ["versionId=x", "tagging"].contains(name))
                            || (method == "POST" && name == "uploads")
                        #expect(harness.objects.snapshot() == before, "\(method) \(path)")
                        let isRead = method == "GET" || method == "HEAD"
                        #expect(isRead || isMeant || response.status >= 400, "\(method) \(path)")
                    }
                }
            }
        }
    }

    @Test("Sub-resources that are not built answer GET as AWS does for a bucket that never had them")
    func unbuiltAnswers() async throws {
        try await GatewayHarness.run { harness in
            for (name, status, text) in [
                ("versioning", 200, "<VersioningConfiguration xmlns="),
                ("acl", 200, "<Permission>FULL_CONTROL</Permission>"),
                ("policy", 404, "NoSuchBucketPolicy"), ("policyStatus", 404, "NoSuchBucketPolicy"),
                ("lifecycle", 404, "NoSuchLifecycleConfiguration"), ("cors", 404, "NoSuchCORSConfiguration"),
                ("encryption", 404, "ServerSideEncryptionConfigurationNotFoundError"),
                ("object-lock", 404, "ObjectLockConfigurationNotFoundError"), ("tagging", 404, "NoSuchTagSet"),
                ("website", 404, "NoSuchWebsiteConfiguration"),
                ("replication", 404, "ReplicationConfigurationNotFoundError"),
                ("publicAccessBlock", 404, "NoSuchPublicAccessBlockConfiguration"),
                ("ownershipControls", 404, "OwnershipControlsNotFoundError"),
                ("requestPayment", 200, "<Payer>BucketOwner</Payer>"), ("logging", 200, "<BucketLoggingStatus"),
                ("notification", 200, "<NotificationConfiguration"), ("accelerate", 200, "<AccelerateConfiguration"),
                ("metrics", 200, "<IsTruncated>false</IsTruncated>"), ("metrics&id=a", 404, "NoSuchConfiguration"),
                ("location", 200, "<LocationConstraint xmlns="), ("session", 501, "NotImplemented"),
            ] {
                let response = try harness.send("GET", "/pictures?\(name)")
                #expect(response.status == status && response.text.contains(text), "\(name): \(response.text)")
                #expect(try harness.send("GET", "/nowhere?\(name)").code == "NoSuchBucket")
                #expect(try harness.send("GET", "/secrets?\(name)").code == "AccessDenied")
            }
            _ = try harness.send("PUT", "/pictures/image", body: Self.image)
            #expect(try harness.send("GET", "/pictures/image?acl").text.contains("<ID>a11ce</ID>"))
            #expect(try harness.send("GET", "/pictures/none?acl").code == "NoSuchKey")
            #expect(try harness.send("GET", "/pictures/image?retention").code == "InvalidRequest")
            #expect(try harness.send("PUT", "/pictures?versioning", body: Array("<x/>".utf8)).status == 501)
        }
    }

    @Test(
        "A header that asks for what is not built is refused",
        arguments: [
            ("x-amz-server-side-encryption", "AES256", 501), ("x-amz-server-side-encryption", "aws:kms", 501),
            ("x-amz-server-side-encryption-customer-algorithm", "AES256", 501),
            ("x-amz-server-side-encryption-customer-key", "x", 501), ("x-amz-object-lock-mode", "COMPLIANCE", 400),
            ("x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z", 400),
            ("x-amz-object-lock-legal-hold", "ON", 400), ("x-amz-acl", "public-read", 501),
            ("x-amz-acl", "nonsense", 400), ("x-amz-grant-read", "id=1", 501),
            ("x-amz-website-redirect-location", "/x", 501), ("x-amz-write-offset-bytes", "0", 501),
        ]
    )
    func refusedHeaders(_ name: String, _ value: String, _ status: Int) async throws {
        try await GatewayHarness.run { harness in
            let put = try harness.send("PUT", "/pictures/k", headers: [(name, value)], body: Self.image)
            #expect(put.status == status)
            let create = try harness.send("POST", "/pictures/k?uploads", headers: [(name, value)])
            #expect(create.status == status)
            let hoisted = harness.signer.presigned(
                "PUT",
                "/pictures/k",
                extra: "&\(name)=\(PercentCoding.encode(value, keepsSlash: false))"
            )
            let client = try harness.client()
            client.send("PUT \(hoisted) HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1\r\n\r\nx")
            #expect(try client.response().status >= 400)
            #expect(harness.objects.snapshot().isEmpty)
        }
    }

    /// Found by a hunt: the object was replaced by a part of itself.
    @Test("A PUT of a range of an object is refused; a part of an upload may be called one")
    func contentRange() async throws {
        try await GatewayHarness.run { harness in
            _ = try harness.send("PUT", "/pictures/k", body: Self.image)
            let id = try #require(try harness.send("POST", "/pictures/k?uploads").element("UploadId"))
            func put(_ path: String) throws -> Int {
                try harness.send("PUT", path, headers: [("content-range", "bytes 0-0/8")], body: [1]).status
            }
            #expect(try put("/pictures/k") == 501)
            #expect(harness.objects.snapshot()["pictures/k"] == Self.image)
            #expect(try put("/pictures/k?partNumber=1&uploadId=\(id)") == 200)
        }
    }

    /// Found by a hunt: an empty or unknown condition of a delete was none.
    @Test("What is to be deleted under a condition is not deleted without")
    func conditionsOfDeletes() async throws {
        try await GatewayHarness.run { harness in
            let put = try harness.send("PUT", "/pictures/k", body: Self.image)
            let eTag = try #require(put.header("etag"))
            for (name, value, status) in [
                ("if-match", "\"\"", 501), ("if-match", ",", 501), ("if-match", "\"x\", \(eTag)", 501),
                ("if-match", "\(eTag), \"x\"", 501), ("if-match", "\"x\"", 412), ("if-none-match", "*", 501),
                ("if-none-match", "\"x\"", 501), ("if-modified-since", "Tue, 14 Nov 2000 22:13:20 GMT", 501),
                ("if-unmodified-since", "Tue, 14 Nov 2000 22:13:20 GMT", 501), ("x-amz-if-match-size", "1", 501),
            ] {
                let refused = try harness.send("DELETE", "/pictures/k", headers: [(name, value)])
                #expect(refused.status == status, "\(name): \(value)")
                #expect(harness.objects.snapshot()["pictures/k"] == Self.image)
            }
            // Not with a signature: a value of no bytes is written in several ways there.
            for blank in ["", " "] {
                #expect(try harness.send("DELETE", "/pictures/k", unsigned: [("if-match", blank)]).status == 501)
            }
            #expect(harness.objects.snapshot()["pictures/k"] == Self.image)
            #expect(try harness.send("DELETE", "/pictures/k", headers: [("if-match", eTag)]).status == 204)
            #expect(harness.objects.snapshot().isEmpty)
        }
    }

    @Test("Conditions are refused by what changes something and does not heed them, and heeded by all else")
    func conditionsElsewhere() async throws {
        try await GatewayHarness.run { harness in
            let put = try harness.send("PUT", "/pictures/k", body: Self.image)
            let eTag = try #require(put.header("etag"))
            let id = try #require(try harness.send("POST", "/pictures/k?uploads").element("UploadId"))
            let document = Array("<Delete><Object><Key>k</Key></Object></Delete>".utf8)
            let digest = [("content-md5", Base64.encode(MessageDigest.md5.digest(document)))]
            let copy = [("x-amz-copy-source", "pictures/k")]
            let writes: [(String, String, [(String, String)], [UInt8])] = [
                ("POST", "/pictures?delete", digest, document),
                ("PUT", "/pictures/k?tagging", [], Array("<Tagging><TagSet></TagSet></Tagging>".utf8)),
                ("DELETE", "/pictures/k?tagging", [], []),
                ("PUT", "/pictures/k?partNumber=1&uploadId=\(id)", [], Self.image),
                ("PUT", "/pictures/k?partNumber=1&uploadId=\(id)", copy, []),
                ("DELETE", "/pictures/k?uploadId=\(id)", [], []), ("PUT", "/pictures-new", [], []),
            ]
            for (method, path, headers, body) in writes {
                for condition in [("if-match", eTag), ("if-none-match", "*"), ("if-match", "\"\"")] {
                    let refused = try harness.send(method, path, headers: headers + [condition], body: body)
                    #expect(refused.status == 501 && refused.code == "NotImplemented", "\(method) \(path)")
                }
            }
            let initiated = [("x-amz-if-match-initiated-time", "Tue, 14 Nov 2023 22:13:20 GMT")]
            let aborted = try harness.send("DELETE", "/pictures/k?uploadId=\(id)", headers: initiated)
            #expect(aborted.status == 501)
            #expect(harness.objects.snapshot()["pictures/k"] == Self.image)
            let parts = try harness.send("GET", "/pictures/k?uploadId=\(id)")
            #expect(parts.status == 200 && !parts.text.contains("<Part>"))
            for (name, value, key, status) in [
                ("if-match", eTag, "k", 200), ("if-match", "*", "k", 200), ("if-match", "\"x\"", "k", 412),
                ("if-match", eTag, "new", 404), ("if-none-match", "*", "k", 412), ("if-none-match", "*", "new", 200),
                ("if-none-match", eTag, "k", 412), ("if-none-match", "\"x\"", "k", 200),
            ] {
                let begun = try harness.send("POST", "/pictures/\(key)?uploads", headers: [(name, value)])
                #expect(begun.status == status, "\(name): \(value) of \(key)")
            }
            #expect(try harness.send("GET", "/pictures", headers: [("if-none-match", "*")]).status == 200)
            #expect(try harness.send("GET", "/pictures/k?tagging", headers: [("if-match", eTag)]).status == 200)
        }
    }

    @Test("Unsigned x-amz headers are refused in every mode, and forged trailers too")
    func unsignedHeaders() async throws {
        try await GatewayHarness.run { harness in
            for payload in [SigningClient.Payload.signed, .unsigned, .chunked, .chunkedTrailer, .unsignedTrailer] {
                let response = try harness.send(
                    "PUT",
                    "/pictures/k",
                    body: Self.image,
                    payload: payload,
                    unsigned: [("x-amz-copy-source", "/pictures/other")]
                )
                #expect(response.code == "AccessDenied")
            }
            let presigned = harness.signer.presigned("PUT", "/pictures/k")
            for name in ["x-amz-copy-source", "x-amz-acl", "x-amz-meta-a", "x-amz-tagging"] {
                let client = try harness.client()
                client.send(
                    "PUT \(presigned) HTTP/1.1\r\nhost: 127.0.0.1\r\n\(name): a/b\r\ncontent-length: 1\r\n\r\nx"
                )
                #expect(try client.response().code == "AccessDenied")
            }
            #expect(harness.objects.snapshot().isEmpty)
            let client = try harness.client()
            client.send("PUT \(presigned) HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1\r\n\r\nx")
            #expect(try client.response().status == 200)
        }
    }

    @Test("Conditions and existence are not told to those who may not know")
    func existence() async throws {
        try await GatewayHarness.run { harness in
            _ = try harness.send("PUT", "/secrets/s", body: Self.image, as: MemoryCredentials.bob)
            for headers in [[], [("if-modified-since", "Tue, 14 Nov 2023 22:13:20 GMT")], [("if-none-match", "*")]] {
                for key in ["s", "none"] {
                    #expect(try harness.send("GET", "/secrets/\(key)", headers: headers).code == "AccessDenied")
                }
            }
            for method in ["GET", "PUT", "DELETE"] {
                #expect(try harness.send(method, "/secrets/s", body: []).status == 403)
            }
            #expect(try harness.send("DELETE", "/secrets").status == 403)
            #expect(try harness.send("HEAD", "/secrets").status == 403)
            #expect(
                try harness.send("GET", "/pictures?location", headers: [("x-amz-expected-bucket-owner", "b0b")]).status
                    == 403
            )
            #expect(try harness.send("GET", "/").text.contains("pictures"))
            #expect(try !harness.send("GET", "/").text.contains("secrets"))
            let anonymous = try harness.client()
            anonymous.send("GET /pictures/s HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            #expect(try anonymous.response().code == "AccessDenied")
            #expect(harness.objects.snapshot()["secrets/s"] == Self.image)
        }
    }

    @Test("Keys are text: dots, slashes and escapes name nothing but themselves")
    func keys() async throws {
        try await GatewayHarness.run { harness in
            _ = try harness.send("PUT", "/secrets/s", body: Self.image, as: MemoryCredentials.bob)
            for key in ["../secrets/s", "a/../../secrets/s", "/", "//a", "./b", "%2E%2E/s", "a%2Fb", "%01"] {
                let put = try harness.send("PUT", "/pictures/" + key, body: Array("x".utf8))
                let isCanonical = !["%2E%2E/s", "a%2Fb"].contains(key)
                // A client that signs another encoding than AWS's own has signed another request.
                #expect(put.status == (isCanonical ? 200 : 403), "\(key)")
            }
            #expect(harness.objects.snapshot()["secrets/s"] == Self.image)
            #expect(harness.objects.snapshot()["pictures/../secrets/s"] == Array("x".utf8))
            #expect(harness.objects.snapshot()["pictures//"] != nil)
            for key in ["%00", "a%00b", "%ff", "%zz", "%"] {
                #expect(try harness.send("PUT", "/pictures/" + key, body: Array("x".utf8)).code == "InvalidURI")
            }
            let long = String(repeating: "k", count: 1_024)
            #expect(try harness.send("PUT", "/pictures/" + long, body: []).status == 200)
            #expect(try harness.send("PUT", "/pictures/" + long + "k", body: []).code == "KeyTooLongError")
        }
    }

    @Test("Errors of the store keep their reason and S3's shape")
    func storeErrors() async throws {
        try await GatewayHarness.run { harness in
            for (code, status, name) in [
                (StorageError.Code.unavailable, 503, "ServiceUnavailable"), (.full, 507, "InsufficientStorage"),
                (.busy, 503, "SlowDown"), (.internalFailure, 500, "InternalError"),
            ] {
                harness.objects.fail(with: StorageError(code, "two of six disks are out"))
                let response = try harness.send("PUT", "/pictures/k", body: Self.image)
                #expect(response.status == status || response.status == 503)
                #expect(response.code == name || response.code == "ServiceUnavailable")
                harness.objects.fail(with: nil)
            }
        }
    }
}
