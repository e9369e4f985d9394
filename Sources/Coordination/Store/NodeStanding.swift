internal import BlobStorage
package import ObjectModel
internal import Placement
import Synchronization
package import SystemInterface

/// How a node is. Whatever tells of nodes (status, doctor, the list of nodes, metrics) asks this, so that no two say
/// different things of one moment.
package enum NodeStanding: String, Hashable, Sendable, CaseIterable {
    case up
    /// Heard of in part: it answers and has not beaten for `Membership.silence`, or has given no answer for less than
    /// that. Its disks are left out as soon as it gives none.
    case suspect
    /// It has given no answer for longer, or none since the start.
    case down
    /// That, and the places of all its disks have gone to others.
    case out
}

/// When nodes were heard of.
package struct NodeHearing: Sendable {
    /// Of those that gave no answer when they were asked last: since when.
    private var silentSince: [NodeName: MonotonicTime] = [:]
    /// Of those that beat: when they did last. A process that has all disks itself hears no beats.
    private var lastBeat: [NodeName: MonotonicTime] = [:]

    package init() {}

    /// All were asked just now, and these gave no answer.
    package mutating func note(silent: some Sequence<NodeName>, now: MonotonicTime) {
        let before = silentSince
        silentSince = Dictionary(silent.map { ($0, before[$0] ?? now) }) { first, _ in first }
    }

    package mutating func note(beatOf node: NodeName, now: MonotonicTime) { lastBeat[node] = now }

    package mutating func forget(_ node: NodeName) { (silentSince[node], lastBeat[node]) = (nil, nil) }

    /// Whether it gave no answer when it was asked last.
    package func isSilent(_ node: NodeName) -> Bool { silentSince[node] != nil }

    /// Of a node that is asked.
    package func standing(of node: NodeName, now: MonotonicTime) -> NodeStanding {
        if let since = silentSince[node] { return now.duration(since: since) < Membership.silence ? .suspect : .down }
        guard let beat = lastBeat[node] else { return .up }
        return now.duration(since: beat) <= Membership.silence ? .up : .suspect
    }
}

extension Store {
    /// Whether a node gave no answer when it was asked last, or was never heard of: nothing is known of its disks.
    package func isSilent(_ node: NodeName) -> Bool {
        hearing.withLock { $0.isSilent(node) } || members.withLock { $0[node] == nil }
    }

    package func standing(of node: NodeName) -> NodeStanding {
        let isAsked = members.withLock { $0[node] != nil }
        let standing = isAsked ? hearing.withLock { $0.standing(of: node, now: time.monotonic) } : .down
        return standing == .down && isGivenUp(node) ? .out : standing
    }

    /// It has disks in use, and nothing is placed on any of them.
    private func isGivenUp(_ node: NodeName) -> Bool {
        let map = blobs.view.map
        let disks = Set(map.disks.values.lazy.filter { $0.node == node }.map(\.id))
        let holdsPlaces = map.groups.values.contains { group in
            !disks.isDisjoint(with: group.members) || !disks.isDisjoint(with: group.former.values)
        }
        return !disks.isEmpty && !holdsPlaces
    }
}
