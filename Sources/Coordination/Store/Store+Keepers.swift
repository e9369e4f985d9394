internal import BlobStorage
internal import ClusterProtocol
internal import DiskFormat
package import Metadata
package import ObjectInterface
internal import ObjectModel
internal import Placement
import Synchronization
internal import SystemInterface

// The journal's keepers as disks lose their logs: a log that can be opened again catches up by itself; one that is gone
// leaves the set, and another disk, or the same with a new log, joins it; and one of several that stand together makes
// room for a disk elsewhere. A log that forgot what it promised never counts as the keeper that it was: what only it
// and a lost one had would be taken for never written.
extension Store {
    /// Changes one keeper: durable on return. `isOptional`: it makes way when a keeper has lost its log.
    func changeKeepers(
        removing old: DiskID?,
        adding new: (disk: DiskID, node: NodeName)?,
        isOptional: Bool = false
    ) async throws {
        let client = new.map { keeperClient($0.disk, on: $0.node) }
        let members = journal.report.keepers.keepers.filter { $0 != old } + (new.map { [$0.disk] } ?? [])
        let goesOn = { !isOptional || self.brokenKeepers.isEmpty }
        try await journal.changeKeepers(to: members, joining: client, while: goesOn) { [metadata] payload in
            guard let change = try KeeperSetChange.decode(payload) else { return }
            try await metadata.recordKeeperSetChange(change)
        }
    }

    func keeperClient(_ disk: DiskID, on node: NodeName) -> TransportKeeperClient {
        TransportKeeperClient(
            keeper: disk,
            node: node.name,
            transport: transport,
            timeout: StoreOpening.keeperTimeout
        )
    }

    /// One step towards a whole set of keepers, if there is one to take. Disks that are away are left to their return
    /// or replacement; one that was replaced, by a replacement that was cut off before its last step, leaves.
    package func mendKeepers() async {
        await alone(.keepers) {
            let keepers = journal.report.keepers
            guard let records = try? await metadata.disks() else { return }
            let inUse = Set(records.filter(\.isInUse).map(\.id))
            let plan = keeperPlan(records)
            if let replaced = keepers.keepers.first(where: { !inUse.contains($0) }) {
                return await dismiss(replaced, from: keepers, by: plan)
            }
            if let lost = await reopenLogs().first { return await dismiss(lost, from: keepers, by: plan) }
            if keepers.keepers.count < plan?.count ?? 0 { return await recruit(besides: keepers, by: plan) }
            let draining = Set(records.filter { $0.state == .draining }.map(\.id))
            if let drained = keepers.keepers.first(where: draining.contains) {
                return await relieve(drained, from: keepers, by: plan)
            }
            await spread(keepers, by: plan)
        }
    }

    /// Opens failed logs again where their files still are; the journal feeds them what they missed. Gives the keepers
    /// whose logs are lost.
    ///
    /// Beside a replacement or a change of the keepers, never behind one: that waits for the journal, and the journal
    /// may wait for just these logs.
    @discardableResult
    func reopenLogs() async -> [DiskID] {
        var lost: [DiskID] = []
        for (disk, at) in brokenKeepers.sorted(by: { $0.key < $1.key }) {
            do throws(NodeCallError) {
                try await calls.reopenLog(of: disk, on: at.place.node)
                noteLog(of: disk)
                // One that could not be opened at the start has had no client so far.
                journal.rejoin(keeperClient(disk, on: at.place.node))
            } catch {
                // One that cannot be reached right now is not lost.
                if case .refused(.failed(_)) = error { lost.append(disk) }
            }
        }
        return lost
    }

    /// Keepers that are there and whose logs do not work.
    private var brokenKeepers: [DiskID: ServedDisk] {
        let keepers = journal.report.keepers
        return served.withLock { served in
            served.filter { keepers.contains($0.key) && !$0.value.hasWorkingLog && !$0.value.isAway }
        }
    }

    private func noteLog(of disk: DiskID) {
        served.withLock { served in
            served[disk]?.hasLog = true
            served[disk]?.hasWorkingLog = true
        }
    }

    /// What fails is tried again in a later step; why is told.
    private func tryChange(
        removing old: DiskID?,
        adding new: (disk: DiskID, node: NodeName)?,
        isOptional: Bool = false
    ) async {
        do {
            try await changeKeepers(removing: old, adding: new, isOptional: isOptional)
            events.note(keepersUnchanged: nil)
        } catch {
            // Another disk may take what this one did not.
            if let new, !isOptional || brokenKeepers.isEmpty {
                joins.withLock { $0[new.disk, default: RetryPatience()].noteFailure(now: time.monotonic) }
            }
            events.note(keepersUnchanged: "\(error)")
        }
    }

    /// Takes a keeper whose log is lost out of the set, a disk that keeps no log yet into it where there is one.
    private func dismiss(_ keeper: DiskID, from keepers: KeeperSet, by plan: KeeperPlan?) async {
        let search = await newKeeper(besides: keepers, by: plan)
        if let standIn = search.found {
            await tryChange(removing: keeper, adding: standIn)
        } else if keepers.keepers.count > 1 {
            // It comes back with a new log in a later step, when its old place is forgotten.
            await tryChange(removing: keeper, adding: nil)
        } else {
            note(search)
        }
    }

    /// Puts another disk in the place of a keeper that is being emptied. Where none is left, it leaves without one if
    /// the disks that stay ask for fewer keepers; else it stays until there is one.
    private func relieve(_ keeper: DiskID, from keepers: KeeperSet, by plan: KeeperPlan?) async {
        let search = await newKeeper(besides: keepers, by: plan)
        if let standIn = search.found {
            await tryChange(removing: keeper, adding: standIn, isOptional: true)
        } else if keepers.keepers.count > max(plan?.count ?? 0, 1) {
            await tryChange(removing: keeper, adding: nil)
        } else {
            let reason = "a disk that is being emptied keeps it, and no other can take that over"
            events.note(keepersUnchanged: search.refusal.map { "\(reason): \($0)" } ?? reason)
        }
    }

    /// Disks that are being emptied and stay in use because they keep the journal, and no disk that serves can take
    /// that over.
    package func keepersWithoutStandIn() async throws(StorageError) -> [DiskRecord] {
        let records = try await metadata.disks()
        let keepers = journal.report.keepers
        let serving = served.withLock { Set($0.filter { !$0.value.isAway }.keys) }
        let hasStandIn = records.contains {
            $0.state == .active && serving.contains($0.id) && !keepers.contains($0.id)
        }
        let isLarger = keepers.keepers.count > max(keeperPlan(records)?.count ?? 0, 1)
        guard !hasStandIn, !isLarger else { return [] }
        return records.filter { $0.state == .draining && keepers.contains($0.id) }
    }

    /// Exchanges one keeper for a disk that spreads the set better, which was chosen while other disks were away, or
    /// before there were others. Only while every keeper has everything: nothing is at risk then that waits for this.
    private func spread(_ keepers: KeeperSet, by plan: KeeperPlan?) async {
        // As it should be, as far as it can be.
        guard isWhole(keepers) else { return events.note(keepersUnchanged: nil) }
        let search = await newKeeper { plan?.exchange(in: keepers.keepers, among: $0)?.joining }
        guard let new = search.found,
            let leaving = plan?.exchange(in: keepers.keepers, among: { $0 == new.disk })?.leaving
        else { return events.note(keepersUnchanged: search.refusal) }
        await tryChange(removing: leaving, adding: new, isOptional: true)
    }

    private func isWhole(_ keepers: KeeperSet) -> Bool {
        let serving = served.withLock { Set($0.filter { !$0.value.isAway && $0.value.hasWorkingLog }.keys) }
        let report = journal.report
        return report.keepers == keepers && report.members.map(\.keeper) == keepers.keepers
            && report.members.allSatisfy { $0.standing(isServed: serving.contains($0.keeper)) == .current }
    }

    private func recruit(besides keepers: KeeperSet, by plan: KeeperPlan?) async {
        let search = await newKeeper(besides: keepers, by: plan)
        guard let new = search.found else { return note(search) }
        await tryChange(removing: nil, adding: new)
    }

    /// What came of looking for a new keeper.
    private struct KeeperSearch {
        var found: (disk: DiskID, node: NodeName)?
        /// Where there is none: why the last disk that was asked could not open a log, with its name.
        var refusal: String?
    }

    /// Where no disk was asked, because none was there or all are to wait, what was told last still holds.
    private func note(_ search: KeeperSearch) {
        if let refusal = search.refusal { events.note(keepersUnchanged: refusal) }
    }

    /// A disk that is no keeper, with an empty log opened on it.
    private func newKeeper(besides keepers: KeeperSet, by plan: KeeperPlan?) async -> KeeperSearch {
        await newKeeper { plan?.next(besides: keepers.keepers, among: $0) }
    }

    /// The disk that `choose` takes of those that serve and can open an empty log; it is open then.
    private func newKeeper(_ choose: ((DiskID) -> Bool) -> DiskID?) async -> KeeperSearch {
        let now = time.monotonic
        var refused = joins.withLock { joins in Set(joins.filter { !$0.value.isDue(now: now) }.keys) }
        let candidates = served.withLock { $0.filter { !$0.value.isAway && !$0.value.hangs } }
        var search = KeeperSearch()
        while let disk = choose({ candidates[$0] != nil && !refused.contains($0) }),
            let place = candidates[disk]?.place
        {
            do throws(NodeCallError) {
                // What an earlier time as a keeper left says nothing any more.
                try await calls.renewLog(of: disk, on: place.node)
                noteLog(of: disk)
                return KeeperSearch(found: (disk, place.node))
            } catch {
                let record = try? await metadata.disks().first { $0.id == disk }
                let name = record.map(StoreEvent.DiskName.init) ?? StoreEvent.DiskName(unknownAt: place)
                search.refusal = "\(name) cannot keep the journal (\(error))"
                refused.insert(disk)
            }
        }
        return search
    }

    /// Keepers that the strongest class needs on the disks that stay in use.
    package func keepersWanted() async throws(StorageError) -> Int {
        keeperPlan(try await metadata.disks())?.count ?? 0
    }

    /// As at the founding, for the disks that stay in use; nil before there are groups.
    func keeperPlan(_ records: [DiskRecord]) -> KeeperPlan? {
        let disks = records.filter { $0.state == .active }.sorted { $0.id < $1.id }
            .map { PlacementDisk(id: $0.id, site: $0.site, node: $0.node) }
        // What the journal knows must not be lost before what the strongest class keeps.
        return KeeperPlan(schemes: blobs.view.schemes, disks: disks)
    }
}
