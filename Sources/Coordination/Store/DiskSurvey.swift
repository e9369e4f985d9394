internal import DiskFormat
internal import Metadata
internal import ObjectModel
internal import ShardStorage
internal import SystemInterface

/// What stands in each slot at start, before anything is changed.
struct DiskSurvey: Sendable {
    enum Finding: Sendable {
        case identity(DiskIdentity, any FileSystem)
        case empty(any FileSystem)
        case unusable(String)
    }

    /// In the order of the slots.
    var findings: [(slot: StoreSlot, finding: Finding)]

    static func take(_ slots: [StoreSlot]) async -> DiskSurvey {
        var findings: [(slot: StoreSlot, finding: Finding)] = []
        for slot in slots { findings.append((slot, await look(slot))) }
        return DiskSurvey(findings: findings)
    }

    private static func look(_ slot: StoreSlot) async -> Finding {
        let fileSystem: any FileSystem
        do {
            fileSystem = try slot.open()
        } catch {
            return .unusable("\(error)")
        }
        do {
            return .identity(try await ShardDisk.readIdentity(fileSystem), fileSystem)
        } catch .notFormatted {
            return .empty(fileSystem)
        } catch {
            return .unusable(error.description)
        }
    }

    var identities: [(slot: StoreSlot, identity: DiskIdentity, fileSystem: any FileSystem)] {
        findings.compactMap { slot, finding in
            if case .identity(let identity, let fileSystem) = finding { (slot, identity, fileSystem) } else { nil }
        }
    }

    /// The cluster of the disks that `records` name; of all disks when none is named yet.
    func cluster(_ records: [DiskRecord]) -> ClusterID? {
        let known = Set(records.map(\.id))
        let named = identities.filter { known.contains($0.identity.disk) }
        return (named.first ?? identities.first)?.identity.cluster
    }
}
