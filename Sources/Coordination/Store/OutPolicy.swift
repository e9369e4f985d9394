package import ObjectModel
package import Placement

/// Which disks that have been away for long are given up for the time being, so that their shards are made anew on
/// others (DESIGN §8, membership: down, then out).
///
/// A disk that is out keeps its record: it is taken up when it is back, then without a place. Never given up is what
/// more probably comes back as it is: a whole site, or many disks at once, which is the network, or power; and what is
/// said to come back, the disks of a node in maintenance.
package struct OutPolicy: Sendable {
    /// Of all disks at most one in so many is away when one is given up.
    package static let share = 4

    /// A disk in use.
    package struct Disk: Sendable {
        package var disk: PlacementDisk
        /// How long it has been away; nil when it is not.
        package var away: Duration?
        /// Its node is in maintenance: it is away all the same, and waited for.
        package var isAwaited: Bool
        /// Bytes of shards on it, and bytes it may still take; zero of one that is away.
        package var live: Int
        package var room: Int

        package init(
            _ disk: PlacementDisk,
            away: Duration? = nil,
            isAwaited: Bool = false,
            live: Int = 0,
            room: Int = 0
        ) {
            self.disk = disk
            self.away = away
            self.isAwaited = isAwaited
            self.live = live
            self.room = room
        }
    }

    /// How long a disk may be away.
    package var patience: Duration

    package init(patience: Duration) { self.patience = patience }

    /// The disks that are due, by id; empty when any reason speaks against it.
    package func due(_ disks: [Disk]) -> [DiskID] {
        let away = disks.filter { $0.away != nil }
        guard away.count * Self.share <= disks.count, hasRoom(for: away.count, disks) else { return [] }
        let sitesLeft = Set(disks.filter { $0.away == nil }.map(\.disk.site))
        return away.filter { disk in
            if disk.isAwaited { return false }
            // Never for a site of which no disk answers: that is the network, or power.
            return (disk.away ?? .zero) >= patience && sitesLeft.contains(disk.disk.site)
        }
        .map(\.disk.id).sorted()
    }

    /// Whether the disks that are there can take in what as many disks like them hold.
    private func hasRoom(for count: Int, _ disks: [Disk]) -> Bool {
        let there = disks.filter { $0.away == nil }
        guard let least = there.map(\.room).min() else { return false }
        let live = there.reduce(0) { $0 + $1.live } / there.count
        return live * count / there.count < least
    }
}
