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
    /// Runs them until a signal, or until one of them ends.
    static func run(_ services: [any Service], logger: Logger) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map {
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

/// The lines that people and scripts wait for, on standard output at once.
enum Announcement {
    static func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
}
