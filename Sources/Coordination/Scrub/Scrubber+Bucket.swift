internal import BlobStorage
internal import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import Placement
import Synchronization
internal import SystemInterface

/// The reading of one bucket's objects, because somebody asked for it: in the order of keys, all shards of each blob,
/// as fast as the disks go. Ages of disks do not change by it.
extension Scrubber {
    private static let keyPage = 256
    /// Blobs that are remembered as read: neighbors share packs. When there are more, some are read twice.
    private static let rememberedBlobs = 4_096

    func readBucket() async {
        var read: Set<BlobID> = []
        while let job = bucketJob, await readPage(of: job, &read) {}
        state.withLock { $0.isReadingBucket = false }
    }

    private var bucketJob: ScrubRecord.BucketJob? {
        guard !Task.isCancelled else { return nil }
        return state.withLock { state in
            guard !state.record.isPaused, let job = state.record.bucket, job.ended == nil else { return nil }
            return job
        }
    }

    /// False when the job has ended or cannot go on now.
    private func readPage(of job: ScrubRecord.BucketJob, _ read: inout Set<BlobID>) async -> Bool {
        let request = ListRequest(bucket: job.bucket, after: job.after, limit: Self.keyPage)
        let page: ListPage
        do throws(StorageError) {
            page = try await metadata.list(request)
        } catch {
            // A bucket that was deleted meanwhile has nothing left to read.
            if error.code == .noSuchBucket { change(job) { $0.ended = time.wall } }
            return false
        }
        for entry in page.entries {
            guard bucketJob?.started == job.started else { return false }
            guard await readObject(entry.name, of: job, &read) else { return false }
        }
        if !page.isTruncated { change(job) { $0.ended = time.wall } }
        return page.isTruncated
    }

    private func readObject(_ key: String, of job: ScrubRecord.BucketJob, _ read: inout Set<BlobID>) async -> Bool {
        var (shards, bad, absent, skipped) = (0, 0, 0, 0)
        do throws(StorageError) {
            let detail = try await metadata.version(bucket: job.bucket, key: key)
            for blob in (detail?.blobs.values.sorted { $0.id < $1.id } ?? []) where !read.contains(blob.id) {
                let result = await readBlob(blob)
                guard let result else { return false }
                shards += result.shards
                bad += result.bad
                absent += result.absent
                skipped += result.skipped
                if read.count >= Self.rememberedBlobs { read = [] }
                read.insert(blob.id)
            }
        } catch {
            return false
        }
        change(job) { [shards, bad, absent, skipped] job in
            job.after = key
            job.objects += 1
            job.shards += shards
            job.bad += bad
            job.absent += absent
            job.skipped += skipped
        }
        state.withLock { [shards, bad, absent] state in
            state.totals.shards += shards
            state.totals.bad += bad
            state.totals.absent += absent
        }
        return true
    }

    /// All disks side by side; nil when what was found could not be noted.
    private func readBlob(_ blob: BlobRecord) async -> (shards: Int, bad: Int, absent: Int, skipped: Int)? {
        guard let group = blobs.view.group(blob.group) else { return (0, 0, 0, 0) }
        let holders = group.holders(moving: blob.moving)
        let present = holders.indices.filter { !blob.missing.contains(UInt8($0)) }
        let verdicts = await withTaskGroup(of: (Int, ShardVerdict).self) { tasks in
            for index in present {
                let shard = ShardID(blob: blob.id, index: UInt8(index))
                tasks.addTask { (index, await self.blobs.nodes.judge(shard, on: holders[index])) }
            }
            return await tasks.reduce(into: []) { $0.append($1) }
        }
        var (bad, absent) = (0, 0)
        for (index, verdict) in verdicts.sorted(by: { $0.0 < $1.0 }) where verdict.isBad {
            let shard = ShardID(blob: blob.id, index: UInt8(index))
            guard let found = await note([shard], on: holders[index]) else { return nil }
            bad += found.bad
            absent += found.absent
        }
        return (present.count, bad, absent, verdicts.count { $0.1 == .silent })
    }

    /// Changes the job, if it is still this one.
    private func change(_ job: ScrubRecord.BucketJob, _ body: (inout ScrubRecord.BucketJob) -> Void) {
        state.withLock { state in
            guard var current = state.record.bucket, current.bucket == job.bucket, current.started == job.started else {
                return
            }
            body(&current)
            state.record.bucket = current
            state.isChanged = true
            if current.ended != nil { state.isSaveDue = true }
        }
    }
}
