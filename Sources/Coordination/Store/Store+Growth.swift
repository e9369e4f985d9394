internal import BlobStorage
package import Metadata
internal import ObjectInterface
package import ObjectModel
package import Placement

/// Disks that are only supposed.
package struct SupposedNode: Hashable, Sendable {
    package var site: SiteName
    package var node: NodeName
    package var disks: Int
    /// Bytes that each of them can hold.
    package var capacity: Int

    package init(site: SiteName, node: NodeName, disks: Int, capacity: Int) {
        self.site = site
        self.node = node
        self.disks = disks
        self.capacity = capacity
    }
}

extension Store {
    /// What it would come to if these disks were added and the shards evened out, without doing any of it. Reads every
    /// live blob's record. The records are those of the disks in use.
    package func planGrowth(
        _ supposed: [SupposedNode]
    ) async throws(DiskChangeError) -> (plan: GrowthPlan, records: [DiskRecord]) {
        let added = Self.disks(supposed)
        do {
            let loads = try await groupLoads()
            let records = try await metadata.disks().filter(\.isInUse)
            let weights = await capacities()
            let disks = records.map {
                PlacementDisk(id: $0.id, site: $0.site, node: $0.node, weight: Double(weights[$0.id] ?? 1))
            }
            let plan = GrowthPlan(
                groups: loads,
                disks: disks,
                adding: added,
                draining: Set(records.filter { $0.state == .draining }.map(\.id)),
                away: Set(records.map(\.id).filter { !blobs.view.isUsable($0) })
            )
            return (plan, records)
        } catch {
            throw .failed(error.message)
        }
    }

    /// With ids that no disk has: real ones are random.
    private static func disks(_ supposed: [SupposedNode]) -> [PlacementDisk] {
        var number: UInt64 = 0
        return supposed.flatMap { node in
            (0..<node.disks).map { _ in
                number += 1
                return PlacementDisk(
                    id: DiskID(Identifier128(high: .max, low: number)),
                    site: node.site,
                    node: node.node,
                    weight: Double(max(1, node.capacity))
                )
            }
        }
    }
}
