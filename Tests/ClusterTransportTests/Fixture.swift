import ClusterTransport
import LinuxSystem
import Logging
import NIOPosix
import Synchronization
import SystemInterface
import Testing

/// A cluster's authority and members, for tests over loopback.
struct Fixture: Sendable {
    let authority: ClusterAuthority
    let time = LinuxTime()

    init(cluster: String = "cluster-1") throws {
        authority = try ClusterAuthority.make(cluster: cluster, now: LinuxTime().wall)
    }

    func identity(
        _ name: String,
        _ role: ClusterRole = .node,
        generation: UInt32 = 0,
        age: Int64 = 0
    ) throws -> ClusterIdentity {
        let key = ClusterAuthority.makeKey()
        let issued = WallTime(milliseconds: time.wall.milliseconds - age)
        return try ClusterIdentity(
            certificatePEM: authority.issue(
                name: name,
                role: role,
                generation: generation,
                publicKeyPEM: key.publicPEM,
                now: issued
            ),
            keyPEM: key.privatePEM,
            authorityPEM: authority.certificatePEM
        )
    }

    func client(
        _ name: String = "node-1",
        age: Int64 = 0,
        time: any TimeSource = LinuxTime(),
        logger: Logger = Fixture.logger
    ) throws -> ClusterClient {
        try ClusterClient(identity: identity(name, age: age), time: time, logger: logger)
    }

    /// Runs a server while `body` runs; `stop` kills it.
    func withServer(
        _ name: String = "node-2",
        _ role: ClusterRole = .node,
        acceptsStrangers: Bool = false,
        age: Int64 = 0,
        service: any ClusterService = Echo(),
        logger: Logger = Fixture.logger,
        _ body: (_ port: Int, _ server: RunningServer) async throws -> Void
    ) async throws {
        let server = try ClusterServer(
            identity: identity(name, role, age: age),
            host: "127.0.0.1",
            port: 0,
            acceptsStrangers: acceptsStrangers,
            time: time,
            logger: logger,
            service: service
        )
        let (ports, announce) = AsyncStream.makeStream(of: Int.self)
        let task = Task { try await server.run { announce.yield($0) } }
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        let result: Result<Void, any Error>
        do { result = .success(try await body(port, RunningServer(server: server, task: task))) } catch {
            result = .failure(error)
        }
        task.cancel()
        _ = await task.result
        try result.get()
    }

    /// A server and a client that knows it as node-2.
    func withPair(
        service: any ClusterService = Echo(),
        _ body: (ClusterClient, RunningServer) async throws -> Void
    ) async throws {
        try await withServer(service: service) { port, server in
            let client = try client()
            client.setAddress("node-2", host: "127.0.0.1", port: port)
            defer { client.close() }
            try await body(client, server)
        }
    }

    static var logger: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }
}

struct RunningServer: Sendable {
    let server: ClusterServer
    let task: Task<Void, any Error>
}

/// Answers with what it was sent. `[255, n]` waits n × 10 ms and `[253]` a minute, or until it is cancelled; `[254]`
/// asks who is calling.
struct Echo: ClusterService {
    let started = Counter()
    let cancelled = Counter()

    func answer(
        _ message: TransportMessage,
        from peer: ClusterPeer?,
        at address: String
    ) async -> TransportMessage {
        let wait: Duration? =
            switch message.header.first {
            case 255: .milliseconds(Int(message.header[1]) * 10)
            case 253: .seconds(60)
            default: nil
            }
        if let wait {
            started.add()
            do { try await Task.sleep(for: wait) } catch { cancelled.add() }
        }
        if message.header.first == 254 {
            return TransportMessage(header: Array("\(peer?.name ?? "stranger")/\(peer?.role.rawValue ?? "")".utf8))
        }
        return message
    }
}

final class Counter: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add() { count.add(1, ordering: .relaxed) }

    /// Returns once it has been counted so far.
    func reaches(_ value: Int) async throws {
        while self.value < value { try await Task.sleep(for: .milliseconds(2)) }
    }
}

func bytes(_ count: Int, seed: UInt64) -> BufferSlice {
    let buffer = AlignedBuffer(capacity: max(count, 1))
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    let words = buffer.mutableBytes.bindMemory(to: UInt64.self)
    for index in 0..<(count + 7) / 8 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        words[index] = state
    }
    return buffer.slice(0..<count)
}

func areSame(_ left: TransportMessage, _ right: TransportMessage) -> Bool {
    left.header == right.header && left.buffers.count == right.buffers.count
        && zip(left.buffers, right.buffers).allSatisfy { $0.bytes.elementsEqual($1.bytes) }
}

/// The error of a call that must bring none.
func failure(
    _ client: ClusterClient,
    _ node: String = "node-2",
    header: [UInt8] = [1],
    timeout: Duration = .seconds(60)
) async -> TransportError? {
    do throws(TransportError) {
        _ = try await client.call(node, TransportMessage(header: header), timeout: timeout)
        return nil
    } catch { return error }
}
