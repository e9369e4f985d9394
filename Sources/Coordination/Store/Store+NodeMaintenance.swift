package import Metadata
package import ObjectInterface
package import ObjectModel
internal import SystemInterface

extension Store {
    /// From now on for so long the disks of a node are waited for, however long they are away. Durable when it returns;
    /// replaces what was said of the node before. Throws `.noSuchNode` when no disk in use is of that node.
    package func beginMaintenance(
        _ site: SiteName,
        _ node: NodeName,
        for duration: Duration
    ) async throws(DiskChangeError) -> NodeMaintenance {
        let now = time.wall
        let until = WallTime(milliseconds: now.milliseconds + Int64(duration / .milliseconds(1)))
        let maintenance = NodeMaintenance(site: site, node: node, until: until)
        do throws(StorageError) {
            let disks = try await metadata.disks()
            if disks.contains(where: { $0.isInUse && $0.site == site && $0.node == node }) {
                try await metadata.beginMaintenance(maintenance, now: now)
                return maintenance
            }
        } catch {
            throw .failed(error.message)
        }
        throw .noSuchNode("\(site)/\(node)")
    }

    /// False when the node is in none.
    package func endMaintenance(_ site: SiteName, _ node: NodeName) async throws(DiskChangeError) -> Bool {
        do throws(StorageError) {
            return try await metadata.endMaintenance(site, node)
        } catch {
            throw .failed(error.message)
        }
    }

    /// Those that are not over, by site and node.
    package func maintenances() async throws(StorageError) -> [NodeMaintenance] {
        let now = time.wall
        return try await metadata.maintenances().filter { $0.until > now }
    }
}
