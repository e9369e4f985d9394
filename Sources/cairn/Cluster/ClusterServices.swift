import ClusterTransport
import Foundation
import LinuxSystem
import Logging
import ServiceLifecycle
import SystemInterface
import UnixSignals

/// A port of the cluster as a service: drains on a signal.
struct ClusterPortService: Service {
    let server: ClusterServer
    let onListening: @Sendable (Int) async -> Void

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await server.run(onListening: onListening)
        } onGracefulShutdown: {
            Task { await server.shutdown() }
        }
    }
}

/// `CertificateRenewal` as a service, which tells the log what fails.
struct Renewal: Service {
    let logger: Logger
    let current: @Sendable () throws -> ClusterIdentity?
    let renew: @Sendable () async throws -> Void

    func run() async throws {
        let renewal = CertificateRenewal(time: LinuxTime(), current: current, renew: renew) { [logger] error, expires in
            logger.warning(
                "the certificate could not be renewed: tried again in an hour",
                metadata: [
                    "error": "\(error)", "expires": "\(expires.map { DateText.text($0) } ?? "unknown")",
                ]
            )
        }
        await cancelWhenGracefulShutdown { await renewal.run() }
    }
}

/// Moments, for people.
enum DateText {
    static func text(_ time: WallTime) -> String {
        Date(timeIntervalSince1970: Double(time.milliseconds) / 1_000).formatted(.iso8601)
    }
}

/// Work that goes on until the program stops.
struct BackgroundWork: Service {
    let work: @Sendable () async throws -> Void

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await work() }
        } catch is CancellationError {
            // The program is stopping.
        }
    }
}

enum ServiceRun {
    /// Runs them until a signal, or until one of them ends. The process then has `StopLimit` to end.
    static func run(_ services: [any Service], logger: Logger) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: (services + [StopLimit(logger: logger)]).map {
                    ServiceGroupConfiguration.ServiceConfiguration(
                        service: $0,
                        successTerminationBehavior: .gracefullyShutdownGroup
                    )
                },
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
        )
        try await group.run()
    }
}

/// Ends a process that was told to stop, or one of whose services has ended, when it takes too long: a call to a disk
/// that hangs cannot be taken back, and whoever waits for it never ends. What it has acknowledged is durable.
private struct StopLimit: Service {
    /// Requests in progress have 30 s of it, and disks the rest to be closed. Shorter than the patience of systemd
    /// (`TimeoutStopSec` in `Cluster/systemd`), which ends a process without a word.
    private static let limit = Duration.seconds(75)

    let logger: Logger

    func run() async throws {
        // Ends also when it is cancelled, because a service has failed.
        try? await gracefulShutdown()
        // Goes on while the services end, and the disks are closed.
        Task.detached { [logger] in
            try? await LinuxTime().sleep(for: Self.limit)
            logger.error(
                "the stop takes too long, as when a disk hangs: the process ends as it is, and the next start recovers",
                metadata: ["seconds": "\(Self.limit.components.seconds)"]
            )
            _exit(EXIT_FAILURE)
        }
    }
}

/// The lines that people and scripts wait for, on standard output at once.
enum Announcement {
    static func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
}
