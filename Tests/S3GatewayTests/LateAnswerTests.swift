import ObjectInterface
import S3Gateway
import Testing

/// Copies that take longer than a client waits for a first byte.
@Suite("Gateway: late answers")
struct LateAnswerTests {
    private static let impatient = S3ServerConfiguration(port: 0, patience: .milliseconds(50))

    private static func copy(_ harness: GatewayHarness, _ client: SocketClient) throws -> SocketClient.Response {
        client.send(
            harness.signer.request("PUT", "/pictures/copy", headers: [("x-amz-copy-source", "/pictures/k")])
        )
        return try client.response()
    }

    @Test("a copy that takes long begins its answer and sends white space, and the connection lives on")
    func spaces() async throws {
        try await GatewayHarness.run(Self.impatient) { harness in
            #expect(try harness.send("PUT", "/pictures/k", body: Array("an image".utf8)).status == 200)
            harness.objects.slowCopies(.milliseconds(500))
            let client = try harness.client()
            let response = try Self.copy(harness, client)
            #expect(response.status == 200)
            #expect(response.header("content-type") == "application/xml")
            #expect(response.header("x-amz-request-id") != nil)
            let pieces = response.chunks.map { String(decoding: $0, as: UTF8.self) }
            #expect(pieces.first == "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
            #expect(pieces.dropFirst().dropLast().contains(" "))
            #expect(pieces.dropFirst().dropLast().allSatisfy { $0 == " " })
            #expect(pieces.last?.hasPrefix("<CopyObjectResult") == true)
            client.send(harness.signer.request("GET", "/pictures/copy"))
            #expect(try client.response().body == Array("an image".utf8))
        }
    }

    @Test("one that fails late says so in the document")
    func failure() async throws {
        try await GatewayHarness.run(Self.impatient) { harness in
            #expect(try harness.send("PUT", "/pictures/k", body: Array("an image".utf8)).status == 200)
            harness.objects.slowCopies(.milliseconds(300))
            let client = try harness.client()
            client.send(
                harness.signer.request(
                    "PUT",
                    "/pictures/copy",
                    headers: [
                        ("x-amz-copy-source", "/pictures/k"),
                        ("x-amz-copy-source-if-match", "\"00000000000000000000000000000000\""),
                    ]
                )
            )
            let response = try client.response()
            #expect(response.status == 200)
            let text = String(decoding: response.body, as: UTF8.self)
            #expect(text.contains("<Error><Code>PreconditionFailed</Code>"))
            #expect(text.split(separator: "<?xml").count == 1)
            #expect(harness.objects.snapshot()["pictures/copy"] == nil)
        }
    }

    @Test("one that is done in time has its length, and its error's status")
    func quick() async throws {
        try await GatewayHarness.run { harness in
            #expect(try harness.send("PUT", "/pictures/k", body: Array("an image".utf8)).status == 200)
            let client = try harness.client()
            let response = try Self.copy(harness, client)
            #expect(response.status == 200)
            #expect(response.chunks.isEmpty)
            #expect(response.header("content-length") == String(response.body.count))
            client.send(
                harness.signer.request("PUT", "/pictures/copy", headers: [("x-amz-copy-source", "/pictures/none")])
            )
            #expect(try client.response().status == 404)
        }
    }

    @Test("a stop does not wait for one that takes too long")
    func stop() async throws {
        let configuration = S3ServerConfiguration(
            port: 0,
            patience: .milliseconds(50),
            drainTimeout: .milliseconds(200)
        )
        try await GatewayHarness.run(configuration) { harness in
            #expect(try harness.send("PUT", "/pictures/k", body: Array("an image".utf8)).status == 200)
            harness.objects.slowCopies(.seconds(600))
            let client = try harness.client()
            client.send(
                harness.signer.request("PUT", "/pictures/copy", headers: [("x-amz-copy-source", "/pictures/k")])
            )
            await harness.server.shutdown()
            #expect(throws: SocketClient.Failure.self) { try client.response() }
        }
    }
}
