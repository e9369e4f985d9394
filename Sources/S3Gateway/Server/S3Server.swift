import HummingbirdCore
import HummingbirdTLS
import Logging
internal import NIOCore
import NIOPosix
import ObjectInterface
import Synchronization
package import SystemInterface

/// Where and how the S3 port is served.
package struct S3ServerConfiguration: Sendable {
    /// PEM files.
    package struct TLSFiles: Hashable, Sendable {
        package var certificate: String
        package var key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    /// Connections that are open at once, at most, where nothing else is said.
    package static let connectionLimit = 4_096

    package var host: String
    /// 0 lets the system choose.
    package var port: Int
    package var region: String
    /// Names under which `BUCKET.NAME` is a bucket.
    package var domains: [String]
    package var tls: TLSFiles?
    /// One log line a request; off by default.
    package var logsAccess: Bool
    /// Open connections at most; more wait in the listen queue.
    package var maximumConnections: Int
    /// How long a connection may be silent while it is the client's turn.
    package var idleTimeout: Duration
    /// How long a client may be silent in the middle of a body before it is told that its time is over: once to twice
    /// this, which is less than SDKs wait for an answer (60 s).
    package var bodyTimeout: Duration
    /// How long a copy may take before its answer begins, and between the white space that follows: well below what
    /// SDKs wait for a byte (60 s).
    package var patience: Duration
    /// How long `shutdown` waits for requests in progress.
    package var drainTimeout: Duration

    package init(
        host: String = "127.0.0.1",
        port: Int = 9_000,
        region: String = "us-east-1",
        domains: [String] = [],
        tls: TLSFiles? = nil,
        logsAccess: Bool = false,
        maximumConnections: Int = S3ServerConfiguration.connectionLimit,
        idleTimeout: Duration = .seconds(75),
        bodyTimeout: Duration = .seconds(20),
        patience: Duration = .seconds(10),
        drainTimeout: Duration = .seconds(30)
    ) {
        self.host = host
        self.port = port
        self.region = region
        self.domains = domains
        self.tls = tls
        self.logsAccess = logsAccess
        self.maximumConnections = maximumConnections
        self.idleTimeout = idleTimeout
        self.bodyTimeout = bodyTimeout
        self.patience = patience
        self.drainTimeout = drainTimeout
    }
}

/// The S3 endpoint: HTTP/1.1 only, plain or over TLS 1.2 and 1.3, on top of an `ObjectService`.
package final class S3Server: Sendable {
    /// Limits of a request's head (AWS takes 8 KiB; presigned URLs and metadata of some clients come near it).
    private static let headerFieldLimit = 16 << 10
    private static let headerListLimit = 32 << 10
    private static let headerCountLimit = 512
    private static let listenQueue = 1_024

    private enum State {
        case idle
        case running(stop: @Sendable () async -> Void)
        case stopped
    }

    private let configuration: S3ServerConfiguration
    private let responder: Responder
    private let time: any TimeSource
    private let logger: Logger
    private let state = Mutex(State.idle)

    package init(
        _ configuration: S3ServerConfiguration,
        objects: any ObjectService,
        credentials: any CredentialDirectory,
        time: any TimeSource,
        random: any RandomSource,
        logger: Logger,
        probes: S3Probes = S3Probes()
    ) {
        self.configuration = configuration
        self.time = time
        self.logger = logger
        let environment = S3Environment(
            objects: objects,
            credentials: credentials,
            time: time,
            random: random,
            region: configuration.region,
            domains: configuration.domains.map { $0.lowercased() },
            isSecure: configuration.tls != nil
        )
        responder = Responder(
            reader: RequestReader(environment: environment),
            probes: probes,
            identity: ResponseIdentity(time: time, random: random),
            logger: logger,
            logsAccess: configuration.logsAccess,
            patience: configuration.patience
        )
    }

    /// Serves until `shutdown`, or until the task is cancelled, which cuts off what is in progress. `onListening` is
    /// told the port as soon as connections are taken. Throws when the port cannot be bound or the TLS files cannot
    /// be read.
    package func run(onListening: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
        let identity = responder.identity
        let bodyLimit = TimeAmount.nanoseconds(configuration.bodyTimeout.nanoseconds)
        let base = HTTP1Channel(
            responder: { [responder] request, writer, channel in
                try await responder.respond(request, writer, channel)
            },
            configuration: HTTP1Channel.Configuration(
                additionalChannelHandlers: [
                    ReceiveTuning(), ParserRefusal(identity: identity),
                    StalledRequest(limit: bodyLimit, identity: identity),
                ],
                idleTimeout: .nanoseconds(configuration.idleTimeout.nanoseconds),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: Self.headerFieldLimit,
                    maxHeaderListSize: Self.headerListLimit,
                    maxHeaderFieldCount: Self.headerCountLimit
                )
            )
        )
        if let tls = configuration.tls {
            try await serve(TLSChannel(base, tlsConfiguration: tls.configuration()), onListening)
        } else {
            try await serve(base, onListening)
        }
    }

    /// Takes no new connections, lets the requests in progress end, and returns when all have or `drainTimeout` is
    /// over. `run` returns then.
    package func shutdown() async {
        let stop = state.withLock { state -> (@Sendable () async -> Void)? in
            guard case .running(let stop) = state else {
                state = .stopped
                return nil
            }
            state = .stopped
            return stop
        }
        await stop?()
    }

    private func serve<Child: ServerChildChannel>(
        _ child: Child,
        _ onListening: @escaping @Sendable (Int) async -> Void
    ) async throws {
        let server = Server(
            childChannelSetup: EventLoopChannel(base: child),
            configuration: ServerConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                backlog: Self.listenQueue,
                availableConnectionsDelegate: MaximumAvailableConnections(
                    configuration.maximumConnections,
                    logger: logger
                )
            ),
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? 0) },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: logger
        )
        let (stopSignal, stopper) = AsyncStream.makeStream(of: Void.self)
        let mayRun = state.withLock { state in
            guard case .idle = state else { return false }
            state = .running {
                stopper.finish()
                try? await server.shutdownGracefully()
            }
            return true
        }
        guard mayRun else { return }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await server.run()
                return true
            }
            group.addTask { [time, configuration] in
                for await _ in stopSignal {}
                try await time.sleep(for: configuration.drainTimeout)
                return false
            }
            // The first to end decides: the server is done, or its time to drain is over.
            if try await group.next() == false {
                logger.warning(
                    "requests were cut off at a stop: the time that they have to end is over",
                    metadata: ["time": "\(configuration.drainTimeout)"]
                )
            }
            group.cancelAll()
        }
    }
}
