import LinuxSystem
import Logging
import ObjectInterface
import ObjectModel
import S3Gateway
import SystemInterface
import TestKit
import Testing

/// A listening server over a store in memory, stopped when the test's body is done.
struct GatewayHarness: Sendable {
    let port: Int
    let objects: MemoryObjects
    let server: S3Server
    let time: LinuxTime

    var signer: SigningClient { SigningClient(now: time.wall.milliseconds) }

    /// Runs `body` against a fresh server whose bucket `pictures` belongs to alice and `secrets` to bob.
    static func run(
        _ configuration: S3ServerConfiguration = S3ServerConfiguration(port: 0),
        probes: S3Probes = S3Probes(),
        logger: Logger = quiet,
        _ body: @escaping @Sendable @concurrent (GatewayHarness) async throws -> Void
    ) async throws {
        let objects = MemoryObjects()
        try await objects.createBucket("pictures", owner: MemoryCredentials.alice.user, region: configuration.region)
        try await objects.createBucket("secrets", owner: MemoryCredentials.bob.user, region: configuration.region)
        let server = S3Server(
            configuration,
            objects: objects,
            credentials: MemoryCredentials(),
            time: LinuxTime(),
            random: LinuxRandom(),
            logger: logger,
            probes: probes
        )
        let (ports, told) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run { told.yield($0) } }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            let harness = GatewayHarness(port: port, objects: objects, server: server, time: LinuxTime())
            do {
                try await withTaskExecutorPreference(QueueExecutor()) { try await body(harness) }
            } catch {
                await server.shutdown()
                throw error
            }
            await server.shutdown()
            try await group.waitForAll()
        }
    }

    /// Says nothing of the refusals that tests ask for.
    static var quiet: Logger {
        var logger = Logger(label: "gateway-tests")
        logger.logLevel = .critical
        return logger
    }

    func client() throws -> SocketClient { try SocketClient(port: port) }

    /// One signed request on a connection of its own.
    func send(
        _ method: String,
        _ path: String,
        headers: [(String, String)] = [],
        body: [UInt8] = [],
        payload: SigningClient.Payload = .signed,
        as credential: Credential = MemoryCredentials.alice,
        unsigned: [(String, String)] = [],
        tamper: (String) -> String = { $0 }
    ) throws -> SocketClient.Response {
        var signer = signer
        signer.credential = credential
        let client = try client()
        client.send(
            signer.request(
                method,
                path,
                headers: headers,
                body: body,
                payload: payload,
                unsigned: unsigned,
                tamper: tamper
            )
        )
        return try client.response(isHead: method == "HEAD")
    }
}
