import ClusterProtocol
import Coordination
import Foundation
import LinuxSystem
import Logging
import ObjectInterface
import ObjectModel
import ObjectStorage
import S3Gateway
import ServiceLifecycle
import Synchronization

/// The users' keys as the coordinator last sent them.
final class PushedCredentials: CredentialDirectory {
    private struct State {
        var byAccessKey: [String: Credential] = [:]
        var names: [UserID: String] = [:]
    }

    private let state = Mutex(State())

    func replace(_ entries: [CredentialsUpdate.Entry]) {
        var fresh = State()
        for entry in entries {
            let credential = Credential(
                user: UserID(entry.user),
                displayName: entry.displayName,
                accessKey: entry.accessKey,
                secretKey: entry.secretKey
            )
            fresh.byAccessKey[entry.accessKey] = credential
            fresh.names[credential.user] = entry.displayName
        }
        let loaded = fresh
        state.withLock { $0 = loaded }
    }

    func credential(forAccessKey accessKey: String) async -> Credential? {
        state.withLock { $0.byAccessKey[accessKey] }
    }

    func displayName(of user: UserID) async -> String? { state.withLock { $0.names[user] } }
}

/// The S3 endpoint of a node: opens once the node knows the cluster's map and keys.
struct S3EndpointService: Service {
    private static let poll = Duration.milliseconds(100)

    let node: RunningNode
    let settings: NodeSettings
    let logger: Logger

    func run() async throws {
        guard let region = await region() else { return }
        // While the coordinator does not answer, neither could a client be served.
        while (try? await node.objects.leases.endEarlier()) == nil {
            guard (try? await Task.sleep(for: Self.poll)) != nil else { return }
        }
        let address = try ListenAddress(settings.s3, option: "--s3")
        let tls: S3ServerConfiguration.TLSFiles? =
            if let certificate = settings.tlsCertificate, let key = settings.tlsKey {
                S3ServerConfiguration.TLSFiles(certificate: certificate, key: key)
            } else { nil }
        let server = S3Server(
            S3ServerConfiguration(
                host: address.host,
                port: address.port,
                region: region,
                domains: settings.domains,
                tls: tls,
                maximumConnections: node.connections
            ),
            objects: node.objects,
            credentials: node.credentials,
            time: LinuxTime(),
            random: LinuxRandom(),
            logger: logger,
            probes: NodeProbes.probes(node, site: settings.site)
        )
        try await withGracefulShutdownHandler {
            try await address.serving(option: "--s3") {
                try await server.run { port in
                    let scheme = tls == nil ? "http" : "https"
                    Announcement.say("ready: S3 on \(scheme)://\(address.urlHost):\(port), node \(settings.name)")
                }
            }
        } onGracefulShutdown: {
            Task { await server.shutdown() }
        }
    }

    /// nil when the program stops before.
    private func region() async -> String? {
        await cancelWhenGracefulShutdown {
            while node.feed.region == nil {
                guard (try? await Task.sleep(for: Self.poll)) != nil else { return nil }
            }
            return node.feed.region
        }
    }
}
