import Checksums
import ClusterTransport
import Coordination
import ErasureCoding
import Foundation
import LinuxSystem
import Logging
import ObjectModel
import ServiceLifecycle
import StorageNode
import SystemInterface

/// The composition root of `cairn node`.
struct NodeProgram {
    let options: NodeCommand

    func run() async throws {
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        try ErasureCoder.selfTest()
        try ChecksumSelfTest.run()
        let logger = Logger(label: "cairn")
        let folder = DataFolder(path: options.data)
        let files = try await folder.open()
        let remembered = try NodeSettings.read(folder.path)
        var settings = try NodeSettings(options, remembered: remembered)
        try DiskFolders.checkDistinct(settings.paths)
        let disks = try await DiskFolders.look(settings.paths)
        let membership = NodeMembership(files: files)
        let identity = try await identity(membership, settings, isFirstStart: remembered == nil)
        try Self.nameSlots(disks, of: identity, in: &settings, logger)
        try await Self.write(settings, in: files)
        let node = try RunningNode(settings: settings, identity: identity, folder: folder, files: files, logger: logger)
        Announcement.say("joined: node \(settings.name) of site \(settings.site), cluster \(identity.cluster)")
        let server = node.server
        let client = node.client
        let services: [any Service] = [
            Listening(
                address: try ListenAddress(settings.listen, option: "--listen"),
                option: "--listen",
                base: ClusterPortService(server: server) { _ in }
            ),
            BackgroundWork { await node.feed.run() },
            BackgroundWork { try await node.keepLeases() },
            BackgroundWork { try await node.trimMemory() },
            S3EndpointService(node: node, settings: settings, logger: logger),
            Renewal(logger: logger) {
                try membership.identity()
            } renew: {
                let fresh = try await membership.renew(client)
                try client.replaceIdentity(fresh)
                try server.replaceIdentity(fresh)
            },
        ]
        try await ServiceRun.run(services, logger: logger)
        await node.agent.close()
        client.close()
        if let reason = node.feed.dismissal {
            try await membership.noteDismissed()
            throw ServeError("\(reason). If it is to be a member again, \(Self.remedy(settings.name))")
        }
        withExtendedLifetime(files) {}
    }

    private func identity(
        _ membership: NodeMembership,
        _ settings: NodeSettings,
        isFirstStart: Bool
    ) async throws -> ClusterIdentity {
        let reason: Reason
        do {
            try await membership.finishKeeping()
            guard let identity = try membership.identity() else {
                return try await joinFirst(membership, settings, isFirstStart: isFirstStart)
            }
            guard let found = try self.reason(toReplace: identity, membership, settings, isFirstStart: isFirstStart)
            else {
                if isFirstStart { try await settings.check(against: identity, in: DataFolder(path: options.data)) }
                return identity
            }
            reason = found
        } catch let damage as IdentityDamage {
            reason = Reason(trouble: damage.description, remedy: Self.remedy(settings.name))
        }
        return try await joinAnew(membership, settings, isFirstStart: isFirstStart, reason)
    }

    /// Why a node must join anew, and how.
    private struct Reason {
        var trouble: String
        var remedy: String
    }

    /// Nil where the identity is good for a start.
    private func reason(
        toReplace identity: ClusterIdentity,
        _ membership: NodeMembership,
        _ settings: NodeSettings,
        isFirstStart: Bool
    ) throws -> Reason? {
        // Without node.json the certificate is what says who it is.
        guard isFirstStart || identity.name == settings.name else {
            return Reason(
                trouble: "\(options.data)/node.pem is the certificate of node \(identity.name), and "
                    + "\(options.data)/node.json says \(settings.name)",
                remedy: "put back this node's node.pem and node.key, or " + Self.remedy(settings.name)
            )
        }
        let isExpired = identity.isExpired(now: LinuxTime().wall)
        let hasToken = options.join != nil && options.token != nil
        guard try isExpired || hasToken && membership.isDismissed(identity) else { return nil }
        return Reason(
            trouble: "the certificate of node \(identity.name) "
                + (isExpired ? "has expired on \(DateText.text(identity.notAfter))" : "counts no more"),
            remedy: Self.remedy(identity.name)
        )
    }

    private func joinAnew(
        _ membership: NodeMembership,
        _ settings: NodeSettings,
        isFirstStart: Bool,
        _ reason: Reason
    ) async throws -> ClusterIdentity {
        guard options.join != nil, let token = options.token else {
            throw ServeError("\(reason.trouble): \(reason.remedy)")
        }
        do {
            try await Self.checkBeforeJoining(settings, isFirstStart: isFirstStart)
            return try await membership.join(settings, token: token)
        } catch {
            // The old token that a configuration still names is refused, and that is said.
            throw ServeError("\(reason.trouble), and it could not join anew (\(error)): \(reason.remedy)")
        }
    }

    private func joinFirst(
        _ membership: NodeMembership,
        _ settings: NodeSettings,
        isFirstStart: Bool
    ) async throws -> ClusterIdentity {
        guard let token = options.token else {
            throw ServeError("this node has not joined yet: give --token, which `cairn admin node token` prints")
        }
        try await Self.checkBeforeJoining(settings, isFirstStart: isFirstStart)
        return try await membership.join(settings, token: token)
    }

    private static func nameSlots(
        _ disks: [GivenDisk],
        of identity: ClusterIdentity,
        in settings: inout NodeSettings,
        _ logger: Logger
    ) throws {
        guard let cluster = Identifier128(text: identity.cluster) else {
            throw ServeError("this node's certificate names no cluster: join anew with a `--replace` token")
        }
        for (slot, disk, remark) in settings.nameSlots(disks, of: ClusterID(cluster)) {
            // An empty one is usual: it is new.
            logger.log(
                level: disk.finding == .empty ? .notice : .warning,
                "a disk is not one that this node has served",
                metadata: ["slot": "\(slot)", "path": "\(disk.path)", "reason": "\(remark)"]
            )
        }
    }

    private static func remedy(_ name: String) -> String {
        "start it once with --join ADDRESS:PORT and --token of `cairn admin node token --replace \(name)`"
    }

    /// A join uses up the token and gives the name away: what would end the start right after it is found before. Of a
    /// node that has served, a disk may have died meanwhile.
    private static func checkBeforeJoining(_ settings: NodeSettings, isFirstStart: Bool) async throws {
        if isFirstStart { try DiskFolders.checkUsable(settings.paths) }
        let listen = try ListenAddress(settings.listen, option: "--listen")
        let s3 = try ListenAddress(settings.s3, option: "--s3")
        do {
            // Both at once: they may be in each other's way.
            try await listen.serving(option: "--listen") {
                try await ListenProbe.holding(host: listen.host, port: listen.port) {
                    try await s3.serving(option: "--s3") {
                        try await ListenProbe.holding(host: s3.host, port: s3.port) {}
                    }
                }
            }
        } catch let error as ServeError {
            throw ServeError("\(error); the node has not joined, and its token was not used")
        }
    }

    static func write(_ settings: NodeSettings, in files: LinuxFileSystem) async throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(settings), as: UTF8.self)
        try await DataFolder.writeSecret(text, name: "node.json", in: files)
    }
}
