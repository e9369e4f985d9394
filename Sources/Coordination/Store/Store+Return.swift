internal import BlobStorage
internal import DiskFormat
internal import JournalStorage
internal import Metadata
internal import ObjectModel
internal import ShardStorage
internal import StorageNode
import Synchronization
internal import SystemInterface

extension Store {
    /// How often it is looked whether a disk that was lost is back.
    static let returnInterval = Duration.seconds(5)

    /// Takes disks up again that are back in their slots: a cable, a mount, a controller that writes again. As at a
    /// start: recovered from what lies on them, never formatted. What they missed is found by a full verification and
    /// repaired.
    package func takeUpReturned() async {
        let away = absentSlots.map(\.slot)
        guard !away.isEmpty, let records = try? await metadata.disks() else { return }
        await alone {
            var hasReturned = false
            for slot in configuration.slots where away.contains(slot.name) {
                guard let record = records.first(where: { $0.slot == slot.name && $0.state == .active }),
                    nodes[record.node]?.disk(record.id) == nil, isDue(record.id), await takeUp(record, in: slot)
                else { continue }
                absent.withLock { $0[slot.name] = nil }
                hasReturned = true
            }
            guard hasReturned else { return }
            await refreshConditions()
            verifier.request()
        }
    }

    /// Runs `body` unless a disk is being replaced or taken up: one decides at a time what stands in a slot.
    func alone(_ body: () async -> Void) async {
        let isMine = isReplacing.withLock { isReplacing in
            defer { isReplacing = true }
            return !isReplacing
        }
        guard isMine else { return }
        defer { isReplacing.withLock { $0 = false } }
        await body()
    }

    /// Hosts the disk of that record if it is the one in the slot. An old instance that still ends its last calls holds
    /// the disk's lock: then the next round tries again.
    private func takeUp(_ record: DiskRecord, in slot: StoreSlot) async -> Bool {
        do {
            let fileSystem = try slot.open()
            guard try await ShardDisk.readIdentity(fileSystem).disk == record.id else { return false }
            try await ShardDisk.probe(fileSystem)
            for folder in [DiskFolder.segments, DiskFolder.journal] { await forgetCached(fileSystem, folder) }
            let shards = try await slotDisk.open(fileSystem, id: record.id, epoch: record.epoch)
            let hasLog = try await fileSystem.status(DiskFolder.journal) != nil
            // A log that cannot be opened is one keeper less, as at a start.
            let log = hasLog ? try? await openLog(fileSystem) : nil
            nodes[record.node]?.host(HostedDisk(shards: shards, journal: log))
            return true
        } catch {
            noteFailedReturn(of: record.id)
            return false
        }
    }

    /// What a write failed to bring to the medium may stand in memory all the same: it is not what will be there after
    /// the next power cut.
    func forgetCached(_ fileSystem: any FileSystem, _ folder: String) async {
        for name in (try? await fileSystem.list(folder)) ?? [] {
            try? await fileSystem.forgetCached(folder + "/" + name)
        }
    }

    // MARK: Patience

    /// A disk whose writes failed is tried again after 5 s, and after twice as long with each failure that follows
    /// soon, up to 10 minutes: a disk that comes and goes costs a verification each time.
    func noteWriteFailure(of disk: DiskID) {
        returns.withLock { $0[disk, default: ReturnPatience()].noteFailure(now: time.monotonic) }
    }

    /// Only a disk whose writes have failed is waited for longer and longer.
    private func noteFailedReturn(of disk: DiskID) {
        returns.withLock { $0[disk]?.noteFailure(now: time.monotonic) }
    }

    private func isDue(_ disk: DiskID) -> Bool {
        returns.withLock { returns in returns[disk].map { $0.isDue(now: time.monotonic) } ?? true }
    }
}

/// How long a disk that failed is left alone.
struct ReturnPatience {
    private static let first = Store.returnInterval
    private static let longest = Duration.seconds(600)
    /// A disk that held out this long begins anew.
    private static let forgotten = Duration.seconds(3_600)

    private var wait = Self.first
    private var failed: MonotonicTime?

    mutating func noteFailure(now: MonotonicTime) {
        if let failed {
            wait = now.duration(since: failed) > Self.forgotten ? Self.first : min(wait * 2, Self.longest)
        }
        failed = now
    }

    func isDue(now: MonotonicTime) -> Bool {
        guard let failed else { return true }
        return now.duration(since: failed) >= wait
    }
}
