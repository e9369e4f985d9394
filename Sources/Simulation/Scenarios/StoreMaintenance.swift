import BlobStorage
import Coordination
import ObjectModel
import Placement
import SystemInterface

/// What the store does by itself at its own pace, done now.
enum StoreMaintenance: Sendable, CaseIterable {
    case checkpoint, compact, collect, orphans, repack, verify
    /// Places of groups go to other disks.
    case shift
    /// What is being moved goes back.
    case unshift
}

extension Store {
    /// Places in each of this many groups are shifted.
    private static let shiftedGroups = 4

    /// Does it; what fails is the store's own to try again.
    func maintain(_ work: StoreMaintenance, random: any RandomSource) async {
        switch work {
        case .checkpoint: try? await checkpointer.take()
        case .compact: await compactDisks()
        case .collect: try? await collector.pass()
        case .orphans: _ = try? await orphans.pass()
        case .repack: try? await repacker.pass()
        case .verify: verifier.request()
        case .shift: try? await begin(shifts(random))
        case .unshift: _ = try? await cancelMoves()
        }
    }

    private func shifts(_ random: any RandomSource) -> [PlaceMove] {
        let map = blobs.view.map
        let groups = map.groups.values.filter(\.former.isEmpty).sorted { $0.id < $1.id }
        guard !groups.isEmpty else { return [] }
        var moves: [GroupID: PlaceMove] = [:]
        for _ in 0..<Self.shiftedGroups {
            let group = groups[Int(random.next() % UInt64(groups.count))]
            let shard = Int(random.next() % UInt64(group.members.count))
            let others = map.disks.keys.filter { !group.members.contains($0) }.sorted()
            guard !others.isEmpty else { continue }
            moves[group.id] = PlaceMove(
                group: group.id,
                shard: UInt8(shard),
                from: group.members[shard],
                to: others[Int(random.next() % UInt64(others.count))],
                bytes: 0
            )
        }
        return moves.sorted { $0.key < $1.key }.map(\.value)
    }
}
