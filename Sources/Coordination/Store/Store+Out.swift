internal import BlobStorage
internal import ClusterProtocol
internal import Metadata
internal import ObjectModel
internal import Placement
import Synchronization
internal import SystemInterface

extension Store {
    /// How often it is looked which disks are away.
    static let outInterval = Duration.seconds(5)

    /// Gives the places of disks that have been away for longer than the operator allows to others, where every place
    /// finds one under the spread rule; repair does the rest. All or nothing of each disk; durable when it returns.
    package func giveUpLongAway() async {
        guard let patience = configuration.outAfter, stopReason == nil,
            let records = try? await metadata.disks().filter({ $0.state == .active })
        else { return }
        noteAway(records)
        guard let maintained = try? await maintenances() else { return }
        let due = OutPolicy(patience: patience).due(await outlook(records, maintained))
        guard !due.isEmpty, let groups = try? await metadata.groups() else { return }
        for record in records where due.contains(record.id) && groups.contains(where: { $0.involves(record.id) }) {
            await alone(.replacement) { await alone(.slot(record.place)) { await giveUp(record, of: records) } }
        }
    }

    /// Unless it is back by now, one of its places finds no other disk, or something that cannot be read now may be
    /// with it: what is given up comes back by no disk, also when all that are away return as they were.
    private func giveUp(_ record: DiskRecord, of records: [DiskRecord]) async {
        guard isAway(record.id), (try? await needing(record.id)) == 0,
            let groups = try? await metadata.groups().filter({ $0.members.contains(record.id) })
        else { return }
        let standIns = standIns(for: record, in: groups, among: records)
        guard standIns.count == groups.count else { return }
        guard (try? await metadata.spreadMember(record.id, over: standIns)) != nil else { return }
        events.note(.diskGivenUp(.init(record)))
        try? await reloadMap()
    }

    /// By group: the disk that takes the place of one that is gone; none where the spread rule allows none.
    func standIns(for lost: DiskRecord, in groups: [GroupRecord], among records: [DiskRecord]) -> [GroupID: DiskID] {
        let left = records.filter { $0.id != lost.id && $0.state == .active && !isAway($0.id) }
            .map { PlacementDisk(id: $0.id, site: $0.site, node: $0.node) }
        var standIns: [GroupID: DiskID] = [:]
        for group in groups {
            guard let planner = GroupPlanner(scheme: group.scheme, disks: left) else { continue }
            let taken = group.members + Array(group.former.values)
            standIns[group.id] = planner.standIn(for: lost.id, in: group.id, of: taken)
        }
        return standIns
    }

    private func isAway(_ disk: DiskID) -> Bool { served.withLock { $0[disk]?.isAway ?? true } }

    /// Remembers since when each disk is away. A restart begins to count anew.
    private func noteAway(_ records: [DiskRecord]) {
        let away = Set(records.map(\.id).filter(isAway))
        let now = time.monotonic
        awaySince.withLock { since in
            since = since.filter { away.contains($0.key) }
            for disk in away where since[disk] == nil { since[disk] = now }
        }
    }

    private func outlook(_ records: [DiskRecord], _ maintained: [NodeMaintenance]) async -> [OutPolicy.Disk] {
        let now = time.monotonic
        let since = awaySince.withLock { $0 }
        var disks: [OutPolicy.Disk] = []
        for record in records {
            let disk = PlacementDisk(id: record.id, site: record.site, node: record.node)
            if let since = since[record.id] {
                let isAwaited = maintained.contains { $0.site == record.site && $0.node == record.node }
                disks.append(OutPolicy.Disk(disk, away: now.duration(since: since), isAwaited: isAwaited))
            } else {
                let status = try? await blobs.nodes.status(record.id)
                disks.append(OutPolicy.Disk(disk, live: status?.liveBytes ?? 0, room: status?.room ?? 0))
            }
        }
        return disks
    }
}
