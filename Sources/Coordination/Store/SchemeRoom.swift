internal import BlobStorage
internal import Metadata
package import ObjectModel
internal import Placement

/// Whether new objects of a scheme find room, by the very rules that take or refuse them.
package struct SchemeRoom: Hashable, Sendable {
    package enum State: Hashable, Sendable {
        case enough
        /// Without the disks that are nearly full, large objects would be refused.
        case nearlyFull
        /// Large objects are kept with fewer shards than they should be.
        case degraded
        /// The largest blobs are refused, and so objects that have some; smaller ones are taken.
        case largeRefused
        /// Whatever is new is refused.
        case refused
    }

    package var scheme: Scheme
    /// The storage classes that have it.
    package var classes: [String]
    package var state: State
    /// Disks that work and have too little room for it.
    package var disks: Set<DiskID>
}

extension Store {
    /// By scheme, but for closed ones, that of `STANDARD` first, as the disks answered last. `nearlyFull`: disks that
    /// are thought of as full to see what will be refused soon.
    package func rooms(nearlyFull: Set<DiskID>) -> [SchemeRoom] {
        let map = blobs.view.map
        let closed = map.closedSchemes
        return blobs.view.schemes.filter { !closed.contains($0) }.map { scheme in
            let standard = scheme == blobs.view.standardScheme ? [StorageClass.standard] : []
            let state = roomState(of: scheme, nearlyFull: nearlyFull)
            let length = Self.longestShard(of: scheme)
            let members = Set(map.groups.values.lazy.filter { $0.scheme == scheme }.flatMap(\.members))
            let short = blobs.view.conditions.filter { disk, condition in
                let lacksRoom = condition.room < length || state == .nearlyFull && nearlyFull.contains(disk)
                return condition.takesShards && lacksRoom && members.contains(disk)
            }
            return SchemeRoom(
                scheme: scheme,
                classes: standard + map.classes.filter { $0.value == scheme }.keys.sorted(),
                state: state,
                disks: state == .enough ? [] : Set(short.keys)
            )
        }
    }

    private func roomState(of scheme: Scheme, nearlyFull: Set<DiskID>) -> SchemeRoom.State {
        guard journal.shortage == nil, metadata.shortage == nil else { return .refused }
        let view = blobs.view
        if view.admission(of: scheme, shardLength: 1) == .refused { return .refused }
        let longest = Self.longestShard(of: scheme)
        switch view.admission(of: scheme, shardLength: longest) {
        case .refused: return .largeRefused
        case .degraded: return .degraded
        case .whole:
            let soon = view.admission(of: scheme, shardLength: longest, thinkingFull: nearlyFull)
            return soon == .refused ? .nearlyFull : .enough
        }
    }

    /// Bytes of a shard of the largest blob, into which large objects are cut.
    private static func longestShard(of scheme: Scheme) -> Int {
        StripeGeometry(scheme: scheme, blobLength: Limits.blobLength).shardLength
    }
}
