package import ClusterProtocol
internal import SystemInterface

/// Which processes the beats under one node's name come from.
///
/// Two that run at the same time beat in turn. A node that is started anew, here or elsewhere, never beats as the
/// process again that it was before; a beat of that one which comes late is no sign of two.
struct BeatSources {
    /// A process as its beats tell. Nodes of the version before do not say which process they are: of them a copy that
    /// takes calls at the same address is not seen.
    struct Source: Hashable {
        var address: NodeAddress
        var process: UInt64?
    }

    /// One that has not beaten for so long is not taken for one that runs.
    static let memory = Membership.silence
    /// So often must each of them have beaten again behind another.
    static let turns = 3
    /// How long after the last such turn they are told of: whoever has stopped the copy sees the end of it soon.
    static let noteTime = Duration.seconds(60)
    /// So many are told apart at most.
    private static let limit = 8

    private struct Heard {
        var source: Source
        var origin: String
        var last: MonotonicTime
        var turns = 0

        /// Where it takes calls, and where it calls from if that tells more.
        var place: String {
            let address = "\(source.address.host):\(source.address.port)"
            return origin.isEmpty || origin == source.address.host ? address : "\(address) (calling from \(origin))"
        }
    }

    /// The one that beat last comes last.
    private var heard: [Heard] = []
    private var note: (places: [String], last: MonotonicTime)?

    /// Takes a beat in. `origin`: the host that it came from. Returns where the processes are that run at the same
    /// time, if this beat shows it.
    mutating func hear(_ source: Source, from origin: String, at now: MonotonicTime) -> [String]? {
        heard.removeAll { now.duration(since: $0.last) > Self.memory }
        let before = heard.firstIndex { $0.source == source }
        let isTurn = before.map { $0 < heard.count - 1 } ?? false
        var entry = before.map { heard.remove(at: $0) } ?? Heard(source: source, origin: origin, last: now)
        (entry.origin, entry.last) = (origin, now)
        if isTurn { entry.turns += 1 }
        if heard.count >= Self.limit { heard.removeFirst() }
        heard.append(entry)
        let running = heard.filter { $0.turns >= Self.turns }
        guard isTurn, running.count > 1 else { return nil }
        let places = running.map(\.place).sorted()
        note = (places, now)
        return places
    }

    /// Where the processes are that run at the same time, as far as is known; empty when that is over.
    func places(at now: MonotonicTime) -> [String] {
        guard let note, now.duration(since: note.last) < Self.noteTime else { return [] }
        return note.places
    }
}

/// A node under whose name several processes run.
package struct CopiedNode: Hashable, Sendable {
    package var address: NodeAddress
    /// Where each of them takes calls.
    package var places: [String]
}
