import InMemoryLogging
import Logging
import S3Gateway
import Testing

/// What is in progress when a server is told to stop.
@Suite("Gateway: stops")
struct StopTests {
    private static let cutOff = "requests were cut off at a stop: the time that they have to end is over"

    @Test("a stop says that it has cut off what did not end")
    func busy() async throws {
        let log = InMemoryLogHandler()
        let configuration = S3ServerConfiguration(port: 0, drainTimeout: .milliseconds(200))
        try await GatewayHarness.run(configuration, logger: Logger(label: "test") { _ in log }) { harness in
            let body = Array("an image".utf8)
            let client = try harness.client()
            let upload = harness.signer.request(
                "PUT",
                "/pictures/k",
                body: body,
                unsigned: [("expect", "100-continue")]
            )
            client.send(Array(upload.dropLast(body.count)))
            #expect(try client.response().status == 100)
            await harness.server.shutdown()
            withExtendedLifetime(client) {}
        }
        #expect(log.entries.contains { $0.message.description == Self.cutOff })
    }

    @Test("a stop waits for no client that only keeps its connection, and says nothing")
    func idle() async throws {
        let log = InMemoryLogHandler()
        try await GatewayHarness.run(logger: Logger(label: "test") { _ in log }) { harness in
            let client = try harness.client()
            client.send(harness.signer.request("HEAD", "/pictures"))
            #expect(try client.response(isHead: true).status == 200)
            await harness.server.shutdown()
            withExtendedLifetime(client) {}
        }
        #expect(!log.entries.contains { $0.message.description == Self.cutOff })
    }
}
