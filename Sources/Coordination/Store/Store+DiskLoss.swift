internal import BlobStorage
internal import ClusterProtocol
package import Metadata
internal import ObjectInterface
package import ObjectModel
package import Placement

/// What giving up a disk would come to: a new one in its place, or others for it.
package struct DiskLossPlan: Sendable {
    package var disk: DiskRecord
    /// Groups in which its shards would be made anew.
    package var groupsMoved: Int
    /// Groups that have no other disk for it.
    package var groupsLeft: Int
    /// What making them anew takes, and the risk meanwhile.
    package var rebuild: LossPlan
    package var classes: [RebuildOutlook]
    /// What the journal survives meanwhile, and then.
    package var journal: Survival?
    package var journalThen: Survival?
    /// Why it would be refused as things are.
    package var refusal: DiskReplacementError?
}

extension Store {
    /// What `replaceDisk` would do, without doing any of it. Reads every live blob's record.
    ///
    /// `bytesPerSecond`: what each disk reads and writes for it. A disk that works is not refused here: what is at risk
    /// without it is asked before it is pulled.
    package func planReplacement(
        inSlot slot: String,
        of node: NodeName,
        isForced: Bool,
        bytesPerSecond: Int
    ) async throws(DiskReplacementError) -> DiskLossPlan {
        try await planLoss(inSlot: slot, of: node, isReplaced: true, bytesPerSecond) { disk in
            await refusal { () async throws(DiskReplacementError) in
                if !isForced, !isServed(disk.id) { try await checkUnneeded(disk) }
                try await checkFailing(disk)
                try await checkNew(in: disk.place)
            }
        }
    }

    /// What `retireDisk` would do, without doing any of it. As for `planReplacement`.
    package func planRetirement(
        inSlot slot: String,
        of node: NodeName,
        isForced: Bool,
        bytesPerSecond: Int
    ) async throws(DiskReplacementError) -> DiskLossPlan {
        try await planLoss(inSlot: slot, of: node, isReplaced: false, bytesPerSecond) { disk in
            await refusal { () async throws(DiskReplacementError) in
                try await checkGone(disk, isForced: isForced)
            }
        }
    }

    private func planLoss(
        inSlot slot: String,
        of node: NodeName,
        isReplaced: Bool,
        _ bytesPerSecond: Int,
        _ refusal: (DiskRecord) async -> DiskReplacementError?
    ) async throws(DiskReplacementError) -> DiskLossPlan {
        do {
            let records = try await metadata.disks().filter(\.isInUse)
            guard let disk = records.first(where: { $0.slot == slot && $0.node == node }) else {
                throw DiskReplacementError.noSuchDisk(slot)
            }
            var plan = try await planLoss(of: disk, among: records, isReplaced: isReplaced, bytesPerSecond)
            plan.refusal = await refusal(disk)
            return plan
        } catch let error as DiskReplacementError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }

    private func planLoss(
        of disk: DiskRecord,
        among records: [DiskRecord],
        isReplaced: Bool,
        _ bytesPerSecond: Int
    ) async throws -> DiskLossPlan {
        var store = try await snapshot(try await status()).store
        for load in try await groupLoads() { store.bytesPerPlace[load.group.id] = load.bytesPerPlace }
        let groups = try await metadata.groups().filter { $0.members.contains(disk.id) }
        let standIns = isReplaced ? nil : standIns(for: disk, in: groups, among: records)
        let moved = standIns?.count ?? groups.count
        let (journal, journalThen) = journalSurvival(store, losing: disk, isReplaced: isReplaced, records)
        return DiskLossPlan(
            disk: disk,
            groupsMoved: moved,
            groupsLeft: groups.count - moved,
            rebuild: LossPlan(
                Self.rebuilt(store, losing: disk.id, standIns),
                losing: [disk.id],
                bytesPerSecond: bytesPerSecond,
                isReplaced: isReplaced
            ),
            classes: try await schemesInUse().compactMap { item in
                RebuildOutlook(item.name, item.scheme, of: store, losing: disk.id, standIns: standIns)
            },
            journal: journal,
            journalThen: journalThen
        )
    }

    /// Without the groups in which nothing is made anew though a shard is lost.
    private static func rebuilt(
        _ store: LossPlan.Store,
        losing lost: DiskID,
        _ standIns: [GroupID: DiskID]?
    ) -> LossPlan.Store {
        guard let standIns else { return store }
        var rebuilt = store
        rebuilt.layout.groups.removeAll { $0.members.contains(lost) && standIns[$0.id] == nil }
        return rebuilt
    }

    /// A new disk keeps the journal where the old one did; for a retired one another does, where there is one.
    private func journalSurvival(
        _ store: LossPlan.Store,
        losing lost: DiskRecord,
        isReplaced: Bool,
        _ records: [DiskRecord]
    ) -> (meanwhile: Survival?, then: Survival?) {
        let disks = store.layout.disks
        let meanwhile = Survival(store.keepers, on: disks, without: store.away.union([lost.id]))
        guard isReplaced else {
            let away = store.away.union([lost.id])
            return (meanwhile, Survival(settled([lost.id], records), on: disks, without: away))
        }
        var keepers = store.keepers
        keepers.silent.remove(lost.id)
        return (meanwhile, Survival(keepers, on: disks, without: store.away.subtracting([lost.id])))
    }

    private func refusal(
        _ checks: () async throws(DiskReplacementError) -> Void
    ) async -> DiskReplacementError? {
        do throws(DiskReplacementError) {
            try await checks()
            return nil
        } catch {
            return error
        }
    }

    /// Throws when no new disk stands in a slot.
    private func checkNew(in place: SlotPlace) async throws(DiskReplacementError) {
        do {
            let known = try await metadata.disks()
            // Nothing is noted of what is found: a question changes nothing.
            let slots = try await calls.survey(place.node)
            guard let finding = slots.first(where: { $0.slot == place.slot })?.finding else {
                throw DiskReplacementError.failed("node \(place.node) has no slot \(place.slot) now")
            }
            guard !isNew(finding, known) else { return }
            if case .occupied(let what) = finding { throw DiskReplacementError.notEmpty(what) }
            if case .unusable(let reason) = finding { throw DiskReplacementError.failed("its slot: \(reason)") }
            throw DiskReplacementError.notEmpty(await stranger(finding)?.text ?? "it is a disk of a store")
        } catch let error as DiskReplacementError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }
}
