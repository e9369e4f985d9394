/// Storage classes of which new objects find too little room, or soon will.
package struct RoomReport: Codable, Hashable, Sendable {
    package enum State: String, Codable, Sendable, CaseIterable {
        /// Large objects need disks that are nearly full: they will be refused before long.
        case nearlyFull
        /// Large objects are kept with fewer shards than they should be.
        case degraded
        /// Large objects are refused, smaller ones are not.
        case largeRefused
        /// Whatever is new is refused.
        case refused
    }

    package var classes: [String]
    package var state: State
    /// Those without the room, as `SITE/NODE/SLOT`.
    package var disks: [String]

    package init(classes: [String], state: State, disks: [String]) {
        self.classes = classes
        self.state = state
        self.disks = disks
    }
}

extension DiskReport {
    /// Percent of a disk in use from which on it counts as nearly full: as Ceph's `mon_osd_nearfull_ratio`.
    package static let nearlyFullPercent = 85

    package static func isNearlyFull(used: Int, of capacity: Int) -> Bool {
        capacity > 0 && used / (capacity / 100 + 1) >= nearlyFullPercent
    }

    package var isNearlyFull: Bool { Self.isNearlyFull(used: used, of: capacity) }
}
