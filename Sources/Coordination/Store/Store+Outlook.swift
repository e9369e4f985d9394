internal import BlobStorage
internal import DiskFormat
internal import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import Placement

extension Store {
    /// What each class survives now, and once these moves have ended and disks that are to be empty are in use no more.
    func outlooks(
        of moves: [PlaceMove],
        emptying draining: Set<DiskID>,
        _ records: [DiskRecord],
        _ loads: [GroupLoad]
    ) async throws(StorageError) -> [ClassOutlook] {
        let disks = records.map { PlacementDisk(id: $0.id, site: $0.site, node: $0.node) }
        let before = GrowthPlan.State(disks: disks, groups: loads.map(\.group), bytes: [:])
        let after = before.moved(moves)
        let drainingNow = Set(records.filter { $0.state == .draining }.map(\.id))
        let (keepers, keepersThen) = (settled(drainingNow, records), settled(draining, records))
        return try await schemesInUse().compactMap { item in
            ClassOutlook(
                item.name,
                item.scheme,
                from: before,
                keptBy: keepers,
                to: after,
                keptBy: keepersThen
            )
        }
    }

    /// The journal's keepers once those that are to be empty have been relieved.
    func settled(_ draining: Set<DiskID>, _ records: [DiskRecord]) -> LossPlan.Keepers {
        let keepers = journal.report.keepers.keepers
        let staying = records.filter { !draining.contains($0.id) }
        return LossPlan.Keepers(keeperPlan(staying)?.settled(from: keepers, emptying: draining) ?? keepers)
    }

    /// The classes, and by their names the schemes in which removed ones have left blobs.
    func schemesInUse() async throws(StorageError) -> [(name: String, scheme: Scheme)] {
        var items = try await metadata.classes().map { (name: $0.name, scheme: $0.scheme) }
        if let standard = blobs.view.standardScheme { items.insert((StorageClass.standard, standard), at: 0) }
        let left = Set(blobs.view.schemes).subtracting(items.map(\.scheme)).subtracting(unusedSchemes)
        return items + left.map { (name: $0.name, scheme: $0) }.sorted { $0.name < $1.name }
    }
}
