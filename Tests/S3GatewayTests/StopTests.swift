import Logging
import S3Gateway
import Synchronization
import Testing

/// What is in progress when a server is told to stop.
@Suite("Gateway: stops")
struct StopTests {
    private static let cutOff = "requests were cut off at a stop: the time that they have to end is over"

    @Test("a stop says that it has cut off what did not end")
    func busy() async throws {
        let lines = Lines()
        let configuration = S3ServerConfiguration(port: 0, drainTimeout: .milliseconds(200))
        try await GatewayHarness.run(configuration, logger: lines.logger) { harness in
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
        #expect(lines.all.contains(Self.cutOff))
    }

    @Test("a stop waits for no client that only keeps its connection, and says nothing")
    func idle() async throws {
        let lines = Lines()
        try await GatewayHarness.run(logger: lines.logger) { harness in
            let client = try harness.client()
            client.send(harness.signer.request("HEAD", "/pictures"))
            #expect(try client.response(isHead: true).status == 200)
            await harness.server.shutdown()
            withExtendedLifetime(client) {}
        }
        #expect(!lines.all.contains(Self.cutOff))
    }
}

/// What was logged as a warning or worse.
private final class Lines: Sendable {
    private let kept = Mutex<[String]>([])

    var all: [String] { kept.withLock { $0 } }

    var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(lines: self) }
        logger.logLevel = .warning
        return logger
    }

    private struct Handler: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var metadataProvider: Logger.MetadataProvider?
        var logLevel = Logger.Level.warning

        func log(event: LogEvent) { lines.kept.withLock { $0.append(event.message.description) } }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
    }
}
