internal import ObjectInterface
internal import ObjectModel

// Members of groups: replaced by others when they are lost, moved to others while they are there.

extension MetadataTransaction {
    // MARK: Evaluation

    func moveMembers(evaluating moves: MemberMoves) throws(MetadataError) {
        for (id, places) in moves {
            guard let group = try group(id) else { throw .refused(.invalidArgument, "There is no group \(id).") }
            for (place, new) in places {
                guard Int(place) < group.members.count, new != group.members[Int(place)] else {
                    throw .refused(.invalidArgument, "Place \(place) of group \(id) cannot be moved to disk \(new).")
                }
                if let former = group.former[place] {
                    guard former == new else {
                        throw .refused(.invalidArgument, "Place \(place) of group \(id) is being moved already.")
                    }
                } else if group.involves(new) || places.contains(where: { $0.key != place && $0.value == new }) {
                    throw .refused(.invalidArgument, "Disk \(new) is part of group \(id) already.")
                }
            }
        }
        let moves = moves.filter { !$0.value.isEmpty }
        if !moves.isEmpty { try perform([.membersMoved(moves)]) }
    }

    func endMovesEvaluating(_ finished: [GroupID: [UInt8]]) throws(MetadataError) -> Int {
        var ends: [GroupID: [UInt8]] = [:]
        for (id, places) in try view.finishedMoves() {
            let both = places.filter { finished[id]?.contains($0) == true }
            if !both.isEmpty { ends[id] = both }
        }
        if !ends.isEmpty { try perform([.movesEnded(ends)]) }
        return ends.values.reduce(0) { $0 + $1.count }
    }

    /// A new blob as its group stands now: where the member is another than the one its shard was written to, the shard
    /// is moving when that place is being moved, and missing otherwise. What is not where this says turns out when the
    /// shard is to be moved or repaired. Refused when too few shards are left to promise anything.
    func placed(_ blob: BlobRecord, in group: GroupRecord) throws(MetadataError) -> BlobRecord {
        guard let epoch = blob.groupEpoch, epoch < group.epoch else { return blob }
        let changed = (UInt8(0)..<UInt8(clamping: group.members.count)).filter {
            group.since[Int($0)] > epoch && !blob.missing.contains($0)
        }
        var blob = blob
        blob.missing = (blob.missing + changed.filter { group.former[$0] == nil }).sorted()
        blob.moving = changed.filter { group.former[$0] != nil }
        guard group.scheme.shardCount - blob.missing.count >= group.scheme.degradedQuorum else {
            throw .refused(.unavailable, "The disks of placement group \(group.id) changed meanwhile: write it again.")
        }
        return blob
    }

    /// The effects that make a new blob live.
    static func added(_ blob: BlobRecord) -> [MetadataEffect] {
        if blob.moving.isEmpty { return [.blobAdded(blob)] }
        return [.blobAdded(blob), .shardsMoving(blob.moving.map { ShardID(blob: blob.id, index: $0) })]
    }

    // MARK: Effects

    /// The shards of every live blob of the groups in which another disk takes the place of `old` are missing there,
    /// but for those that have not been moved to it yet. What still lay on `old` from before a move is missing too.
    func replaceMember(_ old: DiskID, by standIn: (GroupID) -> DiskID?) throws(MetadataError) {
        /// By group: places that `old` had, and places being moved away from it.
        var lost: [GroupID: (member: UInt32, former: UInt32)] = [:]
        for var group in try view.groups() where group.involves(old) {
            var masks: (member: UInt32, former: UInt32) = (0, 0)
            for (place, former) in group.former where former == old {
                masks.former |= ShardMarks.bit(place)
                group.former[place] = nil
            }
            if let new = standIn(group.id) {
                group.epoch &+= 1
                for (place, member) in group.members.enumerated() where member == old {
                    masks.member |= ShardMarks.bit(UInt8(clamping: place))
                    group.members[place] = new
                    group.since[place] = group.epoch
                }
            }
            guard masks != (0, 0) else { continue }
            lost[group.id] = masks
            try putGroup(group)
        }
        guard !lost.isEmpty else { return }
        try markBlobs { group, marks in
            guard let masks = lost[group] else { return }
            marks.setMissing(masks.member & ~marks.moving | masks.former & marks.moving)
        }
    }

    /// What was at the member before is moving to the new one. When the new one is the disk that the place was being
    /// moved from, that is what had been moved so far, and the rest is where it belongs: all bits turn round.
    func moveMembers(_ moves: MemberMoves) throws(MetadataError) {
        var turned: [GroupID: UInt32] = [:]
        for (id, places) in moves {
            guard var group = try group(id) else { throw .corrupt("a move in group \(id), which is not there") }
            group.epoch &+= 1
            for (place, new) in places {
                guard group.members.indices.contains(Int(place)) else { throw .corrupt("a move of place \(place)") }
                group.former[place] = group.members[Int(place)]
                group.members[Int(place)] = new
                group.since[Int(place)] = group.epoch
            }
            turned[id] = ShardMarks.mask(places.keys)
            try putGroup(group)
        }
        try markBlobs { group, marks in
            guard let mask = turned[group] else { return }
            marks.moving ^= mask & ~marks.missing
        }
    }

    func endMoves(_ ends: [GroupID: [UInt8]]) throws(MetadataError) {
        for (id, places) in ends {
            guard var group = try group(id) else { throw .corrupt("a move in group \(id), which is not there") }
            for place in places { group.former[place] = nil }
            try putGroup(group)
        }
    }

    /// One pass over the blobs by id, rows taken as they are but for their marks: about ten microseconds a blob.
    private func markBlobs(_ change: (GroupID, inout ShardMarks) -> Void) throws(MetadataError) {
        touched.everyVersion = true
        var position: RowKey? = []
        while let start = position {
            let rows = try tables.rows(.blobs, from: start, limit: Self.passLength)
            for (key, row) in rows {
                guard let marked = try BlobRow.marking(row, change) else { continue }
                var reader = KeyReader(key)
                let id = try reader.blob()
                try tables.put(.blobs, key, marked.bytes)
                try changeRepair(of: id, group: marked.group, from: marked.before, to: marked.after)
            }
            position = rows.count < Self.passLength ? nil : rows.last?.key.next
        }
    }

    /// Rows read at once in a pass over a table: bounds its memory.
    private static let passLength = 1_000
}
