package import ObjectModel
package import SystemInterface

/// How far the reading of one disk (or of all stripes) in the order of blob ids has come, and when each part of it was
/// last read. All decisions of the scrub about time are made here; there is no clock in it.
package struct ScrubWalk: Hashable, Sendable {
    /// A run of blobs, up to and with `end`, of which the first byte was read at `since`.
    package struct Span: Hashable, Sendable {
        /// Nil: everything behind the span before.
        package var end: BlobID?
        /// Bytes from the beginning of the walk to the end of the span.
        package var bytes: Int
        package var since: WallTime
    }

    /// A pass under way.
    package struct Pass: Hashable, Sendable {
        package var started: WallTime
        /// Up to and with this blob all is read; nil at the beginning.
        package var cursor: BlobID?
        package var bytes = 0
        package var shards = 0
        package var bad = 0
        /// Of those, shards that the disk does not have at all.
        package var absent = 0
        /// Shards that could not be read although their disk answered: their age stays what it was.
        package var skipped = 0
        /// Somebody waits for it: it does not slow down.
        package var isUrgent: Bool
        package var spans: [Span] = []
        /// A new span begins after so many bytes.
        package var spanBytes: Int
    }

    /// What was read in one go.
    package struct Step: Sendable {
        package var end: BlobID
        package var bytes = 0
        package var shards = 0
        package var bad = 0
        /// Of those, shards that the disk does not have at all.
        package var absent = 0
        package var skipped = 0
        package var began: WallTime

        package init(end: BlobID, began: WallTime) {
            self.end = end
            self.began = began
        }
    }

    /// Spans a pass is divided into, about; the more, the better is known how old what is still to be read is.
    static let spanCount = 32
    static let spanLimit = 64
    /// Two passes begin no closer together than this part of the window, or what cannot be read is tried for ever.
    private static let pause = 1.0 / 16
    /// A pass that could be late or fast begins when this part of the window has gone.
    private static let rest = 1.0 / 2

    package var joined: WallTime
    /// What the passes before have read: never empty, ascending, the last without end.
    package var verified: [Span]
    package var pass: Pass?
    package var lastStarted: WallTime?
    package var lastEnded: WallTime?

    /// A disk of which nothing is known counts as read when it was first seen: what it holds was written, or lost sight
    /// of, by then.
    package init(joined: WallTime) {
        self.joined = joined
        verified = [Span(end: nil, bytes: 0, since: joined)]
    }

    /// When the bytes that have not been read for longest were read. Bytes that were written since are younger.
    package var oldest: WallTime {
        let all = (remaining + (pass?.spans ?? [])).map(\.since)
        return all.min() ?? joined
    }

    /// Spans of the passes before that this one has not gone through.
    private var remaining: ArraySlice<Span> {
        guard let cursor = pass?.cursor else { return verified[...] }
        return verified.drop { span in span.end.map { $0 <= cursor } ?? false }
    }

    /// Bytes a second at which every span is read again within `window` seconds of when it was read. `live`: bytes of
    /// the whole walk.
    package func neededRate(live: Int, window: Double, now: WallTime) -> Double {
        let rest = remaining
        let position = rest.startIndex > verified.startIndex ? verified[rest.startIndex - 1].bytes : 0
        let left = Double(max(0, live - (pass?.bytes ?? 0)))
        return rest.reduce(0) { rate, span in
            let bytes = span.end == nil ? left : Double(max(0, span.bytes - position))
            let time = max(1, window - now.seconds(since: span.since))
            return max(rate, bytes / time)
        }
    }

    /// Whether a pass should begin: as late as it can go at its slowest, or when half of the time has gone.
    package func isDue(live: Int, window: Double, slowest: Int, now: WallTime) -> Bool {
        guard pass == nil else { return false }
        if let lastStarted, now.seconds(since: lastStarted) < window * Self.pause { return false }
        return now.seconds(since: oldest) >= window * Self.rest
            || neededRate(live: live, window: window, now: now) >= Double(slowest)
    }

    /// A pass from the beginning; one under way is given up.
    package mutating func begin(now: WallTime, live: Int, isUrgent: Bool) {
        pass = Pass(started: now, isUrgent: isUrgent, spanBytes: max(1, live / Self.spanCount))
    }

    /// `window` seconds are what a pass may take.
    package mutating func advance(_ step: Step, window: Double) {
        guard var pass else { return }
        var since = step.began
        if step.skipped > 0 { since = min(since, oldest) }
        let opened = pass.spans.count > 1 ? pass.spans[pass.spans.count - 2].bytes : 0
        pass.cursor = step.end
        pass.bytes += step.bytes
        pass.shards += step.shards
        pass.bad += step.bad
        pass.absent += step.absent
        pass.skipped += step.skipped
        if let last = pass.spans.last, last.bytes - opened < pass.spanBytes,
            since.seconds(since: last.since) < window / Double(Self.spanCount)
        {
            let merged = Span(end: step.end, bytes: pass.bytes, since: min(since, last.since))
            pass.spans[pass.spans.count - 1] = merged
        } else {
            pass.spans.append(Span(end: step.end, bytes: pass.bytes, since: since))
        }
        if pass.spans.count > Self.spanLimit { Self.halve(&pass.spans) }
        self.pass = pass
    }

    private static func halve(_ spans: inout [Span]) {
        spans = stride(from: 0, to: spans.count, by: 2).map { index in
            guard index + 1 < spans.count else { return spans[index] }
            var span = spans[index + 1]
            span.since = min(span.since, spans[index].since)
            return span
        }
    }

    /// Everything is read.
    package mutating func finish(now: WallTime) {
        guard let pass else { return }
        verified = pass.spans.isEmpty ? [Span(end: nil, bytes: 0, since: pass.started)] : pass.spans
        verified[verified.count - 1].end = nil
        lastStarted = pass.started
        lastEnded = now
        self.pass = nil
    }

    /// Somebody else has read all of it, from `started` on.
    package mutating func credit(from started: WallTime, to ended: WallTime, live: Int) {
        guard started > oldest else { return }
        verified = [Span(end: nil, bytes: live, since: started)]
        lastStarted = started
        lastEnded = ended
        pass = nil
    }

    /// Takes back stamps from the future: the clock was set back, and they would keep a disk from being read.
    package mutating func clamp(to now: WallTime) {
        joined = min(joined, now)
        lastStarted = lastStarted.map { min($0, now) }
        lastEnded = lastEnded.map { min($0, now) }
        Self.clamp(&verified, to: now)
        guard var pass else { return }
        pass.started = min(pass.started, now)
        Self.clamp(&pass.spans, to: now)
        self.pass = pass
    }

    private static func clamp(_ spans: inout [Span], to now: WallTime) {
        for index in spans.indices { spans[index].since = min(spans[index].since, now) }
    }
}
