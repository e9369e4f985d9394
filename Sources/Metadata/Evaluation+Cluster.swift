internal import DiskFormat
internal import ObjectInterface
internal import ObjectModel

extension MetadataTransaction {
    // MARK: Buckets and users

    func createBucket(evaluating bucket: Bucket) throws(MetadataError) {
        if let existing = try view.bucket(bucket.name)?.bucket {
            guard existing.owner == bucket.owner else {
                throw .refused(.bucketExists, "Another user has a bucket of this name: names are global.")
            }
            throw .refused(.bucketOwnedByYou, "You have a bucket of this name already.")
        }
        try checkClass(bucket.storageClass)
        try perform([.bucketCreated(bucket)])
    }

    func deleteBucket(_ name: String) throws(MetadataError) {
        let bucket = try view.existingBucket(name)
        let prefix = RowKey.number(bucket.number)
        guard try tables.isEmpty(.versions, prefix: prefix), try tables.isEmpty(.uploadOrder, prefix: prefix) else {
            throw .refused(.bucketNotEmpty, "The bucket holds objects, or uploads that are still open.")
        }
        try perform([.bucketDeleted(name)])
    }

    func addUser(_ user: UserRecord) throws(MetadataError) {
        for other in try view.users() {
            guard other.name != user.name, other.id != user.id, other.accessKey != user.accessKey else {
                throw .refused(.userExists, "A user of this name, id or access key exists.")
            }
        }
        try perform([.userPut(user)])
    }

    func removeUser(_ name: String) throws(MetadataError) {
        guard try tables.get(.users, .text(name)) != nil else {
            throw .refused(.noSuchUser, "There is no user of this name.")
        }
        try perform([.userRemoved(name: name)])
    }

    // MARK: Repair and garbage

    func markMissing(_ shards: [PlacedShard]) throws(MetadataError) {
        var missing: [ShardID] = []
        for placed in shards {
            let shard = placed.shard
            guard let row = try view.blob(shard.blob), let group = try group(row.content.group),
                Int(shard.index) < group.scheme.shardCount, row.marks.missing & ShardMarks.bit(shard.index) == 0,
                group.holder(of: shard.index, isMoving: row.marks.moving & ShardMarks.bit(shard.index) != 0)
                    == placed.disk
            else { continue }
            missing.append(shard)
        }
        if !missing.isEmpty { try perform([.shardsMissing(missing)]) }
    }

    func registerShards(_ shards: [NewShard]) throws(MetadataError) -> Set<ShardID> {
        var registered: Set<ShardID> = []
        for new in shards {
            let shard = new.shard
            guard let row = try view.blob(shard.blob), let group = try group(row.content.group),
                group.epoch == new.groupEpoch, Int(shard.index) < group.scheme.shardCount
            else { continue }
            let marked = row.marks.missing | row.marks.moving
            if marked & ShardMarks.bit(shard.index) != 0 { try perform([.shardPresent(shard)]) }
            registered.insert(shard)
        }
        return registered
    }

    func forgetBlobs(_ ids: [BlobID]) throws(MetadataError) {
        var dead: [BlobID] = []
        for id in ids where try tables.get(.deadBlobs, .blob(id)) != nil { dead.append(id) }
        if !dead.isEmpty { try perform([.blobsForgotten(dead)]) }
    }

    func move(_ transaction: MoveTransaction) throws(MetadataError) -> [Bool] {
        try requireActive(transaction.lease)
        var pending = try newBlobs(transaction.blobs, lease: transaction.lease)
        var results: [Bool] = []
        var performed: [MetadataEffect] = []
        for move in transaction.moves {
            guard try extents(of: move.owner) == move.before,
                move.before.reduce(0, { $0 + $1.length }) == move.after.reduce(0, { $0 + $1.length })
            else {
                results.append(false)
                continue
            }
            do throws(MetadataError) {
                let effects = try adopt(move.after, &pending) + Self.effects(of: move)
                for effect in effects { try apply(effect) }
                performed += effects
                results.append(true)
            } catch .refused {
                results.append(false)
            }
        }
        record(performed)
        return results
    }

    private static func effects(of move: MoveTransaction.Move) -> [MetadataEffect] {
        var effects: [MetadataEffect] = [.extentsMoved(move.owner, move.after)]
        if let name = move.storageClass, case .version(let bucket, let key, _) = move.owner {
            effects.append(.versionClassPut(bucket: bucket, key: key, storageClass: name))
        }
        return effects
    }

    /// What an owner names now; nil when there is no such version or part any more.
    private func extents(of owner: MoveTransaction.Move.Owner) throws(MetadataError) -> [Extent]? {
        switch owner {
        case .version(let name, let key, let number):
            guard let bucket = try view.bucket(name), let version = try view.version(bucket, key: key),
                version.number == number
            else { return nil }
            return version.extents
        case .part(let upload, let number): return try view.part(upload, number: number)?.extents
        }
    }

    // MARK: Leases, disks, groups

    func grantLease(holder: NodeName) throws(MetadataError) -> WriteLease {
        guard state.nextLease < .max else {
            throw .refused(.unavailable, "All leases of this incarnation are used: restart the coordinator.")
        }
        let lease = WriteLease(incarnation: state.incarnation, number: state.nextLease)
        try perform([.leaseGranted(lease, holder: holder)])
        return lease
    }

    func endLease(_ lease: WriteLease) throws(MetadataError) {
        guard try tables.get(.leases, .lease(lease)) != nil else { return }
        try perform([.leaseEnded(lease)])
    }

    func checkMembers(of groups: [GroupRecord]) throws(MetadataError) {
        for group in groups where group.members.count != group.scheme.shardCount {
            throw .refused(.invalidArgument, "Group \(group.id) needs \(group.scheme.shardCount) members.")
        }
    }

    func putGroups(_ groups: [GroupRecord]) throws(MetadataError) {
        try checkMembers(of: groups)
        for group in groups {
            guard let old = try self.group(group.id) else { continue }
            guard old.scheme == group.scheme, old.epoch <= group.epoch else {
                throw .refused(.invalidArgument, "Group \(group.id) keeps its scheme, and its epoch never falls.")
            }
        }
        try perform(groups.map { .groupPut($0) })
    }

    func replaceMember(evaluating old: DiskID, with new: DiskID) throws(MetadataError) {
        let groups = try view.groups()
        guard groups.contains(where: { $0.involves(old) }) else { return }
        guard !groups.contains(where: { $0.involves(old) && $0.involves(new) }) else {
            throw .refused(.invalidArgument, "Disk \(new) is a member of a group of disk \(old) already.")
        }
        try perform([.memberReplaced(old, with: new)])
    }

    func spreadMember(evaluating old: DiskID, over groups: [GroupID: DiskID]) throws(MetadataError) {
        let isFormer = try view.groups().contains { $0.former.values.contains(old) }
        guard !groups.isEmpty || isFormer else { return }
        for (id, new) in groups {
            guard let group = try group(id), group.members.contains(old), !group.involves(new) else {
                throw .refused(.invalidArgument, "Disk \(new) cannot take the place of disk \(old) in group \(id).")
            }
        }
        try perform([.memberSpread(old, over: groups)])
    }

    // MARK: Start and checkpoints

    func beginIncarnation(_ incarnation: UInt32) throws(MetadataError) {
        guard incarnation > state.incarnation else {
            throw .refused(.invalidArgument, "Incarnation \(incarnation) is not above \(state.incarnation).")
        }
        try perform([.incarnationBegan(incarnation)])
    }

    func recordKeeperSetChange(_ change: KeeperSetChange) throws(MetadataError) {
        // A start that was forced makes a set of its own, which has no record: it is known by its higher generation.
        if let present = try view.keepers(), present != change.before,
            present.generation >= change.before.generation
        {
            throw .refused(.invalidArgument, "The keeper set is another than the one to be changed.")
        }
        try applyKeepers(change)
        record(payload: change.payload)
    }

    func putCheckpoints(evaluating transaction: CheckpointTransaction) throws(MetadataError) {
        try requireActive(transaction.lease)
        var pending = try newBlobs(transaction.blobs, lease: transaction.lease)
        let extents = Self.extents(transaction.checkpoints)
        try perform(try adopt(extents, &pending) + [.checkpointsPut(transaction.checkpoints)])
    }
}
