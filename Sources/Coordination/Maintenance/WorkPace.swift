package import SystemInterface

/// How fast some work goes, from what was done of late: for the question how long the rest takes.
package struct WorkPace: Hashable, Sendable {
    /// The pace is that since the last pause of this length.
    private static let memory = Duration.seconds(60)

    private var since: MonotonicTime?
    private var last: MonotonicTime?
    private var amount = 0

    package init() {}

    /// Notes what has just been done, in shards or bytes.
    package mutating func note(_ done: Int, now: MonotonicTime) {
        if last.map({ now.duration(since: $0) > Self.memory }) ?? true {
            // What was done until now took time before it: the pace counts from here.
            self = WorkPace()
            (since, last) = (now, now)
            return
        }
        last = now
        amount += done
    }

    /// How long so much more takes; nil while that is not known.
    package func secondsLeft(for rest: Int) -> Int? {
        guard let since, let last, last > since, amount > 0 else { return nil }
        let elapsed = Double(last.duration(since: since).nanoseconds) / 1_000_000_000
        return Int(elapsed * Double(rest) / Double(amount))
    }
}
