import Glibc
import ObjectInterface
import ObjectModel
import S3Gateway
import S3Protocol
import TestKit
import Testing

@Suite("Gateway: connections, framing, probes")
struct ConnectionTests {
    static let image = Array("an image".utf8)

    @Test("100 Continue comes as soon as the request is authorized, and never when it is refused")
    func expectContinue() async throws {
        try await GatewayHarness.run { harness in
            let request = harness.signer.request(
                "PUT",
                "/pictures/k",
                headers: [],
                body: Self.image,
                unsigned: [("expect", "100-continue")]
            )
            let head = Array(request.dropLast(Self.image.count))
            let client = try harness.client()
            client.send(head)
            #expect(try client.response().status == 100)
            client.send(Self.image)
            #expect(try client.response().status == 200)
            client.send(harness.signer.request("GET", "/pictures/k"))
            #expect(try client.response().body == Self.image)

            let refused = try harness.client()
            let other = harness.signer.request(
                "PUT",
                "/secrets/k",
                body: Self.image,
                unsigned: [("expect", "100-continue")]
            )
            refused.send(Array(other.dropLast(Self.image.count)))
            let answer = try refused.response()
            #expect(answer.status == 403 && answer.header("connection") == "close")
            #expect(refused.isClosedByPeer())
        }
    }

    @Test(
        "100 Continue does not come for an upload that its head alone refuses",
        arguments: [
            ("content-md5", "nonsense", "InvalidDigest"), ("x-amz-tagging", "a=1&a=2", "InvalidArgument"),
            ("x-amz-checksum-crc32", "nonsense", "InvalidRequest"), ("if-modified-since", "today", "NotImplemented"),
        ]
    )
    func doomed(_ name: String, _ value: String, _ code: String) async throws {
        try await GatewayHarness.run { harness in
            _ = try harness.send("PUT", "/pictures/k", body: Self.image)
            let request = harness.signer.request(
                "PUT",
                "/pictures/k",
                headers: [(name, value)],
                body: Self.image,
                unsigned: [("expect", "100-continue")]
            )
            let client = try harness.client()
            client.send(Array(request.dropLast(Self.image.count)))
            let answer = try client.response()
            #expect(answer.code == code && answer.header("connection") == "close", "\(answer.head)")
            #expect(client.isClosedByPeer())
        }
    }

    @Test("a refused upload whose body is short leaves the connection as it is; a long one ends it")
    func leftovers() async throws {
        try await GatewayHarness.run { harness in
            let client = try harness.client()
            for headers in [[("if-none-match", "*")], [("content-md5", "nonsense")]] {
                _ = try harness.send("PUT", "/pictures/k", body: Self.image)
                client.send(harness.signer.request("PUT", "/pictures/k", headers: headers, body: Self.image))
                let refused = try client.response()
                #expect(refused.status >= 400 && refused.header("connection") == nil, "\(refused.head)")
                client.send(harness.signer.request("PUT", "/secrets/k", body: Self.image))
                #expect(try client.response().code == "AccessDenied")
                client.send(harness.signer.request("GET", "/pictures/k"))
                #expect(try client.response().body == Self.image)
            }
            let body = [UInt8](repeating: 1, count: 100_000)
            client.send(harness.signer.request("PUT", "/pictures/k", headers: [("content-md5", "-")], body: body))
            #expect(try client.response().header("connection") == "close")
            #expect(client.isClosedByPeer())
        }
    }

    @Test(
        "what the HTTP parser refuses is answered like everything that is refused",
        arguments: [
            (
                "GET / HTTP/1.1\r\nhost: a\r\nx-long: \(String(repeating: "a", count: 20_000))\r\n\r\n",
                "RequestHeaderSectionTooLarge"
            ),
            ("FOO / HTTP/1.1\r\nhost: a\r\n\r\n", "MethodNotAllowed"),
            ("PUT /pictures/k HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", "BadRequest"),
            ("PUT /pictures/k HTTP/1.1\r\nhost: a\r\nx-amz-meta-a: \u{4}\r\n\r\n", "BadRequest"),
        ]
    )
    func parserRefusals(_ request: String, _ code: String) async throws {
        try await GatewayHarness.run { harness in
            let client = try harness.client()
            // In its turn: the request before it is answered first.
            client.send(harness.signer.request("HEAD", "/pictures"))
            #expect(try client.response(isHead: true).status == 200)
            client.send(request)
            let answer = try client.response()
            #expect(answer.code == code && answer.status >= 400, "\(answer.head) \(answer.text)")
            for name in ["x-amz-request-id", "x-amz-id-2", "date", "server"] { #expect(answer.header(name) != nil) }
            #expect(answer.element("RequestId") == answer.header("x-amz-request-id"))
            let allowed = code == "MethodNotAllowed" ? "GET, HEAD, PUT, POST, DELETE" : nil
            #expect(answer.header("allow") == allowed)
            #expect(client.isClosedByPeer())
        }
    }

    @Test("a method that is not there is answered with those that are")
    func allow() async throws {
        try await GatewayHarness.run { harness in
            for (method, path, allowed) in [
                ("POST", "/pictures/k", "GET, HEAD, PUT, DELETE"), ("HEAD", "/pictures/k?tagging", "GET, PUT, DELETE"),
                ("DELETE", "/", "GET"), ("GET", "/pictures?delete", "POST"),
            ] {
                let refused = try harness.send(method, path)
                #expect(refused.status == 405 && refused.header("allow") == allowed, "\(method) \(path)")
            }
            #expect(try harness.send("POST", "/-/ready").header("allow") == "GET, HEAD")
            #expect(try harness.send("GET", "/pictures/none").header("allow") == nil)
        }
    }

    @Test("a form is told that there are none, and another region where the bucket is")
    func formsAndRegions() async throws {
        try await GatewayHarness.run { harness in
            let client = try harness.client()
            client.send(
                "POST /pictures HTTP/1.1\r\nhost: a\r\ncontent-type: multipart/form-data; boundary=x\r\n"
                    + "content-length: 0\r\n\r\n"
            )
            #expect(try client.response().code == "NotImplemented")
            var signer = harness.signer
            signer.region = "eu-central-1"
            for method in ["HEAD", "GET"] {
                let abroad = try harness.client()
                abroad.send(signer.request(method, "/pictures"))
                let response = try abroad.response(isHead: method == "HEAD")
                #expect(response.status == 400 && response.header("x-amz-bucket-region") == "us-east-1")
            }
            #expect(try harness.send("GET", "/pictures").header("x-amz-bucket-region") == "us-east-1")
        }
    }

    @Test("A client that sends a large body before it reads sees the early error")
    func earlyError() async throws {
        try await GatewayHarness.run { harness in
            let body = [UInt8](repeating: 7, count: 6 << 20)
            let response = try harness.send("PUT", "/secrets/k", body: body)
            #expect(response.status == 403 && response.code == "AccessDenied")
            #expect(try harness.send("PUT", "/nowhere/k", body: body).code == "NoSuchBucket")
            #expect(harness.objects.snapshot().isEmpty)
        }
    }

    @Test(
        "Bodies that end early store nothing",
        arguments: [SigningClient.Payload.signed, .unsigned, .chunked, .unsignedTrailer]
    )
    func truncated(_ payload: SigningClient.Payload) async throws {
        try await GatewayHarness.run { harness in
            let body = SplitMix64(seed: 5).copyBytes(100_000)
            let request = harness.signer.request("PUT", "/pictures/k", body: body, payload: payload)
            for cut in [1, 50_000, 99_000] {
                let client = try harness.client()
                client.send(Array(request.dropLast(cut)))
                client.finishSending()
                if let response = try? client.response() { #expect(response.status >= 400) }
            }
            #expect(harness.objects.snapshot().isEmpty)
            #expect(try harness.send("GET", "/pictures/k").code == "NoSuchKey")
        }
    }

    @Test("Body and signed hash must agree; chunked bodies must be as long as declared")
    func lengths() async throws {
        try await GatewayHarness.run { harness in
            var request = harness.signer.request("PUT", "/pictures/k", body: Self.image)
            request[request.count - 1] ^= 1
            let client = try harness.client()
            client.send(request)
            let refusal = try client.response()
            #expect(refusal.code == "XAmzContentSHA256Mismatch")
            let claimed = try #require(refusal.element("ClientComputedContentSHA256"))
            #expect(String(decoding: request, as: UTF8.self).contains("x-amz-content-sha256: \(claimed)"))
            let computed = try #require(refusal.element("S3ComputedContentSHA256"))
            #expect(computed.utf8.count == 64 && computed != claimed)
            let signed = harness.signer.request("PUT", "/pictures/k", body: Self.image, payload: .unsignedTrailer)
            let text = String(decoding: signed, as: UTF8.self).replacing("\r\n8\r\n", with: "\r\n7\r\n")
            let short = try harness.client()
            short.send(text)
            #expect(try short.response().status == 400)
            #expect(harness.objects.snapshot().isEmpty)
        }
    }

    @Test(
        "Requests that two servers could read differently are refused",
        arguments: [
            "content-length: 5\r\ntransfer-encoding: chunked\r\n", "content-length: 5\r\ncontent-length: 6\r\n",
            "transfer-encoding: gzip, chunked\r\n", "content-length: -1\r\n", "content-length: 1x\r\n",
            "host: other\r\n",
            " folded: x\r\n", "na me: x\r\n", "transfer-encoding: xchunked\r\n",
        ]
    )
    func smuggling(_ extra: String) async throws {
        try await GatewayHarness.run { harness in
            let client = try harness.client()
            client.send(
                "PUT /pictures/k HTTP/1.1\r\nhost: 127.0.0.1\r\n\(extra)\r\n0\r\n\r\n"
                    + "GET /-/ready HTTP/1.1\r\nhost: a\r\n\r\n"
            )
            #expect(try client.response().status >= 400)
            #expect(client.isClosedByPeer())
        }
    }

    @Test("Heads beyond the limits are refused and the process lives")
    func absurdHeads() async throws {
        try await GatewayHarness.run { harness in
            let long = String(repeating: "a", count: 20_000)
            let many = (0..<400).map { "x-h\($0): 1\r\n" }.joined()
            for head in [
                "GET /pictures HTTP/1.1\r\nhost: a\r\nx-long: \(long)\r\n\r\n",
                "GET /\(long) HTTP/1.1\r\nhost: a\r\n\r\n",
                "GET / HTTP/1.1\r\nhost: a\r\n\(many)\r\n", "\u{0}\u{1}\u{2}\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                "GET http://evil/ HTTP/1.1\r\nhost: a\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
                "GET / HTTP/1.1\r\n\r\n",
            ] {
                let client = try harness.client()
                client.send(head)
                let response = try? client.response()
                #expect(response.map { $0.status >= 400 } ?? true, "\(head.prefix(40))")
            }
            #expect(try harness.send("GET", "/pictures").status == 200)
        }
    }

    @Test("Skewed clocks and other regions get AWS's errors")
    func signatures() async throws {
        try await GatewayHarness.run { harness in
            var signer = harness.signer
            signer.now -= 16 * 60_000
            let late = try harness.client()
            late.send(signer.request("GET", "/pictures"))
            #expect(try late.response().code == "RequestTimeTooSkewed")
            signer = harness.signer
            signer.region = "eu-central-1"
            let abroad = try harness.client()
            abroad.send(signer.request("GET", "/pictures"))
            let response = try abroad.response()
            #expect(response.code == "AuthorizationHeaderMalformed" && response.element("Region") == "us-east-1")
            signer = harness.signer
            signer.credential.accessKey = "AKNOBODY"
            let nobody = try harness.client()
            nobody.send(signer.request("GET", "/pictures"))
            #expect(try nobody.response().code == "InvalidAccessKeyId")
        }
    }

    @Test("Virtual-host style names the same objects")
    func virtualHost() async throws {
        try await GatewayHarness.run(S3ServerConfiguration(port: 0, domains: ["s3.example.org"])) { harness in
            var signer = harness.signer
            signer.host = "pictures.s3.example.org:\(harness.port)"
            let client = try harness.client()
            client.send(signer.request("PUT", "/study/a", body: Self.image))
            #expect(try client.response().status == 200)
            signer.host = "s3.example.org"
            client.send(signer.request("GET", "/pictures/study/a"))
            #expect(try client.response().body == Self.image)
            #expect(harness.objects.snapshot().keys.sorted() == ["pictures/study/a"])
        }
    }

    @Test("Probes need no credentials and tell the truth")
    func probes() async throws {
        let probes = S3Probes(ready: { "the metadata is catching up" }, metrics: { "cairn_up 1\n" })
        try await GatewayHarness.run(probes: probes) { harness in
            let client = try harness.client()
            client.send("GET /-/ready HTTP/1.1\r\nhost: a\r\n\r\n")
            let ready = try client.response()
            #expect(ready.status == 503 && ready.text == "the metadata is catching up\n")
            client.send("GET /-/metrics HTTP/1.1\r\nhost: a\r\n\r\n")
            #expect(try client.response().text == "cairn_up 1\n")
            client.send("GET /-/other HTTP/1.1\r\nhost: a\r\n\r\n")
            #expect(try client.response().status == 404)
        }
    }

    @Test("HEAD errors have a status and no body")
    func headErrors() async throws {
        try await GatewayHarness.run { harness in
            let client = try harness.client()
            client.send(harness.signer.request("HEAD", "/pictures/none"))
            let missing = try client.response(isHead: true)
            #expect(missing.status == 404 && missing.header("content-length") == "0")
            client.send(harness.signer.request("HEAD", "/pictures"))
            let bucket = try client.response(isHead: true)
            #expect(bucket.status == 200 && bucket.header("x-amz-bucket-region") == "us-east-1")
        }
    }

    @Test("a client that is silent in the middle of a body is told that its time is over; one that is slow is not")
    func stalledBody() async throws {
        let configuration = S3ServerConfiguration(port: 0, bodyTimeout: .seconds(4))
        try await GatewayHarness.run(configuration) { harness in
            let request = harness.signer.request("PUT", "/pictures/k", body: Self.image)
            let slow = try harness.client()
            slow.send(Array(request.dropLast(Self.image.count)))
            for byte in Self.image {
                usleep(300_000)
                slow.send([byte])
            }
            #expect(try slow.response().status == 200)
            // Between two requests it may be silent for longer.
            usleep(5_500_000)
            slow.send(harness.signer.request("GET", "/pictures/k"))
            #expect(try slow.response().body == Self.image)

            let silent = try harness.client()
            silent.send(Array(harness.signer.request("PUT", "/pictures/new", body: Self.image).dropLast(1)))
            let answer = try silent.response()
            #expect(answer.status == 400 && answer.code == "RequestTimeout", "\(answer.head) \(answer.text)")
            #expect(answer.header("connection") == "close" && silent.isClosedByPeer())
            #expect(try harness.send("GET", "/pictures/new").status == 404)
        }
    }

    @Test("Idle connections are closed")
    func idle() async throws {
        let configuration = S3ServerConfiguration(port: 0, idleTimeout: .milliseconds(300))
        try await GatewayHarness.run(configuration) { harness in
            let silent = try harness.client()
            let dripping = try harness.client()
            dripping.send("GET / HT")
            #expect(silent.isClosedByPeer())
            #expect(dripping.isClosedByPeer())
        }
    }
}

extension SplitMix64 {
    fileprivate func copyBytes(_ count: Int) -> [UInt8] {
        var generator = self
        return generator.bytes(count)
    }
}
