internal import ClusterProtocol
package import Metadata
internal import ObjectModel
internal import Placement

/// One disk, as the store's own monitor sees it.
package struct StoreDiskStatus: Sendable {
    package var record: DiskRecord
    /// Where it lies on its node; empty while that is not known.
    package var path: String
    package var isServed: Bool
    /// Why it is not served, or what is wrong with it; empty when nothing is.
    package var reason: String
    package var capacity: Int
    package var room: Int
    package var liveBytes: Int
    package var deadBytes: Int
    package var shardCount: Int
    /// Shards placed on it that are missing; of very many missing in all (`Store.countedMissing`) not each is counted.
    package var missingShards: Int
    /// It stands in a group, or did and is still being emptied.
    package var hasPlaces: Bool
    /// It was seen in another slot, or another disk in its own: neither is lost.
    package var isMisplaced: Bool

    /// It is read, and takes no writes: the reason says why, and for how long one has not ended.
    package var hangs: Bool { isServed && !reason.isEmpty }
}

/// What is known of slots whose disks are not served.
struct SlotSightings {
    /// Why they are not.
    let reasons: [SlotPlace: String]
    /// Where they lie on their nodes, for people.
    let paths: [SlotPlace: String]
    /// The disk that was seen there and belongs elsewhere.
    let misplaced: [SlotPlace: DiskID]
    /// Where such a disk was seen.
    let elsewhere: [DiskID: SlotPlace]

    init(reasons: [SlotPlace: String], paths: [SlotPlace: String], misplaced: [SlotPlace: DiskID]) {
        self.reasons = reasons
        self.paths = paths
        self.misplaced = misplaced.filter { reasons[$0.key] != nil }
        elsewhere = Dictionary(
            self.misplaced.sorted { $0.key < $1.key }.map { ($0.value, $0.key) },
            uniquingKeysWith: { first, _ in first }
        )
    }
}

/// Puts together what is known of a disk: by its own answer, by its slot, and by the shards that are placed on it.
struct DiskPicture {
    let records: [DiskRecord]
    let members: [NodeName: NodeMember]
    let slots: SlotSightings
    private let placed: Set<DiskID>
    private let missing: [DiskID: Int]

    init(
        of records: [DiskRecord],
        members: [NodeName: NodeMember],
        slots: SlotSightings,
        map: ClusterMap,
        missing: [MissingShard]
    ) {
        self.records = records
        self.members = members
        self.slots = slots
        placed = Set(map.groups.values.flatMap { $0.members + Array($0.former.values) })
        self.missing = Self.byDisk(missing, in: map)
    }

    /// Sorted by site, node and slot. `answers`: of the disks that gave one.
    func disks(_ answers: [DiskID: DiskStatus]) -> [StoreDiskStatus] {
        records.map { status(of: $0, answers[$0.id]) }
            .sorted { $0.record.nameOrder.lexicographicallyPrecedes($1.record.nameOrder) }
    }

    private func status(of record: DiskRecord, _ answer: DiskStatus?) -> StoreDiskStatus {
        let hasPlaces = placed.contains(record.id)
        let isTaken = slots.misplaced[record.place] != nil
        let found = isTaken ? nil : slots.elsewhere[record.id].map { "it stands in slot \(name(of: $0))" }
        let away = found ?? slots.reasons[record.place] ?? "it is not served"
        return StoreDiskStatus(
            record: record,
            path: slots.paths[record.place] ?? "",
            isServed: answer?.isUsable ?? false,
            reason: answer.map(\.reason) ?? (hasPlaces ? away : Self.isOut + away),
            capacity: answer?.capacity ?? 0,
            room: answer?.room ?? 0,
            liveBytes: answer?.liveBytes ?? 0,
            deadBytes: answer?.deadBytes ?? 0,
            shardCount: answer?.shardCount ?? 0,
            missingShards: missing[record.id] ?? 0,
            hasPlaces: hasPlaces,
            isMisplaced: isTaken || found != nil
        )
    }

    private static let isOut = "it holds nothing that is not elsewhere by now; "

    /// As people name it; without its site where that is not known.
    private func name(of place: SlotPlace) -> String {
        let site = members[place.node]?.site ?? records.first { $0.node == place.node }?.site
        return [site?.name, place.node.name, place.slot].compactMap(\.self).joined(separator: "/")
    }

    private static func byDisk(_ missing: [MissingShard], in map: ClusterMap) -> [DiskID: Int] {
        missing.reduce(into: [:]) { counts, missing in
            guard let members = map.groups[missing.group]?.members,
                members.indices.contains(Int(missing.shard.index))
            else { return }
            counts[members[Int(missing.shard.index)], default: 0] += 1
        }
    }
}

extension DiskRecord {
    /// For sorting by site, node and slot.
    fileprivate var nameOrder: [NameOrder] { [site.name, node.name, slot].map(NameOrder.init) }
}

/// Puts `disk-2` before `disk-10`: shorter names first, then by bytes.
private struct NameOrder: Comparable {
    var length: Int
    var text: String

    init(_ text: String) { (length, self.text) = (text.utf8.count, text) }

    static func < (left: Self, right: Self) -> Bool { (left.length, left.text) < (right.length, right.text) }
}
