internal import BlobStorage
internal import ClusterProtocol
internal import DiskFormat
internal import Metadata
internal import ObjectInterface
package import ObjectModel
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
    /// Something cannot be read without it: so many blobs or groups at least.
    case isNeeded(String, Int)
    /// It is there, in the slot of another disk.
    case standsElsewhere(String, String)
    case failed(String)

    package var description: String {
        switch self {
        case .noSuchDisk(let name): "no disk of this store is called \(name): `cairn admin status` lists them"
        case .isHealthy(let name):
            "disk \(name) is served and healthy: `cairn admin disk drain` takes it out of use without risk; to replace "
                + "it, pull it first"
        case .notEmpty(let reason):
            "the new disk is not empty: \(reason). If nobody needs it, move what it holds away, then try again"
        case .busy: StoreDecision.busy
        case .isNeeded(let name, let count):
            "disk \(name) holds what \(count) blobs or groups that cannot be read now need: bring it back as it is. "
                + "Only if it is gone for good, with --force: what is given up then comes back by no disk"
        case .standsElsewhere(let name, let place):
            "disk \(name) is not gone: it stands in slot \(place). Put it where it belongs. Only if it is to be given "
                + "up all the same, with --force"
        case .failed(let reason): reason
        }
    }
}

extension Store {
    /// Formats the empty folder or disk in a slot and puts it in the place of the disk that was there.
    ///
    /// Durable on return; the rebuild begins at once, and a full verification is asked for after it. A slot's name
    /// without a node must be unique in the store. `isForced`: also when something cannot be read without the disk.
    package func replaceDisk(
        inSlot name: String,
        of node: NodeName? = nil,
        isForced: Bool = true
    ) async throws(DiskReplacementError) -> (old: DiskID, new: DiskID) {
        guard await beginCommand() else { throw .busy }
        defer { endCommand() }
        guard await wait(toBegin: .keepers) else { throw .busy }
        defer { end(.keepers) }
        // A disk pulled a moment ago is noticed now, not a second later.
        await watchDisks()
        let (old, others) = try await records(inSlot: name, of: node)
        guard await wait(toBegin: .slot(old.place)) else { throw .busy }
        defer { end(.slot(old.place)) }
        if !isForced, !isServed(old.id) { try await checkUnneeded(old) }
        for record in [old] + others { try await letGo(record) }
        let new = try await format(old.place)
        do {
            try await admit(new, for: old)
            for other in others { try await retire(other, for: new) }
        } catch {
            throw .failed("\(error)")
        }
        absent.withLock { $0[old.place] = nil }
        verifier.request()
        return (old.id, new)
    }

    /// The disk in use in a slot; more than one where a replacement was cut off, and its new disk is gone as well.
    private func records(
        inSlot name: String,
        of node: NodeName?
    ) async throws(DiskReplacementError) -> (first: DiskRecord, others: [DiskRecord]) {
        do {
            let records = try await metadata.disks().filter {
                $0.slot == name && $0.isInUse && (node == nil || $0.node == node)
            }
            if let first = records.first, records.allSatisfy({ $0.node == first.node }) {
                return (first, Array(records.dropFirst()))
            }
        } catch {
            throw .failed(error.description)
        }
        throw .noSuchDisk(name)
    }

    /// Throws when the disk is away and something that cannot be read now might be with it.
    func checkUnneeded(_ disk: DiskRecord) async throws(DiskReplacementError) {
        do {
            let needing = try await needing(disk.id)
            if needing > 0 { throw DiskReplacementError.isNeeded(disk.name, needing) }
        } catch let error as DiskReplacementError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }

    private func letGo(_ record: DiskRecord) async throws(DiskReplacementError) {
        guard let served = served.withLock({ $0[record.id] }) else { return }
        try await checkFailing(record)
        do {
            self.served.withLock { $0[record.id] = nil }
            try await calls.release(record.id, on: served.place.node)
        } catch {
            throw .failed("\(error)")
        }
    }

    /// Throws when a disk is served and works.
    func checkFailing(_ record: DiskRecord) async throws(DiskReplacementError) {
        guard let served = served.withLock({ $0[record.id] }) else { return }
        do {
            let report = try await calls.watch(served.place.node).first { $0.disk == record.id }
            guard let report, report.failure.isEmpty, report.isInPlace else { return }
        } catch {
            throw .failed("\(error)")
        }
        throw .isHealthy(record.name)
    }

    /// Ends replacements that a crash cut off between their steps: of two disks in use in one slot the one that is
    /// there takes the other's place.
    func finishReplacements() async throws(StorageError) {
        let active = try await metadata.disks().filter { $0.isInUse }
        for (_, records) in Dictionary(grouping: active, by: \.place).sorted(by: { $0.key < $1.key }) {
            guard records.count > 1, let new = records.first(where: { isServed($0.id) }) else { continue }
            for old in records where !isServed(old.id) {
                try await retire(old, for: new.id)
                verifier.request()
            }
        }
    }

    func isServed(_ disk: DiskID) -> Bool { served.withLock { $0[disk] != nil } }

    /// Puts a disk into another's place in every group; the other is in use no more.
    private func retire(_ old: DiskRecord, for new: DiskID) async throws(StorageError) {
        try await metadata.replaceMember(old.id, with: new)
        var retired = old
        retired.state = .retired
        retired.epoch += 1
        try await metadata.putDisk(retired)
        try await reloadMap()
    }

    private func format(_ place: SlotPlace) async throws(DiskReplacementError) -> DiskID {
        var generator = random.generator
        let id = DiskID(.random(using: &generator))
        do throws(NodeCallError) {
            try await calls.format(place, NewDisk(cluster: cluster, disk: id))
            return id
        } catch {
            guard case .refused(.notEmpty(let what)) = error else { throw .failed(error.description) }
            return try await unusedDisk(in: place, or: what)
        }
    }

    /// The disk that a replacement which was cut off has left in the slot: formatted for this store, and known to
    /// nobody. `what`: what else is said to be there.
    private func unusedDisk(in place: SlotPlace, or what: String) async throws(DiskReplacementError) -> DiskID {
        let finding = try? await survey(place.node).first { $0.slot == place.slot }?.finding
        let known = try? await Set(metadata.disks().map(\.id))
        if let known, case .disk(cluster, let id) = finding, !known.contains(id),
            let opened = try? await calls.open(place, ExpectedDisk(cluster: cluster, disk: id))
        {
            // It is opened anew as the disk that it becomes.
            try? await calls.release(id, on: place.node)
            if opened.isUnused { return id }
        }
        throw .notEmpty(await stranger(finding)?.text ?? what)
    }

    /// The new disk is served and known, stands in the old one's place in every group, and keeps the journal when the
    /// old one did.
    private func admit(_ id: DiskID, for old: DiskRecord) async throws {
        let isKeeper = journal.report.keepers.contains(old.id)
        let opened = try await calls.open(
            old.place,
            ExpectedDisk(cluster: cluster, disk: id, wantsLog: isKeeper)
        )
        served.withLock { $0[id] = ServedDisk(place: old.place, hasLog: opened.hasLog, since: time.monotonic) }
        var record = old
        // It was brought to be used, also where the old one was to be emptied: it would be let go at once.
        (record.id, record.epoch, record.state) = (id, 1, .active)
        try await metadata.putDisk(record)
        try await retire(old, for: id)
        guard isKeeper else { return }
        try await changeKeepers(removing: old.id, adding: (id, old.node))
    }
}
