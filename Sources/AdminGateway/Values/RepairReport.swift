/// Repair: how missing shards are put back.
package struct RepairReport: Codable, Hashable, Sendable {
    package var active: Bool
    /// Of the repair under way, since it or the program began.
    package var bytesDone: Int
    package var bytesLeft: Int
    /// At the pace of the last minute; nil while unknown.
    package var etaSeconds: Int?
    /// Blobs that one more lost shard would make unreadable; counted up to a limit.
    @Added package var blobsWithoutSpare: Int
    /// Bytes a second that repair takes of each disk, reads and writes together, while it makes way.
    @Added package var diskRate: Int
    /// Bytes a second that repair and moves take of the lines between sites; nil for no limit.
    package var wanRate: Int?
    /// Whether it makes way just now: for clients, or for blobs without spares.
    @Added package var makesWay: Bool
    /// An operator has paused it: only blobs without a spare shard are repaired.
    @Added package var paused: Bool
    /// Seconds until that ends by itself; nil where it does not.
    package var pauseSecondsLeft: Int?

    package init(
        active: Bool,
        bytesDone: Int,
        bytesLeft: Int,
        etaSeconds: Int?,
        blobsWithoutSpare: Int,
        diskRate: Int,
        wanRate: Int?,
        makesWay: Bool,
        paused: Bool = false,
        pauseSecondsLeft: Int? = nil
    ) {
        self.paused = paused
        self.pauseSecondsLeft = pauseSecondsLeft
        self.active = active
        self.bytesDone = bytesDone
        self.bytesLeft = bytesLeft
        self.etaSeconds = etaSeconds
        self.blobsWithoutSpare = blobsWithoutSpare
        self.diskRate = diskRate
        self.wanRate = wanRate
        self.makesWay = makesWay
    }

    package var isDone: Bool { !active && bytesLeft == 0 }
}

/// For how long repair is paused from now on.
package struct RepairPauseRequest: Codable, Hashable, Sendable {
    /// Nil: until it is resumed.
    package var seconds: Int?

    package init(seconds: Int?) { self.seconds = seconds }
}

/// What repair may take from now on, until the program starts again.
package struct RepairRateChange: Codable, Hashable, Sendable {
    /// Bytes a second of each disk; nil leaves it as it is.
    package var disk: Int?
    /// Bytes a second of the lines between sites; nil leaves it as it is, 0 is no limit.
    package var wan: Int?

    package init(disk: Int?, wan: Int?) {
        self.disk = disk
        self.wan = wan
    }
}
