package import SystemInterface

/// How fast some work goes, from what was done of late: for the question how long the rest takes.
package struct WorkPace: Hashable, Sendable {
    /// The pace is that of at least the last so long, and at most twice that; after a pause of it it begins anew.
    private static let memory = Duration.seconds(60)
    /// What has gone on for less says nothing of the rest: a first batch that ends at once, or waits for a disk.
    private static let leastMeasured = Duration.seconds(5)

    private struct Period: Hashable {
        var since: MonotonicTime
        var amount = 0
    }

    private var before: Period?
    private var current: Period?
    private var last: MonotonicTime?

    package init() {}

    /// Notes what has just been done, in shards or bytes.
    package mutating func note(_ done: Int, now: MonotonicTime) {
        guard var period = current, !isOver(now) else {
            // What was done until now took time before it: the pace counts from here.
            self = WorkPace()
            (current, last) = (Period(since: now), now)
            return
        }
        period.amount += done
        (current, last) = (period, now)
        if now.duration(since: period.since) >= Self.memory { (before, current) = (period, Period(since: now)) }
    }

    /// As it is to be told at that time: of work that has stood still for long there is no pace.
    package func asOf(_ now: MonotonicTime) -> Self { isOver(now) ? WorkPace() : self }

    private func isOver(_ now: MonotonicTime) -> Bool {
        last.map { now.duration(since: $0) > Self.memory } ?? true
    }

    /// How long so much more takes; nil while that is not known.
    package func secondsLeft(for rest: Int) -> Int? {
        let amount = (before?.amount ?? 0) + (current?.amount ?? 0)
        guard let since = before?.since ?? current?.since, let last, amount > 0,
            last.duration(since: since) >= Self.leastMeasured
        else { return nil }
        let elapsed = Double(last.duration(since: since).nanoseconds) / 1_000_000_000
        return Int(elapsed * Double(rest) / Double(amount))
    }
}
