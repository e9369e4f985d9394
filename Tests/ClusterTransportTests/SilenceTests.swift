import ClusterTransport
import LinuxSystem
import NIOCore
import NIOPosix
import Synchronization
import SystemInterface
import Testing

/// What a client does about a peer that says nothing: time runs five times as fast here.
@Suite(.timeLimit(.minutes(10))) struct SilenceTests {
    @Test func aPeerCutOffByTheNetworkIsGivenUpEarly() async throws {
        let (fixture, service) = (try Fixture(), Echo())
        try await fixture.withServer(service: service) { port, _ in
            let relay = try await Relay(to: port)
            let client = try fixture.client(time: FastTime())
            defer { client.close() }
            client.setAddress("node-2", host: "127.0.0.1", port: relay.port)
            let start = ContinuousClock.now
            let call = Task { await Self.failureOnceConnected(client, header: [253]) }
            try await service.started.reaches(1)
            relay.freeze()
            #expect(await call.value == .unknownOutcome(node: "node-2"))
            // Five seconds of its time.
            #expect(ContinuousClock.now - start >= .milliseconds(900))
            await relay.close()
        }
    }

    @Test func aSlowServiceIsNotADeadPeer() async throws {
        let fixture = try Fixture()
        try await fixture.withServer { port, _ in
            let client = try fixture.client(time: FastTime())
            defer { client.close() }
            client.setAddress("node-2", host: "127.0.0.1", port: port)
            // A second in which the server gets no time of a busy machine is five of the client's; not each time.
            for attempt in 1...10 {
                let error = await Self.failureOnceConnected(client, header: [255, 240])
                if error == nil { return }
                if attempt == 10 { Issue.record("\(error)") }
            }
        }
    }

    /// The error of a call that was sent: in the client's time two seconds are little for a busy machine to connect.
    private static func failureOnceConnected(_ client: ClusterClient, header: [UInt8]) async -> TransportError? {
        while true {
            let error = await failure(client, header: header, timeout: .seconds(600))
            guard error == .unreachable(node: "node-2") else { return error }
            do { try await Task.sleep(for: .milliseconds(50)) } catch { return .unreachable(node: "node-2") }
        }
    }

    @Test func nobodyAnsweringTheHandshakeIsUnreachableAtTheTimeout() async throws {
        // It listens, and the system takes the connection, but nobody speaks TLS.
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let client = try Fixture().client()
        defer { client.close() }
        client.setAddress("node-2", host: "127.0.0.1", port: listener.localAddress?.port ?? 0)
        #expect(await failure(client, timeout: .milliseconds(300)) == .unreachable(node: "node-2"))
        try await listener.close()
    }

    @Test("a peer that takes seconds not to answer costs those once, and not each caller")
    func theNextCallsFailAtOnce() async throws {
        let attempts = Mutex(0)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                attempts.withLock { $0 += 1 }
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let client = try Fixture().client()
        defer { client.close() }
        client.setAddress("node-2", host: "127.0.0.1", port: listener.localAddress?.port ?? 0)
        // Until the handshake has had its time.
        #expect(await failure(client, timeout: .seconds(60)) == .unreachable(node: "node-2"))
        let failed = ContinuousClock.now
        try await Task.sleep(for: .milliseconds(500))
        #expect(await failure(client, timeout: .milliseconds(300)) == .unreachable(node: "node-2"))
        // On a machine that stood still meanwhile it may try again.
        if ContinuousClock.now - failed < .milliseconds(1_500) { #expect(attempts.withLock { $0 } == 1) }
        try await listener.close()
    }
}

/// The machine's monotonic clock, five times as fast.
private struct FastTime: TimeSource {
    private static let factor = 5
    var monotonic: MonotonicTime {
        MonotonicTime(nanoseconds: LinuxTime().monotonic.nanoseconds * UInt64(Self.factor))
    }
    var wall: WallTime { LinuxTime().wall }
    func sleep(for duration: Duration) async throws { try await LinuxTime().sleep(for: duration / Self.factor) }
}

/// Passes bytes on to a port until it is frozen, like a network that breaks: nothing is closed, nothing arrives.
private final class Relay: Sendable {
    private let listener: any Channel

    init(to port: Int) async throws {
        let channels = Channels()
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { inbound in
                ClientBootstrap(group: inbound.eventLoop)
                    .channelOption(.autoRead, value: false)
                    .connect(host: "127.0.0.1", port: port)
                    .flatMapThrowing { outbound in
                        try inbound.pipeline.syncOperations.addHandler(Pipe(outbound))
                        try outbound.pipeline.syncOperations.addHandler(Pipe(inbound))
                        channels.list.withLock { $0 += [inbound, outbound] }
                        channels.setReading(true, inbound, outbound)
                    }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        all = channels
    }

    private let all: Channels
    var port: Int { listener.localAddress?.port ?? 0 }

    func freeze() {
        for channel in all.list.withLock({ $0 }) { all.setReading(false, channel) }
    }

    func close() async {
        for channel in all.list.withLock({ $0 }) { channel.close(promise: nil) }
        try? await listener.close()
    }
}

private final class Channels: Sendable {
    let list = Mutex<[any Channel]>([])

    func setReading(_ isReading: Bool, _ channels: any Channel...) {
        for channel in channels { channel.setOption(.autoRead, value: isReading).whenComplete { _ in } }
    }
}

private final class Pipe: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let target: any Channel
    init(_ target: any Channel) { self.target = target }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        target.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }
}
