internal import BlobStorage
internal import DiskFormat
internal import JournalStorage
internal import Metadata
internal import ObjectInterface
package import ObjectModel
internal import ShardStorage
internal import StorageNode
import Synchronization
internal import SystemInterface

/// Why a disk is not replaced.
package enum DiskReplacementError: Error, Hashable, Sendable, CustomStringConvertible {
    case noSuchDisk(String)
    /// The disk in the slot works.
    case isHealthy(String)
    /// The slot's folder holds something: it is never formatted over.
    case notEmpty(String)
    case busy
    case failed(String)

    package var description: String {
        switch self {
        case .noSuchDisk(let name): "no disk of this store is called \(name): `cairn admin status` lists them"
        case .isHealthy(let name):
            "disk \(name) is served and healthy: pull it first, or empty its folder, if it is really to be replaced"
        case .notEmpty(let reason): "the new disk is not empty: \(reason). Move what it holds away, then try again"
        case .busy: "another disk is being replaced right now: wait until that command has returned"
        case .failed(let reason): reason
        }
    }
}

extension Store {
    /// Formats the empty folder or disk in a slot and puts it in the place of the disk that was there.
    ///
    /// Durable on return; the rebuild begins at once, and a full verification is asked for after it.
    package func replaceDisk(inSlot name: String) async throws(DiskReplacementError) -> (old: DiskID, new: DiskID) {
        let isMine = isReplacing.withLock { isReplacing in
            defer { isReplacing = true }
            return !isReplacing
        }
        guard isMine else { throw .busy }
        defer { isReplacing.withLock { $0 = false } }
        // A disk pulled a moment ago is noticed now, not a second later.
        await watchDisks()
        guard let slot = configuration.slots.first(where: { $0.name == name }) else { throw .noSuchDisk(name) }
        let old = try await record(inSlot: name)
        if let hosted = nodes[old.node]?.disk(old.id) {
            guard hosted.shards.failure != nil else { throw .isHealthy(name) }
            nodes[old.node]?.release(old.id)
            try? await hosted.shards.close()
        }
        let new = try await format(slot)
        do {
            try await admit(new, slot: slot, for: old)
        } catch {
            throw .failed("\(error)")
        }
        absent.withLock { $0[name] = nil }
        verifier.request()
        return (old.id, new.shards.identity.disk)
    }

    private func record(inSlot name: String) async throws(DiskReplacementError) -> DiskRecord {
        do {
            if let record = try await metadata.disks().first(where: { $0.slot == name && $0.state == .active }) {
                return record
            }
        } catch {
            throw .failed(error.description)
        }
        throw .noSuchDisk(name)
    }

    private func format(_ slot: StoreSlot) async throws(DiskReplacementError) -> HostedDisk {
        do {
            let fileSystem = try slot.open()
            var generator = random.generator
            let id = DiskID(.random(using: &generator))
            try await slotDisk.format(fileSystem, slot: slot, id: id)
            let shards = try await slotDisk.open(fileSystem, id: id)
            return HostedDisk(shards: shards, journal: nil)
        } catch ShardStorageError.notEmpty(let what) {
            throw .notEmpty(what)
        } catch {
            throw .failed("\(error)")
        }
    }

    /// The metadata's side: the new disk is known, stands in the old one's place in every group, and keeps the journal
    /// when the old one did.
    private func admit(_ new: HostedDisk, slot: StoreSlot, for old: DiskRecord) async throws {
        let id = new.shards.identity.disk
        var hosted = new
        let keepers = journal.report.keepers
        if keepers.contains(old.id) { hosted.journal = try await openLog(new.shards.fileSystem) }
        nodes[slot.node]?.host(hosted)
        try await metadata.putDisk(
            DiskRecord(
                id: id,
                site: slot.site,
                node: slot.node,
                slot: slot.name,
                state: .active,
                epoch: 1
            )
        )
        try await metadata.replaceMember(old.id, with: id)
        var retired = old
        retired.state = .retired
        retired.epoch += 1
        try await metadata.putDisk(retired)
        try await reloadMap()
        guard hosted.journal != nil else { return }
        try await changeKeepers(removing: old.id, adding: (id, slot.node))
    }
}
