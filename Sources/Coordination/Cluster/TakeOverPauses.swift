package import SystemInterface

/// How long a take-over that does not start waits before it is tried again.
///
/// It may go above every coordinator that it finds, and so may another take-over that was begun at the same time: at
/// one pace each outbids the other in the middle of its start, for ever. Each pause is drawn from up to twice the span
/// of the one before, so that one of the two starts while the other waits. That one then goes above it, and is left.
package struct TakeOverPauses {
    /// The first pause, and the least.
    package static let shortest = Duration.seconds(1)
    /// The last span, of so many of the shortest: more than twice what a start takes.
    private static let spans = 8
    package static let longest = shortest * spans

    private let random: any RandomSource
    private var span = 1

    package init(random: any RandomSource) { self.random = random }

    package mutating func next() -> Duration {
        defer { span = min(span * 2, Self.spans) }
        // Of thousandths; the few that come more often by the remainder do not matter.
        let share = Int(random.next() % 1_000)
        return Self.shortest + Self.shortest * (span - 1) * share / 1_000
    }
}
