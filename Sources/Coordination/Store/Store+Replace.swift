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
        let (old, others) = try await records(inSlot: name)
        for record in [old] + others {
            guard let hosted = nodes[record.node]?.disk(record.id) else { continue }
            guard hosted.shards.failure != nil else { throw .isHealthy(name) }
            nodes[record.node]?.release(record.id)
            try? await hosted.shards.close()
        }
        let new = try await format(slot)
        do {
            try await admit(new, slot: slot, for: old)
            for other in others { try await retire(other, for: new.shards.identity.disk) }
        } catch {
            throw .failed("\(error)")
        }
        absent.withLock { $0[name] = nil }
        verifier.request()
        return (old.id, new.shards.identity.disk)
    }

    /// The disk in use in a slot; more than one where a replacement was cut off, and its new disk is gone as well.
    private func records(
        inSlot name: String
    ) async throws(DiskReplacementError) -> (first: DiskRecord, others: [DiskRecord]) {
        do {
            let records = try await metadata.disks().filter { $0.slot == name && $0.state == .active }
            if let first = records.first { return (first, Array(records.dropFirst())) }
        } catch {
            throw .failed(error.description)
        }
        throw .noSuchDisk(name)
    }

    /// Ends replacements that a crash cut off between their steps: of two disks in use in one slot the one that is
    /// there takes the other's place.
    func finishReplacements() async throws(StorageError) {
        let active = try await metadata.disks().filter { $0.state == .active }
        for (_, records) in Dictionary(grouping: active, by: \.slot).sorted(by: { $0.key < $1.key }) {
            let isThere = { (record: DiskRecord) in self.nodes[record.node]?.disk(record.id) != nil }
            guard records.count > 1, let new = records.first(where: isThere) else { continue }
            for old in records where !isThere(old) {
                try await retire(old, for: new.id)
                verifier.request()
            }
        }
    }

    /// Puts a disk into another's place in every group; the other is in use no more.
    private func retire(_ old: DiskRecord, for new: DiskID) async throws(StorageError) {
        try await metadata.replaceMember(old.id, with: new)
        var retired = old
        retired.state = .retired
        retired.epoch += 1
        try await metadata.putDisk(retired)
        try await reloadMap()
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
        try await retire(old, for: id)
        guard hosted.journal != nil else { return }
        try await changeKeepers(removing: old.id, adding: (id, slot.node))
    }
}
