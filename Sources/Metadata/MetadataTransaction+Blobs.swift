internal import ObjectModel

// What follows from effects: references of blobs, frames in use, the repair queue, dead blobs.

extension MetadataTransaction {
    func addBlob(_ record: BlobRecord) throws(MetadataError) {
        let row = BlobRow(record)
        try tables.put(.blobs, .blob(record.id), row.encoded())
        state.statistics.blobs += 1
        filled.insert(row.content.group)
        try changeRepair(of: record.id, group: row.content.group, from: ShardMarks(), to: row.marks)
    }

    /// Replaces what an owner names. A blob that nothing names any more dies here, in the same transaction.
    func changeExtents(
        of owner: ReferenceKey.Owner,
        from old: [Extent],
        to new: [Extent]
    ) throws(MetadataError) {
        if old == new { return }
        var order: [BlobID] = []
        var changes: [BlobID: (old: [Extent], new: [Extent])] = [:]
        for extent in new {
            if changes[extent.blob] == nil { order.append(extent.blob) }
            changes[extent.blob, default: ([], [])].new.append(extent)
        }
        for extent in old {
            if changes[extent.blob] == nil { order.append(extent.blob) }
            changes[extent.blob, default: ([], [])].old.append(extent)
        }
        for id in order {
            guard let change = changes[id], change.old != change.new else { continue }
            try changeReference(of: id, owner, from: change.old, to: change.new)
        }
    }

    private func changeReference(
        of id: BlobID,
        _ owner: ReferenceKey.Owner,
        from old: [Extent],
        to new: [Extent]
    ) throws(MetadataError) {
        guard var blob = try view.blob(id) else { throw .corrupt("extents of blob \(id), which is not live") }
        let sparseBefore = SparseKey.key(id, blob)
        let reference = ReferenceKey(blob: id, owner: owner).key
        for extent in new { try add(1, extent, to: &blob) }
        for extent in old { try add(-1, extent, to: &blob) }
        if old.isEmpty {
            blob.references += 1
            try tables.put(.references, reference, [])
        } else if new.isEmpty {
            blob.references -= 1
            try tables.remove(.references, reference)
        }
        guard blob.references > 0 else {
            if let sparseBefore { try tables.remove(.sparse, sparseBefore) }
            return try kill(id, blob)
        }
        try tables.put(.blobs, .blob(id), blob.encoded())
        let sparse = SparseKey.key(id, blob)
        guard sparse != sparseBefore else { return }
        if let sparseBefore { try tables.remove(.sparse, sparseBefore) }
        if let sparse { try tables.put(.sparse, sparse, []) }
    }

    private func add(_ delta: Int, _ extent: Extent, to blob: inout BlobRow) throws(MetadataError) {
        guard let frames = blob.content.frames(of: extent), blob.usage.add(delta, to: frames) else {
            throw .corrupt("an extent beyond blob \(extent.blob)")
        }
    }

    private func kill(_ id: BlobID, _ row: BlobRow) throws(MetadataError) {
        try changeRepair(of: id, group: row.content.group, from: row.marks, to: ShardMarks())
        try tables.remove(.blobs, .blob(id))
        try tables.put(.deadBlobs, .blob(id), row.encoded())
        state.statistics.blobs -= 1
        state.statistics.deadBlobs += 1
    }

    func forget(_ ids: [BlobID]) throws(MetadataError) {
        for id in ids where try tables.get(.deadBlobs, .blob(id)) != nil {
            try tables.remove(.deadBlobs, .blob(id))
            state.statistics.deadBlobs -= 1
        }
    }

    /// Changes what the row of a live blob says of one of its shards.
    func mark(_ shard: ShardID, _ change: (inout ShardMarks, UInt32) -> Void) throws(MetadataError) {
        guard shard.index < 32, var row = try view.blob(shard.blob) else { return }
        let before = row.marks
        change(&row.marks, ShardMarks.bit(shard.index))
        guard row.marks != before else { return }
        touched.everyVersion = true
        try tables.put(.blobs, .blob(shard.blob), row.encoded())
        try changeRepair(of: shard.blob, group: row.content.group, from: before, to: row.marks)
    }

    /// Keeps the repair queue, the list of what is to be moved and their counts in step with a blob's marks.
    func changeRepair(
        of id: BlobID,
        group number: GroupID,
        from before: ShardMarks,
        to after: ShardMarks
    ) throws(MetadataError) {
        guard before != after else { return }
        try changeMoves(of: id, group: number, from: before.moving, to: after.moving)
        guard before.missing != after.missing else { return }
        guard let group = try group(number) else { throw .corrupt("a blob of group \(number), which is not there") }
        let parity = group.scheme.parityCount
        let (oldSpares, newSpares) = (
            parity - before.missing.nonzeroBitCount, parity - after.missing.nonzeroBitCount
        )
        let old = RepairRow(spares: oldSpares, blob: id, group: number, missing: before.missing)
        let new = RepairRow(spares: newSpares, blob: id, group: number, missing: after.missing)
        if before.missing != 0, oldSpares != newSpares || after.missing == 0 { try tables.remove(.repairs, old.key) }
        if after.missing != 0 { try tables.put(.repairs, new.key, new.row) }
        state.statistics.missingShards += oldSpares - newSpares
        state.statistics.blobsBelowQuorum += (newSpares < 0 ? 1 : 0) - (oldSpares < 0 ? 1 : 0)
    }

    private func changeMoves(of id: BlobID, group: GroupID, from before: UInt32, to after: UInt32) throws(MetadataError)
    {
        guard before != after else { return }
        let row = MoveRow(group: group, blob: id, moving: after)
        if after == 0 { try tables.remove(.moves, row.key) } else { try tables.put(.moves, row.key, row.row) }
        state.statistics.movingShards += after.nonzeroBitCount - before.nonzeroBitCount
    }
}
