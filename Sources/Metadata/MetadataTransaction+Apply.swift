internal import ObjectInterface
internal import ObjectModel

// What each effect does to the rows. Throws only when the rows contradict the effect: the store is damaged then.

extension MetadataTransaction {
    func apply(_ effect: MetadataEffect) throws(MetadataError) {
        switch effect {
        case .bucketCreated(let bucket): try createBucket(bucket)
        case .bucketDeleted(let name):
            touched.buckets.insert(.text(name))
            try tables.remove(.buckets, .text(name))
            try removeClassRewrite(of: name)
            state.statistics.buckets -= 1
        case .userPut(let user): try tables.put(.users, .text(user.name), user.encoded())
        case .userRemoved(let name): try tables.remove(.users, .text(name))
        case .blobAdded(let blob): try addBlob(blob)
        case .versionPut(let version): try putVersion(version)
        case .versionRemoved(let bucket, let key, _): try removeVersion(bucket, key)
        case .tagsPut(let bucket, let key, let tags): try putTags(bucket, key, tags)
        case .versionClassPut(let bucket, let key, let name): try putClass(bucket, key, name)
        case .uploadCreated(let upload): try createUpload(upload)
        case .uploadEnded(let id): try endUpload(id)
        case .partPut(let part): try putPart(part)
        case .shardsMissing(let shards):
            for shard in shards { try mark(shard) { $0.setMissing($1) } }
        case .shardPresent(let shard): try mark(shard) { $0.setPresent($1) }
        case .blobsForgotten(let ids): try forget(ids)
        case .extentsMoved(let owner, let extents): try moveExtents(owner, extents)
        default: try applyToCluster(effect)
        }
    }

    private func applyToCluster(_ effect: MetadataEffect) throws(MetadataError) {
        switch effect {
        case .leaseGranted(let lease, let holder):
            try tables.put(.leases, .lease(lease), .text(holder.name))
            if lease.incarnation == state.incarnation { state.nextLease = max(state.nextLease, lease.number &+ 1) }
        case .leaseEnded(let lease): try tables.remove(.leases, .lease(lease))
        case .diskPut(let disk): try tables.put(.disks, .disk(disk.id), disk.encoded())
        case .groupPut(let group): try putGroup(group)
        case .memberReplaced(let old, let new): try replaceMember(old) { _ in new }
        case .memberSpread(let old, let groups): try replaceMember(old) { groups[$0] }
        case .membersMoved(let moves): try moveMembers(moves)
        case .movesEnded(let ends): try endMoves(ends)
        case .shardsMoving(let shards):
            for shard in shards { try mark(shard) { $0.setMoving($1) } }
        case .classPut(let item): try tables.put(.classes, .text(item.name), item.encoded())
        case .classRemoved(let name): try tables.remove(.classes, .text(name))
        case .bucketClassPut(let bucket, let name): try putBucketClass(bucket, name)
        case .classRewritePut(let rewrite): try putClassRewrite(rewrite)
        case .classRewriteEnded(let bucket): try removeClassRewrite(of: bucket)
        case .maintenancePut(let maintenance): try putMaintenance(maintenance)
        case .maintenanceEnded(let site, let node): try removeMaintenance(site, node)
        case .forcedStartPut(let start): try putForcedStart(start)
        case .certificateFloorPut(let floor): try putCertificateFloor(floor)
        case .incarnationBegan(let incarnation): try begin(incarnation: incarnation)
        case .checkpointsPut(let checkpoints): try putCheckpoints(checkpoints)
        default: preconditionFailure("an effect without meaning")
        }
    }

    // MARK: Buckets and versions

    private func createBucket(_ bucket: Bucket) throws(MetadataError) {
        touched.buckets.insert(.text(bucket.name))
        let row = BucketRow(number: state.nextBucket, bucket: bucket)
        state.nextBucket += 1
        state.statistics.buckets += 1
        try tables.put(.buckets, .text(bucket.name), row.encoded())
    }

    private func putBucketClass(_ name: String, _ storageClass: String?) throws(MetadataError) {
        touched.buckets.insert(.text(name))
        var row = try bucket(name)
        row.bucket.storageClass = storageClass
        try tables.put(.buckets, .text(name), row.encoded())
    }

    private func putVersion(_ version: VersionRecord) throws(MetadataError) {
        let bucket = try bucket(version.bucket)
        let old = try view.version(bucket, key: version.key)
        let owner = ReferenceKey.Owner.version(bucket: bucket.number, key: version.key)
        try changeExtents(of: owner, from: old?.extents ?? [], to: version.extents)
        try put(version, bucket)
        state.nextVersion = max(state.nextVersion, version.number &+ 1)
        state.statistics.bytes += version.length - (old?.length ?? 0)
        if old == nil { state.statistics.versions += 1 }
    }

    private func put(_ version: VersionRecord, _ bucket: BucketRow) throws(MetadataError) {
        touch(version.bucket, version.key)
        let row = VersionRow.encode(version, usualOwner: bucket.bucket.owner)
        try tables.put(.versions, .version(bucket: bucket.number, key: version.key), row)
    }

    private func existingVersion(_ bucket: BucketRow, _ key: String) throws(MetadataError) -> VersionRecord {
        guard let version = try view.version(bucket, key: key) else {
            throw .corrupt("an effect on a version that is not there")
        }
        return version
    }

    private func removeVersion(_ bucketName: String, _ key: String) throws(MetadataError) {
        let bucket = try bucket(bucketName)
        let old = try existingVersion(bucket, key)
        touch(bucketName, key)
        try tables.remove(.versions, .version(bucket: bucket.number, key: key))
        try changeExtents(of: .version(bucket: bucket.number, key: key), from: old.extents, to: [])
        state.statistics.versions -= 1
        state.statistics.bytes -= old.length
    }

    private func putTags(_ bucketName: String, _ key: String, _ tags: [ObjectTag]) throws(MetadataError) {
        let bucket = try bucket(bucketName)
        var version = try existingVersion(bucket, key)
        version.tags = tags
        try put(version, bucket)
    }

    private func putClass(_ bucketName: String, _ key: String, _ name: String) throws(MetadataError) {
        let bucket = try bucket(bucketName)
        var version = try existingVersion(bucket, key)
        version.attributes.storageClass = name
        try put(version, bucket)
    }

    private func touch(_ bucket: String, _ key: String) {
        touched.versions.insert(ReadCache.key(bucket: bucket, key: key))
    }

    private func moveExtents(_ owner: MoveTransaction.Move.Owner, _ extents: [Extent]) throws(MetadataError) {
        switch owner {
        case .version(let name, let key, _):
            let bucket = try bucket(name)
            var version = try existingVersion(bucket, key)
            let before = version.extents
            version.extents = extents
            try changeExtents(of: .version(bucket: bucket.number, key: key), from: before, to: extents)
            try put(version, bucket)
        case .part(let upload, let number):
            guard var part = try view.part(upload, number: number) else {
                throw .corrupt("an effect on a part that is not there")
            }
            let before = part.extents
            part.extents = extents
            try changeExtents(of: .part(upload, number: number), from: before, to: extents)
            try tables.put(.parts, .part(upload, number: number), part.encoded())
        }
    }

    // MARK: Uploads

    private func createUpload(_ record: UploadRecord) throws(MetadataError) {
        let upload = record.upload
        let bucket = try bucket(upload.bucket)
        try tables.put(.uploads, .upload(upload.id), record.encoded())
        try tables.put(.uploadOrder, Self.orderKey(upload, bucket.number), [])
        try tables.put(.uploadTimes, Self.timeKey(upload), [])
        state.statistics.uploads += 1
    }

    private func putPart(_ part: PartRecord) throws(MetadataError) {
        let old = try view.part(part.upload, number: part.summary.number)
        let owner = ReferenceKey.Owner.part(part.upload, number: part.summary.number)
        try changeExtents(of: owner, from: old?.extents ?? [], to: part.extents)
        try tables.put(.parts, .part(part.upload, number: part.summary.number), part.encoded())
    }

    private func endUpload(_ id: UploadID) throws(MetadataError) {
        guard let record = try view.upload(id) else { throw .corrupt("an upload that is not there") }
        let bucket = try bucket(record.upload.bucket)
        for part in try view.parts(of: id, after: -1, limit: .max) {
            try tables.remove(.parts, .part(id, number: part.summary.number))
            try changeExtents(of: .part(id, number: part.summary.number), from: part.extents, to: [])
        }
        try tables.remove(.uploads, .upload(id))
        try tables.remove(.uploadOrder, Self.orderKey(record.upload, bucket.number))
        try tables.remove(.uploadTimes, Self.timeKey(record.upload))
        state.statistics.uploads -= 1
    }

    private static func orderKey(_ upload: Upload, _ bucket: UInt64) -> RowKey {
        var key = RowKey.number(bucket)
        key.append(terminated: upload.key)
        key.append(upload.created)
        key.append(terminated: upload.id.text)
        return key
    }

    private static func timeKey(_ upload: Upload) -> RowKey {
        var key = RowKey()
        key.append(upload.created)
        key.append(terminated: upload.id.text)
        return key
    }

    // MARK: The cluster

    func putGroup(_ group: GroupRecord) throws(MetadataError) {
        groups[group.id] = group
        try tables.put(.groups, .group(group.id), group.encoded())
    }

    private func putCheckpoints(_ checkpoints: [CheckpointRecord]) throws(MetadataError) {
        let old = try view.checkpoints()
        try changeExtents(of: .checkpoint, from: Self.extents(old), to: Self.extents(checkpoints))
        try tables.put(.meta, MetadataState.checkpointsKey, KeptCheckpoints(checkpoints).encoded())
    }

    /// Each extent once, however many checkpoints share its piece.
    static func extents(_ checkpoints: [CheckpointRecord]) -> [Extent] {
        var seen: Set<Extent> = []
        return checkpoints.flatMap(\.pieces).flatMap(\.extents).filter { seen.insert($0).inserted }
    }
}
