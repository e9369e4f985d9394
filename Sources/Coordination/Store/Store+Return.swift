internal import BlobStorage
internal import ClusterProtocol
internal import Metadata
internal import ObjectModel
import Synchronization
internal import SystemInterface

extension Store {
    /// How often it is looked whether a disk that was lost is back.
    static let returnInterval = Duration.seconds(5)

    /// Takes disks up again that are back in their slots: a cable, a mount, a controller that writes again. As at a
    /// start: recovered from what lies on them, never formatted. What they missed is found by a full verification and
    /// repaired.
    package func takeUpReturned() async {
        let away = Set(absent.withLock { Array($0.keys) })
        guard !away.isEmpty, let records = try? await metadata.disks() else { return }
        let waiting = records.filter { record in
            record.state == .active && away.contains(record.place) && !isServed(record.id) && isDue(record.id)
        }
        guard !waiting.isEmpty else { return }
        await alone {
            var hasReturned = false
            for (node, records) in Dictionary(grouping: waiting, by: \.node).sorted(by: { $0.key < $1.key }) {
                // One look at a node for all its disks.
                guard let slots = try? await calls.survey(node) else { continue }
                for record in records where await takeUp(record, slots) {
                    absent.withLock { $0[record.place] = nil }
                    hasReturned = true
                }
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

    /// Has the disk of that record served if it is the one in the slot. An old instance that still ends its last calls
    /// holds the disk's lock: then the next round tries again.
    private func takeUp(_ record: DiskRecord, _ slots: [SlotReport]) async -> Bool {
        guard !isServed(record.id) else { return false }
        let isThere = slots.contains { $0.slot == record.slot && $0.finding == .disk(cluster, record.id) }
        let expected = ExpectedDisk(cluster: cluster, disk: record.id, epoch: record.epoch, isReturning: true)
        guard isThere, let opened = try? await calls.open(record.place, expected) else {
            noteFailedReturn(of: record.id)
            return false
        }
        served.withLock { $0[record.id] = ServedDisk(place: record.place, hasLog: opened.hasLog) }
        return true
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
