internal import BlobStorage
internal import DiskFormat
internal import JournalStorage
internal import Metadata
internal import ObjectModel
internal import Placement
internal import ShardStorage
internal import StorageNode
internal import SystemInterface

// The journal's keepers as disks lose their logs: a log that can be opened again catches up by itself; one that is gone
// leaves the set, and another disk, or the same with a new log, joins it. A log that forgot what it promised never
// counts as the keeper that it was: what only it and a lost one had would be taken for never written.
extension Store {
    /// Changes one keeper: durable on return.
    func changeKeepers(removing old: DiskID?, adding new: (disk: DiskID, node: NodeName)?) async throws {
        let client = new.map { new in
            TransportKeeperClient(
                keeper: new.disk,
                node: new.node.name,
                transport: transport,
                timeout: StoreOpening.keeperTimeout
            )
        }
        let members = journal.report.keepers.keepers.filter { $0 != old } + (new.map { [$0.disk] } ?? [])
        try await journal.changeKeepers(to: members, joining: client) { [metadata] payload in
            guard let change = try KeeperSetChange.decode(payload) else { return }
            try await metadata.recordKeeperSetChange(change)
        }
    }

    /// One step towards a whole set of keepers, if there is one to take. Disks that are away are left to their return
    /// or replacement; one that was replaced, by a replacement that was cut off before its last step, leaves.
    package func mendKeepers() async {
        await alone {
            let keepers = journal.report.keepers
            guard let records = try? await metadata.disks() else { return }
            let inUse = Set(records.filter { $0.state == .active }.map(\.id))
            if let replaced = keepers.keepers.first(where: { !inUse.contains($0) }) {
                return await dismiss(replaced, from: keepers)
            }
            for (node, disk) in hosted where keepers.contains(disk.shards.identity.disk) && !disk.hasWorkingLog {
                if await reopenLog(of: disk, on: node) { continue }
                return await dismiss(disk.shards.identity.disk, from: keepers)
            }
            if keepers.keepers.count < wantedKeepers(of: keepers) { await recruit(besides: keepers) }
        }
    }

    /// A failed log is opened again where its files still are; the journal feeds it what it missed.
    private func reopenLog(of disk: HostedDisk, on node: NodeName) async -> Bool {
        let files = disk.shards.fileSystem
        await forgetCached(files, DiskFolder.journal)
        guard await KeeperLog.isThere(on: files), let log = try? await openLog(files) else {
            return false
        }
        nodes[node]?.host(HostedDisk(shards: disk.shards, journal: log))
        return true
    }

    /// Takes a keeper whose log is lost out of the set, a disk that keeps no log yet into it where there is one.
    private func dismiss(_ keeper: DiskID, from keepers: KeeperSet) async {
        if let standIn = await newKeeper(besides: keepers) {
            try? await changeKeepers(removing: keeper, adding: standIn)
        } else if keepers.keepers.count > 1 {
            // It comes back with a new log in a later step, when its old place is forgotten.
            try? await changeKeepers(removing: keeper, adding: nil)
        }
    }

    private func recruit(besides keepers: KeeperSet) async {
        guard let new = await newKeeper(besides: keepers) else { return }
        try? await changeKeepers(removing: nil, adding: new)
    }

    /// A disk that is no keeper, with an empty log opened on it.
    private func newKeeper(besides keepers: KeeperSet) async -> (DiskID, NodeName)? {
        for (node, disk) in hosted {
            let id = disk.shards.identity.disk
            guard !keepers.contains(id), disk.shards.failure == nil else { continue }
            // What an earlier time as a keeper left says nothing any more.
            guard await removeLog(disk.shards.fileSystem),
                let log = try? await openLog(disk.shards.fileSystem)
            else { continue }
            nodes[node]?.host(HostedDisk(shards: disk.shards, journal: log))
            return (id, node)
        }
        return nil
    }

    private func removeLog(_ files: any FileSystem) async -> Bool {
        do throws(FileError) {
            guard try await files.status(DiskFolder.journal) != nil else { return true }
            for name in try await files.list(DiskFolder.journal) {
                let path = DiskFolder.journal + "/" + name
                if try await files.status(path)?.isDirectory == false { try await files.remove(path) }
            }
            try await files.syncDirectory(DiskFolder.journal)
            return true
        } catch {
            return false
        }
    }

    /// As many as at the founding: 2f + 1, or what the disks allow.
    private func wantedKeepers(of keepers: KeeperSet) -> Int {
        let tolerated = blobs.currentScheme?.parityCount ?? keepers.tolerance
        let possible = min(2 * tolerated + 1, blobs.view.map.disks.count)
        return possible % 2 == 0 ? possible - 1 : possible
    }
}

extension HostedDisk {
    /// Whether its log takes records.
    fileprivate var hasWorkingLog: Bool { journal.map { $0.failure == nil } ?? false }
}
