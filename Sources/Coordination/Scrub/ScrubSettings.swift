internal import SystemInterface

/// What the scrub promises, and what it may cost.
package struct ScrubSettings: Hashable, Sendable {
    /// Every byte of every shard is read and compared within this time.
    package var period: Duration
    /// Every stripe is coded again and compared within this time.
    package var codingPeriod: Duration
    /// Bytes a second and disk that are read at most, however late the scrub is.
    package var maximumRate: Int
    /// Bytes a second and disk below which a pass is not slowed: one that needs less begins later instead.
    package var minimumRate: Int
    /// How often it is looked whether something is due, and how long a wait lasts before that is looked at again.
    package var poll = Duration.seconds(1)

    package static let defaultPeriod = Duration.seconds(14 * 24 * 3_600)
    package static let defaultCodingPeriod = Duration.seconds(90 * 24 * 3_600)
    /// A disk of 18 TB within `defaultPeriod`, and a tenth of what a slow disk can do.
    package static let defaultMaximumRate = 16 << 20
    package static let defaultMinimumRate = 1 << 20
    /// The part of a period within which a pass wants to be done: the rest is for disks that were away.
    static let share = 0.9

    package init(
        period: Duration = ScrubSettings.defaultPeriod,
        codingPeriod: Duration = ScrubSettings.defaultCodingPeriod,
        maximumRate: Int = ScrubSettings.defaultMaximumRate,
        minimumRate: Int = ScrubSettings.defaultMinimumRate
    ) {
        self.period = period
        self.codingPeriod = codingPeriod
        self.maximumRate = max(1, maximumRate)
        self.minimumRate = min(max(1, minimumRate), self.maximumRate)
    }
}

extension WallTime {
    func advanced(bySeconds seconds: Double) -> WallTime {
        WallTime(milliseconds: milliseconds + Int64(seconds * 1_000))
    }

    /// Zero when `earlier` is not earlier: a clock may be set back.
    func seconds(since earlier: WallTime) -> Double { Double(max(0, milliseconds - earlier.milliseconds)) / 1_000 }
}

extension Duration {
    var inSeconds: Double { Double(nanoseconds) / 1e9 }
}
