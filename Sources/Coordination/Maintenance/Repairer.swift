package import BlobStorage
internal import ClusterProtocol
package import Metadata
package import ObjectInterface
package import ObjectModel
internal import Placement
import Synchronization
package import SystemInterface

/// Puts missing shards back: blobs with the fewest spare shards first, several blobs at a time (DESIGN §8).
///
/// A shard counts as back only once it was read again and registered, with others, by a transaction that requires its
/// blob live and its group unchanged. Nothing is ever purged: a blob below k shards stays listed.
package final class Repairer: Sendable {
    /// Blobs repaired side by side: enough to keep the disks of a small machine busy.
    package static let concurrency = 8
    /// Blobs whose new shards are registered by one transaction: each costs a record on all keepers of the journal.
    private static let registered = 32
    /// How long a new shard waits for others until it is registered.
    private static let patience = Duration.milliseconds(500)
    /// After so long the list is looked at anew, once what is under way has ended: what has fewer spares by now goes
    /// first, whatever was in line.
    private static let round = Duration.seconds(15)
    /// Missing shards looked at in one go.
    package static let batch = 512
    /// How often the list is looked at when nothing wakes the repairer.
    package static let interval = Duration.seconds(1)

    private struct State {
        var progress = RepairProgress()
        var isActive = false
        var suspects: Set<ShardID> = []
        /// Shards put back since the last time that none was missing; nil when they were too many to remember.
        var restored: Set<ShardID>? = []
    }

    private let metadata: any MetadataStore
    private let blobs: BlobStore
    private let time: any TimeSource
    private let state = Mutex(State())
    private let wholeObserver = Mutex<(@Sendable (Set<ShardID>?) -> Void)?>(nil)

    package init(metadata: any MetadataStore, blobs: BlobStore, time: any TimeSource) {
        self.metadata = metadata
        self.blobs = blobs
        self.time = time
    }

    /// Called after a pass that put shards back and left none missing, with those put back since the last time (nil:
    /// many): time for an independent count.
    package func onWhole(_ observer: @escaping @Sendable (Set<ShardID>?) -> Void) {
        wholeObserver.withLock { $0 = observer }
    }

    package var progress: RepairProgress { state.withLock { $0.progress } }

    /// Shards that a read found bad wait here until they are noted in the metadata; more than this are dropped, because
    /// the next scrub finds them again.
    package static let suspectLimit = 65_536

    /// Takes note of a shard found lost or bad; cheap, from any task.
    package func suspect(_ shard: ShardID) {
        state.withLock { state in
            if state.suspects.count < Self.suspectLimit { state.suspects.insert(shard) }
        }
    }

    /// Repairs until cancelled.
    package func run() async {
        while !Task.isCancelled {
            await pass()
            try? await time.sleep(for: Self.interval)
        }
    }

    /// Works until nothing that can be repaired now is missing.
    package func pass() async {
        try? await noteSuspects()
        let doneBefore = progress.shardsDone
        var failed: Set<BlobID> = []
        while !Task.isCancelled, let missing = try? await metadata.missingShards(limit: Self.batch + failed.count * 32)
        {
            let byBlob = Dictionary(grouping: missing, by: \.shard.blob).filter { !failed.contains($0.key) }
            guard !byBlob.isEmpty else { break }
            let ordered = byBlob.keys.sorted {
                let left = byBlob[$0]?.first?.spares ?? 0
                let right = byBlob[$1]?.first?.spares ?? 0
                return left == right ? $0 < $1 : left < right
            }
            state.withLock { $0.progress.isActive = true }
            failed.formUnion(await repair(ordered))
        }
        state.withLock { state in
            state.progress.isActive = false
            state.progress.waiting = failed.count
        }
        if progress.shardsDone > doneBefore, (try? await metadata.missingShardCount()) == 0 {
            let restored = state.withLock { state in
                defer { state.restored = [] }
                return state.restored
            }
            wholeObserver.withLock { $0 }?(restored)
        }
    }

    private func noteSuspects() async throws(StorageError) {
        let suspects = state.withLock { state in
            defer { state.suspects = [] }
            return state.suspects.sorted()
        }
        guard !suspects.isEmpty else { return }
        // A read may have met a shard that moved or was erased meanwhile: only what is bad now is noted.
        var bad: [PlacedShard] = []
        for shard in suspects {
            guard case .at(let disk) = try await metadata.place(of: shard, in: blobs.view),
                await blobs.nodes.judge(shard, on: disk) == .bad
            else { continue }
            bad.append(PlacedShard(shard, on: disk))
        }
        if !bad.isEmpty {
            await blobs.buggify.pause(.lookLate, time)
            try await metadata.markMissing(bad)
        }
    }

    /// Repairs blobs side by side, in a round; returns those that could not be repaired in full.
    private func repair(_ ids: [BlobID]) async -> Set<BlobID> {
        let failed = Mutex<Set<BlobID>>([])
        let end = time.monotonic.advanced(by: Self.round)
        await SideBySide(
            concurrency: Self.concurrency,
            batch: Self.registered,
            patience: Self.patience,
            time: time,
            work: { id in
                let repaired = await self.repair(id)
                if repaired?.isWhole != true { failed.withLock { _ = $0.insert(id) } }
                return repaired
            },
            settle: { repaired in
                let counting = await self.register(repaired)
                let left = repaired.filter { !counting.isSuperset(of: $0.new.map(\.shard)) }
                failed.withLock { $0.formUnion(left.map(\.blob)) }
            }
        ).run(ids) { !Task.isCancelled && time.monotonic < end }
        return failed.withLock { $0 }
    }

    /// What repair has made of a blob.
    private struct Repaired {
        var blob: BlobID
        /// Shards that are whole where they belong, and do not count yet.
        var new: [NewShard] = []
        /// Of each.
        var length = 0
        /// Whether nothing of the blob is missing once they count; also when it is gone.
        var isWhole = true
    }

    /// Nil when nothing could be done.
    private func repair(_ id: BlobID) async -> Repaired? {
        do {
            guard let blob = try await metadata.blob(id), !blob.missing.isEmpty else { return Repaired(blob: id) }
            guard let group = blobs.view.group(blob.group) else { return nil }
            let location = BlobLocation(
                blob: id,
                length: blob.length,
                group: group,
                missing: blob.missing,
                moving: blob.moving
            )
            let done = try await blobs.repair(
                RepairRequest(
                    location: location,
                    group: group,
                    frames: blob.frames,
                    ingestDigest: blob.ingestDigest,
                    shards: blob.missing
                )
            )
            return Repaired(
                blob: id,
                new: done.map { NewShard(ShardID(blob: id, index: $0), groupEpoch: group.epoch) },
                length: location.geometry.shardLength,
                isWhole: done.count == blob.missing.count
            )
        } catch {
            return nil
        }
    }

    /// Lets the new shards count; returns those that do. Others are of blobs that are gone, or of groups that have
    /// changed meanwhile, or the metadata could not be changed.
    private func register(_ repaired: [Repaired]) async -> Set<ShardID> {
        let new = repaired.flatMap(\.new)
        guard !new.isEmpty, let counting = try? await metadata.registerShards(new) else { return [] }
        let bytes = repaired.reduce(0) { bytes, blob in
            bytes + blob.length * blob.new.count { counting.contains($0.shard) }
        }
        count(counting, bytes: bytes)
        return counting
    }

    private func count(_ shards: Set<ShardID>, bytes: Int) {
        state.withLock { state in
            state.progress.note(shards: shards.count, bytes: bytes, now: time.monotonic)
            state.restored?.formUnion(shards)
            if let restored = state.restored, restored.count > Verifier.recountLimit { state.restored = nil }
        }
    }
}

/// What the repairer has done since the program started.
package struct RepairProgress: Hashable, Sendable {
    package var isActive = false
    package var shardsDone = 0
    package var bytesDone = 0
    /// Blobs that could not be repaired in the last pass: too few good shards, or no disk to write to.
    package var waiting = 0
    private var pace = WorkPace()

    package init() {}

    mutating func note(shards: Int, bytes: Int, now: MonotonicTime) {
        shardsDone += shards
        bytesDone += bytes
        pace.note(shards, now: now)
    }

    /// How long so many shards take at the pace of late; nil while that is not known.
    package func secondsLeft(for shards: Int) -> Int? { pace.secondsLeft(for: shards) }
}
