import AdminGateway
import Coordination
import Foundation
import LinuxSystem
import Metadata
import ObjectInterface
import ObjectModel
import SystemInterface

/// The operator's commands on a running store.
struct StoreAdmin: AdminService {
    let store: Store
    let users: UserDirectory
    let masterKey: MasterKey
    let folder: DataFolder
    let files: LinuxFileSystem
    let random: LinuxRandom
    /// Further lines of the recovery kit.
    var kitExtra: [String] = []

    func replaceDisk(named name: String, isForced: Bool) async throws(AdminError) -> DiskReplacement {
        let disk = try await disk(named: name)
        do {
            let (old, new) = try await store.replaceDisk(
                inSlot: disk.record.slot,
                of: disk.record.node,
                isForced: isForced
            )
            store.noteReplaced(disk.record)
            let report = try? await StatusAssembly(store: store, folder: folder).report()
            return DiskReplacement(
                oldDisk: old.description,
                newDisk: new.description,
                path: disk.path,
                shardsToRebuild: report?.missingShards ?? 0,
                bytesToRebuild: report?.repair.bytesLeft ?? 0
            )
        } catch {
            throw AdminError(error)
        }
    }

    func retireDisk(named name: String, isForced: Bool) async throws(AdminError) -> DiskRetirementReport {
        let disk = try await disk(named: name)
        do {
            let done = try await store.retireDisk(
                inSlot: disk.record.slot,
                of: disk.record.node,
                isForced: isForced
            )
            return DiskRetirementReport(
                disk: done.disk.description,
                groupsMoved: done.groupsMoved,
                groupsLeft: done.groupsLeft,
                shardsToRebuild: (try? await store.metadata.missingShardCount()) ?? 0
            )
        } catch {
            throw AdminError(error)
        }
    }

    /// By any of `DiskNames`.
    func disk(named name: String) async throws(AdminError) -> StoreDiskStatus {
        let disks: [StoreDiskStatus]
        do { disks = try await store.status().disks } catch { throw adminError(error) }
        let names = disks.map { disk in
            DiskNames(
                site: disk.record.site.name,
                node: disk.record.node.name,
                slot: disk.record.slot,
                path: disk.path,
                id: disk.record.id.description
            )
        }
        return disks[try DiskNames.find(name, among: names)]
    }

    // MARK: Users

    func addUser(_ user: NewUser) async throws(AdminError) -> UserKeys {
        let accessKey = user.accessKey ?? KeyText.accessKey(random)
        let secretKey = user.secretKey ?? KeyText.secretKey(random)
        guard !user.name.isEmpty, !accessKey.isEmpty, secretKey.count >= 8 else {
            throw AdminError(
                .badRequest,
                "a user needs a name, an access key and a secret key of at least 8 characters"
            )
        }
        try user.check(rootID: UserDirectory.rootID.text)
        // Among them is root's, of which the metadata knows nothing.
        guard !users.isTaken(accessKey: accessKey) else {
            throw AdminError(.conflict, "the access key \(accessKey) is taken", advice: "give another --access-key")
        }
        let id = user.id ?? Hexadecimal.text(random.bytes(32))
        do {
            try await store.metadata.addUser(
                UserRecord(
                    id: UserID(id),
                    name: user.name,
                    displayName: user.displayName ?? user.name,
                    email: user.email ?? "",
                    accessKey: accessKey,
                    sealedSecret: try users.seal(secretKey, user: user.name)
                )
            )
            try await users.reload()
        } catch {
            throw adminError(error)
        }
        return UserKeys(name: user.name, id: id, accessKey: accessKey, secretKey: secretKey)
    }

    func users() async throws(AdminError) -> [UserReport] {
        do {
            let buckets = try await store.metadata.buckets(owner: nil)
            return try await store.metadata.users().map { user in
                UserReport(
                    name: user.name,
                    id: user.id.text,
                    accessKey: user.accessKey,
                    displayName: user.displayName,
                    email: user.email,
                    buckets: buckets.count { $0.owner == user.id }
                )
            }
        } catch {
            throw adminError(error)
        }
    }

    func removeUser(named name: String) async throws(AdminError) {
        do {
            try await store.metadata.removeUser(name: name)
            try await users.reload()
        } catch {
            throw adminError(error)
        }
    }

    func adminError(_ error: any Error) -> AdminError {
        guard let error = error as? StorageError else { return AdminError(.failed, "\(error)") }
        return switch error.code {
        case .noSuchUser: AdminError(.notFound, error.message)
        case .userExists: AdminError(.conflict, error.message)
        case .unavailable, .busy: AdminError(.unavailable, error.message)
        default: AdminError(.failed, error.message)
        }
    }

    // MARK: Recovery and scrub

    func recoveryKit() async throws(AdminError) -> RecoveryKit {
        let text = """
            Cairn recovery kit
            Keep it apart from the disks: with it and any k disks of each group everything can be restored.
            cluster-id: \(store.cluster)
            master-key: \(masterKey.text)

            """ + kitExtra.map { $0 + "\n" }.joined()
        do {
            try await DataFolder.noteRecoveryKitTaken(in: files)
        } catch {
            throw adminError(error)
        }
        return RecoveryKit(text: text)
    }

    func startScrub() async throws(AdminError) -> ScrubStart {
        let wasRunning = store.verifier.report.isRunning
        store.verifier.request()
        do {
            let status = try await store.status()
            return ScrubStart(
                wasRunning: wasRunning,
                shardsToVerify: status.disks.reduce(0) { $0 + $1.shardCount },
                bytesToVerify: status.disks.reduce(0) { $0 + $1.liveBytes }
            )
        } catch {
            throw adminError(error)
        }
    }

    // MARK: Status

    func status() async throws(AdminError) -> StatusReport {
        do {
            return try await StatusAssembly(store: store, folder: folder).report()
        } catch {
            throw adminError(error)
        }
    }
}

extension AdminError {
    init(_ error: DiskReplacementError) {
        let code: Code =
            switch error {
            case .noSuchDisk: .notFound
            case .isHealthy, .notEmpty, .isNeeded, .standsElsewhere, .busy: .conflict
            case .failed: .failed
            }
        self.init(code, error.description)
    }
}
