package import BlobStorage
internal import ClusterProtocol
package import Metadata
internal import ObjectInterface
package import ObjectModel
internal import Placement
import Synchronization
package import SystemInterface

/// The count of everything, when somebody asks for it: reads every shard that metadata names, as fast as the disks go
/// while nothing is repaired, and compares it with its checksums and digest (DESIGN §8). What is read by date is the
/// `Scrubber`'s.
///
/// Independent of repair: what it counts is what the disks hold, by reading it. A bad or lost shard is noted missing,
/// which hands it to repair.
package final class Verifier: Sendable {
    /// Blobs taken from the metadata in one go.
    package static let batch = 256
    /// Shards that are counted again one by one; for more than this a pass over everything is asked for.
    package static let recountLimit = 65_536
    /// How often it is looked whether a pass is asked for.
    private static let poll = Duration.milliseconds(200)
    /// How long a batch makes way for what is more urgent: a repair that does not end must not keep everything else
    /// from being counted.
    package static let longestYield = Duration.seconds(30)

    private struct State {
        var report = VerificationReport()
        var isWanted = false
        /// Shards that the last pass did not find good; nil when they are too many to remember.
        var lacking: Set<ShardID>? = []
        /// Shards that were put back since; nil when no recount is asked for.
        var restored: Set<ShardID>?
        /// Disks of which the pass could not read everything.
        var unread: Set<DiskID> = []
    }

    private let metadata: any MetadataStore
    private let blobs: BlobStore
    private let time: any TimeSource
    private let state = Mutex(State())
    private let passObserver = Mutex<(@Sendable () async -> Int)?>(nil)
    private let isMoreUrgent = Mutex<(@Sendable () -> Bool)?>(nil)
    private let endObserver = Mutex<(@Sendable (WholePass) -> Void)?>(nil)
    private let badShards = Mutex<BadShards?>(nil)

    package init(metadata: any MetadataStore, blobs: BlobStore, time: any TimeSource) {
        self.metadata = metadata
        self.blobs = blobs
        self.time = time
    }

    package var report: VerificationReport { state.withLock { $0.report } }

    /// Makes way as long as `isMoreUrgent` says so: what repair reads and writes is to have the disks first.
    package func yields(whenever isMoreUrgent: @escaping @Sendable () -> Bool) {
        self.isMoreUrgent.withLock { $0 = isMoreUrgent }
    }

    private func makeWay() async {
        guard let isMoreUrgent = isMoreUrgent.withLock({ $0 }) else { return }
        let start = time.monotonic
        while isMoreUrgent(), time.monotonic.duration(since: start) < Self.longestYield {
            guard (try? await time.sleep(for: Self.poll)) != nil else { return }
        }
    }

    /// Called in every pass: has the disks look at what no shard covers, and returns how many segments were mended.
    package func onPass(_ observer: @escaping @Sendable () async -> Int) { passObserver.withLock { $0 = observer } }

    /// A pass that read everything but what is on some disks.
    package struct WholePass: Hashable, Sendable {
        package var started: WallTime
        /// Disks that did not answer for all they hold.
        package var unread: Set<DiskID>
    }

    /// Called at the end of every pass that came to its end.
    package func onEnd(_ observer: @escaping @Sendable (WholePass) -> Void) { endObserver.withLock { $0 = observer } }

    /// Where bad shards are counted by disk, from here on.
    func report(to badShards: BadShards) { self.badShards.withLock { $0 = badShards } }

    /// Asks for a pass over everything; one under way starts over, so that all is read after this call.
    package func request() {
        state.withLock { state in
            state.isWanted = true
            state.report.isRunning = true
            state.report.isCurrent = false
        }
    }

    /// Asks for a count of the shards that were put back, and of those that the last pass did not find good.
    package func request(recounting restored: Set<ShardID>?) {
        let isSmall = state.withLock { state in
            let all = (state.restored ?? []).union(restored ?? [])
            guard restored != nil, state.lacking != nil, all.count <= Self.recountLimit else { return false }
            state.restored = all
            state.report.isCurrent = false
            return true
        }
        if !isSmall { request() }
    }

    package func run() async {
        while !Task.isCancelled {
            if state.withLock({ $0.isWanted }) {
                await pass()
            } else if let restored = state.withLock({ $0.restored }) {
                await recount(restored)
            }
            try? await time.sleep(for: Self.poll)
        }
    }

    /// One pass over all live blobs.
    package func pass() async {
        let started = time.wall
        state.withLock { state in
            state.isWanted = false
            state.report = VerificationReport(isRunning: true, started: started)
            state.lacking = []
            state.unread = []
        }
        var last: BlobID?
        var isWhole = false
        while !Task.isCancelled, !state.withLock({ $0.isWanted }),
            let batch = try? await metadata.blobs(after: last, limit: Self.batch)
        {
            guard let end = batch.last else {
                isWhole = true
                break
            }
            last = end.id
            await makeWay()
            await verify(batch)
        }
        let mended = await passObserver.withLock { $0 }?() ?? 0
        let unread = state.withLock { state -> Set<DiskID>? in
            // Cut off by an error of the metadata it has counted too little: it begins anew.
            if !isWhole, !Task.isCancelled { state.isWanted = true }
            state.report.isRunning = state.isWanted
            state.report.segmentsMended = mended
            guard !state.isWanted, !Task.isCancelled else { return nil }
            state.report.finished = time.wall
            state.report.isCurrent = state.restored == nil
            return state.unread
        }
        if let unread { endObserver.withLock { $0 }?(WholePass(started: started, unread: unread)) }
    }

    /// Counts what was not good, or has been put back, again: what was good stays counted, so that the repair of one
    /// shard does not cost the reading of all.
    private func recount(_ restored: Set<ShardID>) async {
        let shards = state.withLock { ($0.lacking ?? []).union(restored) }.sorted()
        for start in stride(from: 0, to: shards.count, by: Self.batch) {
            guard !Task.isCancelled, !state.withLock({ $0.isWanted }) else { return }
            // Cut off by an error of the metadata it has counted too little: all is counted again.
            guard await recount(shards[start..<min(start + Self.batch, shards.count)]) else { return }
        }
        state.withLock { state in
            if state.restored == restored { state.restored = nil }
            state.report.isCurrent = state.restored == nil && !state.isWanted && state.report.finished != nil
        }
    }

    /// False when the metadata does not answer.
    private func recount(_ shards: ArraySlice<ShardID>) async -> Bool {
        var placed: [PlacedShard] = []
        var gone: [ShardID] = []
        for shard in shards {
            do {
                switch try await metadata.place(of: shard, in: blobs.view) {
                case .gone: gone.append(shard)
                case .missing: break
                case .at(let disk): placed.append(PlacedShard(shard, on: disk))
                }
            } catch {
                return false
            }
        }
        let seen = await verify(placed)
        await note(seen)
        gone += seen.lazy.filter { $0.verdict == nil }.map(\.placed.shard)
        state.withLock { state in
            for shard in gone where state.lacking?.remove(shard) != nil { state.report.shardsExpected -= 1 }
            for look in seen where look.verdict == .good && state.lacking?.remove(look.placed.shard) != nil {
                state.report.shardsPresent += 1
                state.report.shardsVerified += 1
            }
        }
        return true
    }

    private func verify(_ batch: [BlobRecord]) async {
        var placed: [PlacedShard] = []
        var lacking: Set<ShardID> = []
        for blob in batch {
            guard let group = blobs.view.group(blob.group) else { continue }
            for (index, disk) in group.holders(moving: blob.moving).enumerated() {
                let shard = ShardID(blob: blob.id, index: UInt8(index))
                if blob.missing.contains(shard.index) {
                    lacking.insert(shard)
                } else {
                    placed.append(PlacedShard(shard, on: disk))
                }
            }
        }
        let known = lacking.count
        let seen = await verify(placed).filter { $0.verdict != nil }
        await note(seen)
        lacking.formUnion(seen.lazy.filter { $0.verdict != .good }.map(\.placed.shard))
        state.withLock { state in
            state.report.shardsExpected += seen.count + known
            state.report.shardsPresent += seen.count { $0.verdict == .good }
            state.report.shardsVerified += seen.count { $0.verdict == .good }
            state.report.shardsBad += seen.count(where: \.isBad)
            state.report.shardsAbsent += seen.count { $0.verdict == .absent }
            state.unread.formUnion(seen.lazy.filter { $0.verdict == .silent }.map(\.placed.disk))
            state.lacking?.formUnion(lacking)
            if let all = state.lacking, all.count > Self.recountLimit { state.lacking = nil }
        }
    }

    // MARK: Looking

    private struct Look {
        var placed: PlacedShard
        /// nil: its blob was deleted while it was looked for.
        var verdict: ShardVerdict?
        /// Somebody else has noted it missing meanwhile.
        var isKnown = false

        var isBad: Bool { verdict?.isBad ?? false }
    }

    /// What is bad is looked at once more, where it is by now: it may have been moved, deleted or put back meanwhile.
    private func verify(_ shards: [PlacedShard]) async -> [Look] {
        let first = await look(shards)
        var looks = first.filter { !$0.isBad }
        var again: [PlacedShard] = []
        for look in first where look.isBad {
            let shard = look.placed.shard
            switch try? await metadata.place(of: shard, in: blobs.view) {
            case .at(let disk)?: again.append(PlacedShard(shard, on: disk))
            case .missing?: looks.append(Look(placed: look.placed, verdict: look.verdict, isKnown: true))
            case .gone?: looks.append(Look(placed: look.placed, verdict: nil))
            case nil: looks.append(Look(placed: look.placed, verdict: .silent))
            }
        }
        guard !again.isEmpty else { return looks }
        return looks + (await look(again))
    }

    /// All disks at the same time, each shard after shard.
    private func look(_ shards: [PlacedShard]) async -> [Look] {
        let byDisk = Dictionary(grouping: shards, by: \.disk)
        return await withTaskGroup(of: [Look].self) { group in
            for (_, shards) in byDisk.sorted(by: { $0.key < $1.key }) {
                group.addTask { await self.lookInTurn(shards) }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func lookInTurn(_ shards: [PlacedShard]) async -> [Look] {
        var looks: [Look] = []
        for placed in shards where !Task.isCancelled {
            looks.append(Look(placed: placed, verdict: await blobs.nodes.judge(placed.shard, on: placed.disk)))
        }
        return looks
    }

    /// A blob may have been deleted while it was read: only what is still live and placed there is missing.
    private func note(_ looks: [Look]) async {
        let bad = looks.filter(\.isBad).map(\.placed).sorted { ($0.shard, $0.disk) < ($1.shard, $1.disk) }
        if !bad.isEmpty {
            await blobs.buggify.pause(.lookLate, time)
            guard (try? await metadata.markMissing(bad)) != nil else { return }
            let found = looks.filter { $0.isBad && !$0.isKnown }.map(\.placed)
            await badShards.withLock { $0 }?.note(found.sorted { ($0.shard, $0.disk) < ($1.shard, $1.disk) })
        }
    }
}

/// What the last or current pass has counted.
package struct VerificationReport: Hashable, Sendable {
    /// A pass is under way, or asked for.
    package var isRunning: Bool
    /// The pass has ended and no newer one has been asked for since.
    package var isCurrent = false
    package var started: WallTime?
    package var finished: WallTime?
    /// k+m for each live blob.
    package var shardsExpected = 0
    package var shardsPresent = 0
    package var shardsVerified = 0
    package var shardsBad = 0
    /// Of those, shards that their disks do not have at all; the others are damaged.
    package var shardsAbsent = 0
    /// Segments whose header, copy or footer was bad and has been written again.
    package var segmentsMended = 0

    package init(isRunning: Bool = false, started: WallTime? = nil) {
        self.isRunning = isRunning
        self.started = started
    }
}
