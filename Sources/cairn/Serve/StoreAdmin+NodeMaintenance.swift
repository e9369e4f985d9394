import AdminGateway
import Coordination
import LinuxSystem
import Metadata
import ObjectInterface
import ObjectModel
import SystemInterface

/// The operator's commands for nodes that are down for a while.
extension StoreAdmin {
    func maintenances() async throws(AdminError) -> MaintenanceReport {
        do {
            return MaintenanceReport(nodes: try await Self.maintained(store))
        } catch {
            throw AdminError(.unavailable, error.message)
        }
    }

    func setMaintenance(_ request: MaintenanceRequest) async throws(AdminError) -> MaintenanceReport {
        guard let target = LossTarget("node:\(request.node)"),
            let disk = try target.disks(among: try await status().disks).first
        else { throw AdminError(.notFound, "there is no node \(request.node)") }
        let (site, node) = (SiteName(disk.site), NodeName(disk.node))
        do throws(DiskChangeError) {
            if let seconds = request.seconds {
                _ = try await store.beginMaintenance(site, node, for: .seconds(seconds))
            } else if try await !store.endMaintenance(site, node) {
                throw .failed("node \(site)/\(node) is not in maintenance")
            }
        } catch {
            throw AdminError(error)
        }
        return try await maintenances()
    }

    /// The nodes that are in maintenance now.
    static func maintained(_ store: Store) async throws(StorageError) -> [MaintenanceReport.Node] {
        let now = LinuxTime().wall
        return try await store.maintenances().map { maintenance in
            MaintenanceReport.Node(
                site: maintenance.site.name,
                node: maintenance.node.name,
                // Rounded up: what has just begun for 8 hours has 8 hours left.
                secondsLeft: Int(maintenance.until.milliseconds - now.milliseconds + 999) / 1_000
            )
        }
    }
}
