internal import BlobStorage
internal import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import Placement
import Synchronization
internal import SystemInterface

/// The check that the shards of a blob belong together: its data is coded again and compared.
extension Scrubber {
    /// Blobs taken from the metadata in one go: what is read of one takes long.
    private static let stripePage = 64

    func checkStripes() async {
        while mayCheckStripes {
            let cursor = state.withLock { $0.record.stripes?.pass?.cursor }
            guard let page = try? await metadata.blobs(after: cursor, limit: Self.stripePage) else { break }
            guard !page.isEmpty else {
                let now = time.wall
                state.withLock { state in
                    state.record.stripes?.finish(now: now)
                    state.isSaveDue = true
                }
                break
            }
            for blob in page where mayCheckStripes { await checkOne(blob) }
        }
        state.withLock { $0.isCheckingStripes = false }
    }

    private var mayCheckStripes: Bool {
        !Task.isCancelled && state.withLock { !$0.record.isPaused && $0.record.stripes?.pass != nil }
    }

    private func checkOne(_ blob: BlobRecord) async {
        let start = time.monotonic
        var step = ScrubWalk.Step(end: blob.id, began: time.wall)
        if let group = blobs.view.group(blob.group) {
            let location = BlobLocation(blob, in: group)
            step.bytes = location.geometry.shardLength * location.scheme.shardCount
            step.shards = location.scheme.shardCount
            let check = try? await blobs.checkCoding(location, frames: blob.frames, ingestDigest: blob.ingestDigest)
            guard !Task.isCancelled else { return }
            if let check {
                await take(check, of: blob, at: location, &step)
            } else if (try? await metadata.blob(blob.id)) ?? nil != nil {
                step.skipped = location.scheme.shardCount
            }
        }
        state.withLock { [step] state in
            state.record.stripes?.advance(step, window: codingWindow)
            state.totals.blobsChecked += step.shards > 0 && step.skipped == 0 ? 1 : 0
            state.isChanged = true
        }
        await pace(step.bytes, since: start, rate: { stripeRate }, goesOn: { mayCheckStripes })
    }

    private func take(
        _ check: CodingCheck,
        of blob: BlobRecord,
        at location: BlobLocation,
        _ step: inout ScrubWalk.Step
    ) async {
        guard !check.isGood else {
            state.withLock { _ = $0.damaged.remove(blob.id) }
            return
        }
        // Moved, deleted or repaired while it was read: what was seen says nothing of what is.
        guard let now = try? await metadata.blob(blob.id), now == blob,
            blobs.view.group(blob.group)?.holders(moving: blob.moving) == location.members
        else { return }
        state.withLock { $0.totals.blobsMiscoded += 1 }
        guard check.isAsIngested else { return noteDamaged(blob.id) }
        step.bad = check.deviating.count
        if await hasEnough(check.fitting, of: blob.id, at: location) {
            await giveUp(check.deviating, of: blob.id, at: location)
        } else if !(await helpers.withLock { $0.rewrite }(blob.id)) {
            noteDamaged(blob.id)
        }
    }

    /// Whether k of these shards are read and good: then the blob can be made from them alone.
    private func hasEnough(_ shards: [UInt8], of blob: BlobID, at location: BlobLocation) async -> Bool {
        var good = 0
        for index in shards where good < location.scheme.dataCount {
            let verdict = await blobs.nodes.judge(ShardID(blob: blob, index: index), on: location.members[Int(index)])
            good += verdict == .good ? 1 : 0
        }
        return good >= location.scheme.dataCount
    }

    /// The data is proved by its ingest digest, and k good shards with the right digests remain: what differs is taken
    /// away, because repair would find it good by its own measure, and made anew.
    private func giveUp(_ shards: [CodingCheck.Deviation], of blob: BlobID, at location: BlobLocation) async {
        var gone: [PlacedShard] = []
        for odd in shards {
            let placed = PlacedShard(ShardID(blob: blob, index: odd.shard), on: location.members[Int(odd.shard)])
            let stamp = odd.writeStamp
            guard (try? await blobs.nodes.eraseRecord(placed.disk, placed.shard, writeStamp: stamp)) != nil else {
                continue
            }
            gone.append(placed)
        }
        // What is not noted now is found lost by the next pass over its disk.
        if (try? await metadata.markMissing(gone)) != nil { await helpers.withLock { $0.found }(gone) }
        state.withLock { $0.totals.bad += gone.count }
    }

    private func noteDamaged(_ blob: BlobID) {
        state.withLock { state in
            if state.damaged.count < Self.damagedLimit { state.damaged.insert(blob) }
        }
    }

    /// Of all disks together.
    private var stripeRate: Int? {
        let now = time.wall
        return state.withLock { state in
            guard let walk = state.record.stripes else { return nil }
            let live = state.live.values.reduce(0, +)
            let needed = walk.neededRate(live: live, window: codingWindow, now: now)
            let (most, overflow) = settings.maximumRate.multipliedReportingOverflow(by: max(1, state.live.count))
            return min(max(Int(min(needed, 1e15)), settings.minimumRate), overflow ? .max : most)
        }
    }
}
