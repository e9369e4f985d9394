import ClusterTransport
import Foundation
import Logging
import ServiceLifecycle
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

/// Renews a certificate long before it runs out.
struct Renewal: Service {
    /// How often it is renewed: certificates live for 90 days.
    private static let interval = Duration.seconds(24 * 3_600)

    let renew: @Sendable () async throws -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.interval)) != nil { try? await renew() }
        }
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
