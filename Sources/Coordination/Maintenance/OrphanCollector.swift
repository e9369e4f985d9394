package import BlobStorage
internal import ClusterProtocol
package import Metadata
package import ObjectInterface
internal import ObjectModel
internal import Placement
import Synchronization
package import SystemInterface

/// Erases what was inferred to be garbage (DESIGN §4, §8): orphans, shards of blobs of ended leases that no metadata
/// names; and surplus, shards of live blobs on disks where metadata does not place them.
///
/// An orphan only after its lease's end was durable, which made committing it impossible. Surplus only when its blob
/// misses no shard, no repair of it being open then, and the shard that metadata names instead has been read and
/// verified. Both only when a look at all disks, a quarantine after the first one, finds the same, and when the
/// metadata says so once more right before. Nothing at all while a disk of the store cannot be reached or metadata may
/// be behind: when the journal does not answer for it, or a shard anywhere was written under a lease that metadata
/// never granted. Then it was put back to an earlier moment, and knows nothing of what was acknowledged since: that is
/// noted in it, and ends by an operator's word only (`ForcedStart`).
package final class OrphanCollector: Sendable {
    /// How long a suspect is kept after it was first seen.
    package static let quarantine = Duration.seconds(3_600)
    package static let interval = Duration.seconds(600)
    private static let page = 1_024
    /// Suspects remembered at most; more wait for a later pass.
    private static let suspectLimit = 1 << 18

    /// A shard where it should not be.
    struct Suspect: Hashable {
        enum Kind: Hashable { case orphan, surplus }

        var kind: Kind
        var shard: ShardID
        var disk: DiskID
        /// Of the record that was seen: what was written since is another.
        var writeStamp: UInt64
    }

    let metadata: any ReplicatedMetadata
    let blobs: BlobStore
    private let time: any TimeSource
    package let trouble: WorkTrouble
    private let quarantine: Duration
    private let isCurrent: @Sendable () -> Bool
    private let isSound: @Sendable () async -> Bool
    private let suspects = Mutex<[Suspect: MonotonicTime]>([:])
    private let counts = Mutex(OrphanReport())
    private let events = Mutex<StoreEvents?>(nil)

    /// `isCurrent` says whether the metadata is known to hold all that was ever acknowledged, `isSound` whether its
    /// rows have been read and are what was written.
    package init(
        metadata: any ReplicatedMetadata,
        blobs: BlobStore,
        time: any TimeSource,
        quarantine: Duration = OrphanCollector.quarantine,
        isSound: @escaping @Sendable () async -> Bool = { true },
        isCurrent: @escaping @Sendable () -> Bool
    ) {
        self.metadata = metadata
        self.blobs = blobs
        self.time = time
        trouble = WorkTrouble(time: time)
        self.quarantine = quarantine
        self.isCurrent = isCurrent
        self.isSound = isSound
    }

    /// Where it is told that the metadata was put back, from here on.
    func report(to events: StoreEvents) { self.events.withLock { $0 = events } }

    package var report: OrphanReport { counts.withLock { $0 } }

    package func run() async {
        while !Task.isCancelled {
            try? await time.sleep(for: Self.interval)
            await trouble.noting { _ = try await pass() }
        }
    }

    /// One look at all disks; returns how many shards were erased.
    @discardableResult
    package func pass() async throws(StorageError) -> Int {
        guard isCurrent(), await isSound(), let seen = try await survey() else { return 0 }
        let ripe = ripe(seen)
        var erased = 0
        for (disk, suspects) in Dictionary(grouping: ripe, by: \.disk).sorted(by: { $0.key < $1.key }) {
            var rest = suspects[...]
            while !rest.isEmpty, !Task.isCancelled {
                erased += try await erase(Array(rest.prefix(Self.page)), on: disk)
                rest = rest.dropFirst(Self.page)
            }
        }
        return erased
    }

    // MARK: Looking

    /// All suspects on all disks, in order; nil when not everything could be seen, or metadata is behind what was.
    private func survey() async throws(StorageError) -> [Suspect]? {
        let disks = blobs.view.map.disks.keys.sorted()
        guard disks.allSatisfy(blobs.view.isUsable) else { return nil }
        var seen: [Suspect] = []
        var forgotten: UInt32?
        for disk in disks {
            var last: ShardID?
            var isLast = false
            while !isLast, !Task.isCancelled {
                guard let page = try? await blobs.nodes.inventory(disk, after: last, limit: Self.page) else {
                    return nil
                }
                let entries = page.entries
                if let found = try await self.forgotten(among: entries) { forgotten = max(found, forgotten ?? 0) }
                seen += try await suspects(among: entries, on: disk).prefix(Self.suspectLimit - seen.count)
                last = entries.last?.shard
                isLast = page.isLast || entries.isEmpty
            }
        }
        guard !Task.isCancelled else { return nil }
        guard let forgotten else { return seen }
        try await metadata.noteForcedStart(ForcedStart(time: time.wall, forgotten: forgotten))
        events.withLock { $0 }?.note(.historyForgotten(incarnation: forgotten))
        return nil
    }

    /// The highest incarnation of leases that the metadata never granted, if these shards have any.
    private func forgotten(among entries: [ShardInventoryEntry]) async throws(StorageError) -> UInt32? {
        // Asked after the shards were seen: their leases were granted before they were written.
        let granted = try await metadata.grantedLeases()
        let leases = Set(entries.map(\.shard.blob.writeLease)).filter { !granted.contains($0) }
        return leases.map(\.incarnation).max()
    }

    private func suspects(
        among entries: [ShardInventoryEntry],
        on disk: DiskID
    ) async throws(StorageError) -> [Suspect] {
        // Asked after the shards were seen: a lease that is not among them now has ended, and not only not begun.
        let active = Set(try await metadata.activeLeases().map(\.lease))
        var found: [Suspect] = []
        for entry in entries {
            let shard = entry.shard
            let kind: Suspect.Kind
            if let blob = try await metadata.blob(shard.blob) {
                guard isElsewhere(shard, of: blob, than: disk) else { continue }
                kind = .surplus
            } else {
                guard !active.contains(shard.blob.writeLease), try await !isDead(shard.blob) else { continue }
                kind = .orphan
            }
            found.append(Suspect(kind: kind, shard: shard, disk: disk, writeStamp: entry.writeStamp))
        }
        return found
    }

    /// Waiting for the garbage collector, which knows of its readers.
    private func isDead(_ blob: BlobID) async throws(StorageError) -> Bool {
        let before =
            blob.sequence > 0
            ? BlobID(incarnation: blob.incarnation, lease: blob.lease, sequence: blob.sequence - 1) : nil
        return try await metadata.deadBlobs(after: before, limit: 1).first?.id == blob
    }

    /// Those of `seen` that were seen a quarantine ago already. The others are remembered, and whoever is not seen any
    /// more is forgotten.
    private func ripe(_ seen: [Suspect]) -> [Suspect] {
        let now = time.monotonic
        counts.withLock { $0.suspects = seen.count }
        return suspects.withLock { suspects in
            let known = suspects
            suspects = [:]
            return seen.filter { suspect in
                let since = known[suspect] ?? now
                suspects[suspect] = since
                return known[suspect] != nil && now.duration(since: since) >= quarantine
            }
        }
    }

    // MARK: Erasing

    private func erase(_ suspects: [Suspect], on disk: DiskID) async throws(StorageError) -> Int {
        var orphans: [ShardID] = []
        var erased = 0
        for suspect in suspects {
            switch suspect.kind {
            case .orphan: if try await isOrphan(suspect.shard.blob) { orphans.append(suspect.shard) }
            case .surplus:
                // Each right after its own check: a place may be moved back to this disk, and what was surplus is live.
                if try await isSurplus(suspect.shard, on: disk) { erased += await erase(surplus: suspect) }
            }
        }
        return erased + (await erase(orphans, on: disk))
    }

    /// Only the record that was seen: by the time the call is carried out, its place may have come back to this disk.
    private func erase(surplus: Suspect) async -> Int {
        let (disk, shard, stamp) = (surplus.disk, surplus.shard, surplus.writeStamp)
        await blobs.buggify.pause(.orphansLate, time)
        guard isCurrent(), (try? await blobs.nodes.eraseRecord(disk, shard, writeStamp: stamp)) != nil else { return 0 }
        counts.withLock { $0.erasedShards += 1 }
        return 1
    }

    private func erase(_ due: [ShardID], on disk: DiskID) async -> Int {
        guard !due.isEmpty else { return 0 }
        await blobs.buggify.pause(.orphansLate, time)
        guard isCurrent(), (try? await blobs.nodes.erase(disk, due)) != nil else { return 0 }
        counts.withLock { $0.erasedShards += due.count }
        return due.count
    }

    /// Its lease had ended when it was seen, and no lease begins again.
    private func isOrphan(_ blob: BlobID) async throws(StorageError) -> Bool {
        // What still names it is asked, too: its own row may be what is damaged.
        guard try await metadata.blob(blob) == nil, try await metadata.owners(of: blob).isEmpty else { return false }
        return try await !isDead(blob)
    }
}

/// What the collector has found since the program started.
package struct OrphanReport: Hashable, Sendable {
    /// Shards in quarantine.
    package var suspects = 0
    package var erasedShards = 0

    package init() {}
}
