package import Metadata
package import ObjectModel
import Synchronization

/// Something that happened to the store and that its operator will look for afterwards, in the order of its log.
package enum StoreEvent: Hashable, Sendable {
    case diskLost(DiskName, reason: String)
    case diskServed(DiskName)
    /// A write to it does not end: it is read, and gets nothing new meanwhile.
    case diskHangs(DiskName, reason: String)
    /// That write has ended.
    case diskWritable(DiskName)
    case diskAdded(DiskName)
    case diskReplaced(DiskName)
    /// Given up by an operator; `isOut`: all its places have gone to others.
    case diskRetired(DiskName, isOut: Bool)
    /// Given up because it was away for too long.
    case diskGivenUp(DiskName)
    /// A node was given a disk that is not in use.
    case diskUnused(UnusedDisk)
    /// Empty now, and in use no more.
    case diskDrained(DiskName)
    case nodeSilent(NodeName, reason: String)
    case nodeBack(NodeName)
    /// All nodes of it.
    case siteSilent(SiteName)
    case siteBack(SiteName)
    case repairBegun(missing: Int)
    /// Nothing is missing any more, or what is left cannot be repaired now.
    case repairEnded(shards: Int, bytes: Int, missing: Int)
    /// An operator has paused it, for so long or (nil) until it is resumed.
    case repairPaused(seconds: Int?)
    /// An operator has ended the pause.
    case repairResumed
    /// The pause's time is over.
    case repairPauseEnded
    case movesBegun(places: Int, bytes: Int)
    case movesCancelled(places: Int)
    case movesEnded
    /// A keeper that should have joined or left the set did not; tried again, and told when the reason changes.
    case keepersUnchanged(reason: String)
    /// Disks hold what was written under leases that the metadata never granted, up to this incarnation: it was put
    /// back to an earlier moment.
    case historyForgotten(incarnation: UInt32)
    /// Its file is no longer where it was opened, or another is there.
    case metadataRemoved
    /// An operator looks no more for what a forced start may have lost, or metadata that was put back.
    case forcedStartAccepted
    /// So many on a disk since it was last told of, one of them of this blob. They are made anew from others.
    case shardsBad(DiskName, site: SiteName, id: DiskID, blob: BlobID, count: Int)

    /// Which disk, as an operator calls it: `SITE/NODE/SLOT`.
    package struct DiskName: Hashable, Sendable, CustomStringConvertible {
        package var description: String

        init(_ record: DiskRecord) { description = record.name }

        /// Of a disk of which no record can be read now.
        init(unknownAt place: SlotPlace) { description = "\(place.node)/\(place.slot)" }
    }

    /// Whether somebody should look after it.
    package var isWarning: Bool {
        switch self {
        case .diskLost, .diskHangs, .diskGivenUp, .nodeSilent, .siteSilent, .keepersUnchanged, .historyForgotten,
            .shardsBad, .metadataRemoved, .repairPaused:
            true
        case .repairEnded(_, _, let missing): missing > 0
        case .diskUnused(let disk): disk.kind != .retired
        default: false
        }
    }

    /// What happened, the same words every time.
    package var text: String {
        switch self {
        case .diskLost: "a disk is lost"
        case .diskServed: "a disk is served again"
        case .diskHangs: "a disk takes no writes"
        case .diskWritable: "a disk takes writes again"
        case .diskAdded: "a disk was added"
        case .diskReplaced: "a disk was replaced"
        case .diskRetired(_, let isOut): isOut ? "a disk was retired" : "a disk was retired from some of its groups"
        case .diskGivenUp: "a disk was away for too long: its shards are made anew on others"
        case .diskDrained: "a disk is empty and in use no more"
        case .diskUnused: "a disk that a node was given is not in use"
        case .nodeSilent: "a node is silent"
        case .nodeBack: "a node is back"
        case .siteSilent: "a site is silent"
        case .siteBack: "a site is back"
        case .repairBegun: "repair has begun"
        case .repairEnded(_, _, let missing): missing == 0 ? "repair has ended" : "repair cannot go on for now"
        case .repairPaused: "repair was paused: only blobs without a spare shard are repaired"
        case .repairResumed: "repair was resumed"
        case .repairPauseEnded: "the pause of repair has ended by itself: everything is repaired again"
        case .movesBegun: "moves have begun"
        case .movesCancelled: "moves are being put back"
        case .movesEnded: "moves have ended"
        case .keepersUnchanged: "the journal's keepers cannot be changed"
        case .historyForgotten:
            "the metadata was put back to an earlier moment: what disks hold of the time since is unknown to it, and "
                + "nothing is erased that only seems to be garbage, until `cairn admin journal accept-loss`"
        case .metadataRemoved:
            "the metadata database was removed or replaced under the server: it still has it open, the next start does "
                + "not find it; stop the server, run `cairn metadata rebuild` and start it again"
        case .forcedStartAccepted: "what the metadata may lack is accepted as lost: garbage is erased again"
        case .shardsBad: "shards on a disk are bad or lost: they are made anew, look at the disk"
        }
    }

    /// To whom and how much, as names and values.
    package var details: [(name: String, value: String)] {
        switch self {
        case .diskLost(let disk, let reason), .diskHangs(let disk, let reason):
            [("disk", "\(disk)"), ("reason", reason)]
        case .diskServed(let disk), .diskWritable(let disk), .diskAdded(let disk), .diskReplaced(let disk),
            .diskRetired(let disk, _), .diskGivenUp(let disk), .diskDrained(let disk):
            [("disk", "\(disk)")]
        case .diskUnused(let disk):
            [("disk", disk.name), ("path", disk.path), ("reason", disk.reason)]
        case .nodeSilent(let node, let reason): [("node", "\(node)"), ("reason", reason)]
        case .nodeBack(let node): [("node", "\(node)")]
        case .siteSilent(let site), .siteBack(let site): [("site", "\(site)")]
        case .repairBegun(let missing): [("missing", "\(missing)")]
        case .repairEnded(let shards, let bytes, let missing):
            [("shards", "\(shards)"), ("bytes", "\(bytes)"), ("missing", "\(missing)")]
        case .repairPaused(let seconds): [("for", seconds.map { "\($0) s" } ?? "until it is resumed")]
        case .movesBegun(let places, let bytes): [("places", "\(places)"), ("bytes", "\(bytes)")]
        case .movesCancelled(let places): [("places", "\(places)")]
        case .movesEnded, .forcedStartAccepted, .metadataRemoved, .repairResumed, .repairPauseEnded: []
        case .keepersUnchanged(let reason): [("reason", reason)]
        case .historyForgotten(let incarnation): [("incarnation", "\(incarnation)")]
        case .shardsBad(let disk, let site, let id, let blob, let count):
            [("site", "\(site)"), ("disk", "\(disk)"), ("id", "\(id)"), ("blob", "\(blob)"), ("shards", "\(count)")]
        }
    }
}

/// Tells an observer what happens to a store, and remembers what it takes to tell each thing once.
package final class StoreEvents: Sendable {
    private struct State {
        var observer: (@Sendable (StoreEvent) -> Void)?
        var keeperTrouble: String?
        var isMetadataGone = false
        var silentNodes: Set<NodeName> = []
        var silentSites: Set<SiteName> = []
    }

    private let state = Mutex(State())

    package init() {}

    /// The observer is called from any task, and must be quick.
    package func observe(_ observer: @escaping @Sendable (StoreEvent) -> Void) {
        state.withLock { $0.observer = observer }
    }

    var isObserved: Bool { state.withLock { $0.observer != nil } }

    package func note(_ event: StoreEvent) { state.withLock { $0.observer }?(event) }

    /// Why the keepers could not be changed when that was wanted last; nil when they could.
    package var keeperTrouble: String? { state.withLock { $0.keeperTrouble } }

    /// Whether the keepers could be changed just now, or why not; tells of a reason once.
    func note(keepersUnchanged reason: String?) {
        let isNew = state.withLock { state in
            defer { state.keeperTrouble = reason }
            return reason != nil && reason != state.keeperTrouble
        }
        if isNew, let reason { note(.keepersUnchanged(reason: reason)) }
    }

    /// Whether the metadata's file is gone; tells of it once.
    package func note(isMetadataGone: Bool) {
        let wasGone = state.withLock { state in
            defer { state.isMetadataGone = isMetadataGone }
            return state.isMetadataGone
        }
        if isMetadataGone, !wasGone { note(.metadataRemoved) }
    }

    /// Which nodes answered just now, and why the others did not; tells of those for which that is new.
    package func note(silent: [NodeName: String], of members: [NodeName: NodeMember]) {
        let events = state.withLock { state -> [StoreEvent] in
            let nodes = Set(silent.keys)
            let known = Set(members.values.map(\.site))
            let sites = known.filter { site in
                members.values.allSatisfy { $0.site != site || nodes.contains($0.name) }
            }
            var events: [StoreEvent] = []
            // What was removed is not back.
            events += state.silentSites.subtracting(sites).intersection(known).sorted().map { .siteBack($0) }
            events += state.silentNodes.subtracting(nodes).filter { members[$0] != nil }.sorted().map { .nodeBack($0) }
            events += nodes.subtracting(state.silentNodes).sorted().map {
                .nodeSilent($0, reason: silent[$0] ?? "")
            }
            events += sites.subtracting(state.silentSites).sorted().map { .siteSilent($0) }
            (state.silentNodes, state.silentSites) = (nodes, sites)
            return events
        }
        for event in events { note(event) }
    }
}

extension Store {
    /// An operator's replacement of that disk has succeeded.
    package func noteReplaced(_ record: DiskRecord) { events.note(.diskReplaced(.init(record))) }
}
