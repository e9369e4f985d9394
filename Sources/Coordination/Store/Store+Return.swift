internal import BlobStorage
internal import ClusterProtocol
internal import Metadata
internal import ObjectModel
internal import ShardStorage
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
            record.isInUse && away.contains(record.place) && !isServed(record.id) && isDue(record.id)
        }
        guard !waiting.isEmpty else { return }
        let byNode = Dictionary(grouping: waiting, by: \.node).sorted { $0.key < $1.key }
        let hasReturned = await withTaskGroup(of: Bool.self) { group in
            for (node, records) in byNode { group.addTask { await self.takeUp(records, of: node) } }
            return await group.reduce(false) { $0 || $1 }
        }
        guard hasReturned else { return }
        await refreshConditions()
        verifier.request()
    }

    /// Some at a time, so that one that is read from end to end, or hangs, keeps no other waiting. True when any is
    /// back.
    private func takeUp(_ records: [DiskRecord], of node: NodeName) async -> Bool {
        // One look at a node for all its disks.
        guard let slots = try? await survey(node) else { return false }
        return await withTaskGroup(of: Bool.self) { group in
            var hasReturned = false
            for (number, record) in records.enumerated() {
                if number >= StoreOpening.openedAtOnce { hasReturned = await group.next() ?? false || hasReturned }
                group.addTask { await self.takeUpAlone(record, slots) }
            }
            return await group.reduce(hasReturned) { $0 || $1 }
        }
    }

    private func takeUpAlone(_ record: DiskRecord, _ slots: [SlotReport]) async -> Bool {
        var isBack = false
        // A disk of another slot may be in replacement, which waits for the journal, and the journal for this.
        await alone(.slot(record.place)) {
            // It may have been decided meanwhile that it is in use no more.
            let now = (try? await metadata.disks())?.first { $0.id == record.id }
            guard let now, now.isInUse, now.place == record.place, await takeUp(now, slots) else { return }
            absent.withLock { $0[record.place] = nil }
            events.note(.diskServed(.init(record)))
            isBack = true
        }
        return isBack
    }

    /// What stands in a node's slots now; remembers where they lie, which a start could not ask a node that was away or
    /// had not joined, and which of them are not in use.
    func survey(_ node: NodeName) async throws(NodeCallError) -> [SlotReport] {
        let slots = try await calls.survey(node)
        paths.withLock { paths in
            for slot in slots { paths[SlotPlace(node: node, slot: slot.slot)] = slot.path }
        }
        await noteUnused(slots, of: node)
        return slots
    }

    /// Runs `body` unless somebody else decides the same right now.
    func alone(_ decision: StoreDecision, _ body: () async -> Void) async {
        guard begin(decision) else { return }
        defer { end(decision) }
        await body()
    }

    /// False while somebody else decides it; after true, `end` must follow.
    func begin(_ decision: StoreDecision) -> Bool { decisions.withLock { $0.insert(decision).inserted } }

    func end(_ decision: StoreDecision) { decisions.withLock { _ = $0.remove(decision) } }

    /// How often it is looked whether a step of the background has ended.
    private static let decisionPoll = Duration.milliseconds(20)

    /// Begins a decision once nobody else decides it. False, with nothing begun, when the caller is cancelled.
    func wait(toBegin decision: StoreDecision) async -> Bool {
        while !begin(decision) {
            guard (try? await time.sleep(for: Self.decisionPoll)) != nil else { return false }
        }
        return true
    }

    /// Begins an operator's command. A step of the background is waited for: it is no reason to send an operator away.
    /// False while another command is under way, or when the caller is cancelled; after true, `endCommand` must follow.
    func beginCommand() async -> Bool {
        guard begin(.command) else { return false }
        guard await wait(toBegin: .replacement) else {
            end(.command)
            return false
        }
        return true
    }

    func endCommand() {
        end(.replacement)
        end(.command)
    }

    /// Why a disk that is there is not served. A lock says nothing: it may be the old instance's.
    private func noteRefusal(_ error: NodeCallError, at place: SlotPlace) {
        guard case .refused(.failed(let reason)) = error, reason != ShardStorageError.locked.description else { return }
        absent.withLock { $0[place] = "it is there, but \(reason)" }
    }

    /// Has the disk of that record served if it is the one in the slot. An old instance that still ends its last calls
    /// holds the disk's lock: then the next round tries again.
    private func takeUp(_ record: DiskRecord, _ slots: [SlotReport]) async -> Bool {
        guard !isServed(record.id) else { return false }
        let finding = slots.first { $0.slot == record.slot }?.finding
        let isThere = finding == .disk(cluster, record.id)
        let other = await isThere ? nil : stranger(finding)
        if let other { absent.withLock { $0[record.place] = other.text } }
        misplaced.withLock { $0[record.place] = other?.disk }
        let expected = ExpectedDisk(cluster: cluster, disk: record.id, epoch: record.epoch, isReturning: true)
        let opened: OpenedDisk
        do throws(NodeCallError) {
            guard isThere else {
                noteFailedReturn(of: record.id)
                return false
            }
            opened = try await calls.open(record.place, expected)
        } catch {
            noteFailedReturn(of: record.id)
            noteRefusal(error, at: record.place)
            return false
        }
        let disk = ServedDisk(place: record.place, hasLog: opened.hasLog, since: time.monotonic)
        served.withLock { $0[record.id] = disk }
        if opened.hasLog { journal.rejoin(keeperClient(record.id, on: record.node)) }
        return true
    }

    /// A disk that stands in a slot where another belongs.
    struct Stranger {
        /// Whose it is and what to do, in words.
        var text: String
        /// Nil of a disk that nobody knows, which a replacement takes.
        var disk: DiskID?
    }

    /// The disk that stands in a slot where another belongs; nil where none does.
    func stranger(_ finding: SlotReport.Finding?) async -> Stranger? {
        guard case .disk(let owner, let id) = finding else { return nil }
        guard owner == cluster else {
            return Stranger(
                text: "a disk of another store, \(owner), stands there and is not touched: put the right one in its "
                    + "place",
                disk: id
            )
        }
        let record = (try? await metadata.disks())?.first { $0.id == id }
        guard let record else {
            return Stranger(text: "a disk of this store that is not in use, \(id), stands there", disk: nil)
        }
        let home = record.name
        let text =
            record.isInUse
            ? "the disk of \(home) stands there: put both where they belong"
            : "a disk that was replaced at \(home) stands there, which is out of date: put the right one in its place"
        return Stranger(text: text, disk: id)
    }

    // MARK: Patience

    /// A disk whose writes failed is tried again after 5 s, and after twice as long with each failure that follows
    /// soon, up to 10 minutes: a disk that comes and goes costs a verification each time.
    func noteWriteFailure(of disk: DiskID) {
        returns.withLock { $0[disk, default: RetryPatience()].noteFailure(now: time.monotonic) }
    }

    /// Only a disk whose writes have failed is waited for longer and longer.
    private func noteFailedReturn(of disk: DiskID) {
        returns.withLock { $0[disk]?.noteFailure(now: time.monotonic) }
    }

    private func isDue(_ disk: DiskID) -> Bool {
        returns.withLock { returns in returns[disk].map { $0.isDue(now: time.monotonic) } ?? true }
    }
}

/// What only one may decide at a time.
enum StoreDecision: Hashable, Sendable {
    /// An operator's command, which takes `replacement` after it: another command is told to come back later.
    case command
    /// Which disks are in use, and which places they have: commands and steps of the background.
    case replacement
    /// Which disks keep the journal.
    case keepers
    /// Which disk stands in a slot.
    case slot(SlotPlace)

    /// Why a command is refused while another has begun `command`.
    static let busy = "another command on disks or classes is under way: wait until it has returned, then try again"
}

/// How long something that failed is left alone: longer each time.
struct RetryPatience {
    private static let first = Store.returnInterval
    private static let longest = Duration.seconds(600)
    /// What held out this long begins anew.
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
