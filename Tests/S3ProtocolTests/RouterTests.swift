import HTTPTypes
import S3Protocol
import Testing

@Suite("Router: method × target × query")
struct RouterTests {
    static func route(_ method: String, _ path: String, copy: Bool = false) throws -> S3Operation {
        let parts = path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        return try S3Router.route(
            method: try #require(HTTPRequest.Method(method)),
            target: try RequestTarget(rawPath: parts[0], host: "localhost", domains: []),
            query: try QueryParameters(parts.count > 1 ? parts[1] : ""),
            hasCopySource: copy
        )
    }

    static let table: [(String, String, S3Operation)] = [
        ("GET", "/", .listBuckets), ("GET", "/?x-id=ListBuckets", .listBuckets),
        ("PUT", "/b", .createBucket), ("PUT", "/b/", .createBucket), ("HEAD", "/b", .headBucket),
        ("DELETE", "/b", .deleteBucket), ("GET", "/b?location", .getBucketLocation),
        ("GET", "/b?location=", .getBucketLocation), ("GET", "/b", .listObjects),
        ("GET", "/b?list-type=2&prefix=a", .listObjectsV2), ("GET", "/b?versions", .listObjectVersions),
        ("GET", "/b?uploads", .listMultipartUploads), ("POST", "/b?delete", .deleteObjects),
        ("GET", "/b?acl", .getBucketSubResource(.acl)), ("GET", "/b?inventory&id=1", .getBucketSubResource(.inventory)),
        ("GET", "/b/k", .getObject), ("GET", "/b/k?versionId=null&response-expires=x", .getObject),
        ("GET", "/b/k?foo=bar", .getObject), ("HEAD", "/b/k?partNumber=1", .headObject), ("PUT", "/b/k", .putObject),
        ("PUT", "/b/k?x-id=PutObject", .putObject), ("DELETE", "/b/k", .deleteObject), ("PUT", "/b//", .putObject),
        ("GET", "/b/k?attributes", .getObjectAttributes), ("GET", "/b/k?tagging", .getObjectTagging),
        ("PUT", "/b/k?tagging", .putObjectTagging), ("DELETE", "/b/k?tagging", .deleteObjectTagging),
        ("PUT", "/b?acl", .putBucketACL), ("PUT", "/b/k?acl", .putObjectACL),
        ("GET", "/b/k?acl", .getObjectSubResource(.acl)), ("POST", "/b/k?uploads", .createMultipartUpload),
        ("PUT", "/b/k?partNumber=1&uploadId=u", .uploadPart), ("POST", "/b/k?uploadId=u", .completeMultipartUpload),
        ("DELETE", "/b/k?uploadId=u", .abortMultipartUpload), ("GET", "/b/k?uploadId=u", .listParts),
    ]

    @Test("What is built is found", arguments: table)
    func built(_ method: String, _ path: String, _ operation: S3Operation) throws {
        #expect(try Self.route(method, path) == operation)
    }

    @Test("A copy source turns a PUT into a copy")
    func copies() throws {
        #expect(try Self.route("PUT", "/b/k", copy: true) == .copyObject)
        #expect(try Self.route("PUT", "/b/k?partNumber=1&uploadId=u", copy: true) == .uploadPartCopy)
    }

    @Test("A copy source of what reads or deletes is refused", arguments: ["GET", "HEAD", "DELETE"])
    func copySourceElsewhere(_ method: String) {
        for path in ["/b/k", "/b/k?tagging", "/b/k?uploadId=u", "/b"] {
            #expect {
                try Self.route(method, path, copy: true)
            } throws: { ($0 as? S3Error)?.code == .invalidArgument }
        }
    }

    @Test(
        "Everything else is refused",
        arguments: [
            ("POST", "/", "MethodNotAllowed"), ("GET", "/?acl", "MethodNotAllowed"),
            ("PATCH", "/b/k", "MethodNotAllowed"),
            ("POST", "/b/k", "MethodNotAllowed"), ("POST", "/b", "NotImplemented"),
            ("PUT", "/b?cors", "NotImplemented"),
            ("PUT", "/b/k?retention", "NotImplemented"),
            ("POST", "/b/k?restore", "NotImplemented"), ("POST", "/b/k?select&select-type=2", "NotImplemented"),
            ("DELETE", "/b?lifecycle", "NotImplemented"), ("GET", "/b/k?lifecycle", "NotImplemented"),
            ("HEAD", "/b/k?acl", "MethodNotAllowed"), ("PUT", "/b/k?unknown", "NotImplemented"),
            ("PUT", "/b/k?unknown=1", "NotImplemented"), ("GET", "/b/k?unknown", "NotImplemented"),
            ("PUT", "/b/k?ACL", "NotImplemented"), ("DELETE", "/b/k?%61cl", "NotImplemented"),
            ("GET", "/b?acl&policy", "InvalidArgument"), ("PUT", "/b/k?partNumber=1", "InvalidArgument"),
            ("PUT", "/b/k?uploadId=u", "MethodNotAllowed"), ("PUT", "/b/k?versionId=null", "InvalidArgument"),
            ("GET", "/b/k?versionId=a&versionId=b", "InvalidArgument"), ("GET", "/b?list-type=3", "InvalidArgument"),
            ("DELETE", "/b?versionId=null", "InvalidArgument"), ("DELETE", "/b?prefix=a", "InvalidArgument"),
            ("PUT", "/b?partNumber=1", "InvalidArgument"), ("PUT", "/b?list-type=2", "InvalidArgument"),
            ("PUT", "/b/k?max-keys=1", "InvalidArgument"), ("DELETE", "/b/k?list-type=2", "InvalidArgument"),
            ("PUT", "/b/k?response-content-type=a", "InvalidArgument"), ("DELETE", "/b/k?id=1", "InvalidArgument"),
            ("DELETE", "/b/k?partNumber=1", "InvalidArgument"), ("HEAD", "/b/k?uploadId=u", "MethodNotAllowed"),
        ]
    )
    func refused(_ method: String, _ path: String, _ code: String) {
        #expect { try Self.route(method, path) } throws: { ($0 as? S3Error)?.code.name == code }
    }

    @Test(
        "What is refused for its method names those that there are",
        arguments: [
            ("POST", "/", "GET"), ("PATCH", "/b", "GET, HEAD, PUT, DELETE"), ("PUT", "/b?uploads", "GET"),
            ("PATCH", "/b/k", "GET, HEAD, PUT, DELETE"), ("GET", "/b/k?uploads", "POST"),
            ("HEAD", "/b/k?acl", "GET, PUT"),
            ("HEAD", "/b/k?uploadId=u", "GET, POST, DELETE"), ("PUT", "/b/k?uploadId=u", "GET, POST, DELETE"),
            ("HEAD", "/b/k?partNumber=1&uploadId=u", "GET, PUT, POST, DELETE"), ("GET", "/b?uploadId=u", ""),
        ]
    )
    func allowed(_ method: String, _ path: String, _ allowed: String) {
        #expect {
            try Self.route(method, path)
        } throws: { ($0 as? S3Error)?.allowed.joined(separator: ", ") == allowed }
    }

    @Test("An upload itself takes no PUT, not of a copy either: only its parts do")
    func uploadsAreNotPut() {
        for copy in [false, true] {
            #expect {
                try Self.route("PUT", "/b/k?uploadId=u", copy: copy)
            } throws: { error in
                guard let error = error as? S3Error else { return false }
                return error.code == .methodNotAllowed && error.details.map(\.value) == ["PUT", "UPLOAD"]
            }
        }
    }

    @Test("No verb on any sub-resource becomes a plain operation")
    func nothingFallsThrough() {
        let plain: Set<S3Operation> = [
            .createBucket, .deleteBucket, .headBucket, .listObjects, .listObjectsV2, .putObject, .copyObject,
            .getObject,
            .headObject, .deleteObject,
        ]
        for sub in SubResource.allCases {
            for suffix in ["", "=", "=1"] {
                for method in ["GET", "HEAD", "PUT", "POST", "DELETE"] {
                    for path in ["/b", "/b/k"] {
                        if let found = try? Self.route(method, "\(path)?\(sub.rawValue)\(suffix)") {
                            #expect(!plain.contains(found), "\(method) \(path)?\(sub.rawValue)\(suffix)")
                        }
                    }
                }
            }
        }
    }

    @Test("A browser is told that no bucket has cross-origin rules, without credentials")
    func preflight() throws {
        func answer(_ path: String, _ headers: [(String, String)]) throws -> S3Error {
            Preflight.answer(to: try SignatureTests.request(.options, path, headers, host: "localhost"))
        }
        let origin = ("Origin", "https://example.org")
        #expect(try answer("/b/k", []).code == .badRequest)
        #expect(try answer("/b/k", [origin]).code == .badRequest)
        let refused = try answer("/b/k", [origin, ("Access-Control-Request-Method", "PUT")])
        #expect(refused.code == .accessForbidden)
        #expect(refused.details.map(\.value) == ["PUT", "OBJECT"])
        let bucket = try answer("/b", [origin, ("Access-Control-Request-Method", "GET")])
        #expect(bucket.details.map(\.value) == ["GET", "BUCKET"])
    }

    @Test("Paths and hosts name buckets and keys, decoded once")
    func targets() throws {
        func target(_ path: String, _ host: String = "localhost") throws -> [String] {
            let target = try RequestTarget(rawPath: path[...], host: host, domains: ["s3.example.org"])
            return [target.bucket, target.key]
        }
        #expect(try target("/") == ["", ""])
        #expect(try target("/b//k") == ["b", "/k"])
        #expect(try target("/b/%252F") == ["b", "%2F"])
        #expect(try target("/b/a%2Fb") == ["b", "a/b"])
        #expect(try target("/b/a+b%20c") == ["b", "a+b c"])
        #expect(try target("/k/l", "b.s3.example.org:9000") == ["b", "k/l"])
        #expect(try target("/", "a.b.S3.Example.org") == ["a.b", ""])
        #expect(try target("/b/k", "s3.example.org") == ["b", "k"])
        #expect(try target("/b/k", "xs3.example.org") == ["b", "k"])
        #expect(try target("/b/k", "[::1]:9000") == ["b", "k"])
        for bad in ["", "b", "/b/%", "/b/%g0", "/b/%00", "/b/%ff", "//k"] {
            #expect(throws: S3Error.self) { try target(bad) }
        }
    }
}
