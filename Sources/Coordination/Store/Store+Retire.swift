internal import BlobStorage
internal import DiskFormat
internal import Metadata
internal import ObjectInterface
package import ObjectModel
internal import Placement
import Synchronization
internal import SystemInterface

/// What came of giving up a disk.
package struct DiskRetirement: Sendable {
    package var disk: DiskID
    /// Groups in which another disk has taken its place.
    package var groupsMoved: Int
    /// Groups in which none could: they keep its place, and their shards there stay missing.
    package var groupsLeft: Int
}

extension Store {
    /// Gives up a disk that is gone, without another one in its slot: in every group some other disk takes its place
    /// under the spread rule, and its shards are made anew there.
    ///
    /// Durable on return; the rebuild begins at once, and a full verification is asked for. Where groups find no disk,
    /// the disk stays in use for them, so that it may still come back or be replaced. `isForced` as for `replaceDisk`.
    package func retireDisk(
        inSlot name: String,
        of node: NodeName,
        isForced: Bool = true
    ) async throws(DiskReplacementError) -> DiskRetirement {
        guard await beginCommand() else { throw .busy }
        defer { endCommand() }
        await watchDisks()
        // One that is there, and has only not been taken up so far, is not to be given up.
        await takeUpReturned()
        do {
            let records = try await metadata.disks().filter { $0.isInUse }
            guard let lost = records.first(where: { $0.slot == name && $0.node == node }) else {
                throw DiskReplacementError.noSuchDisk(name)
            }
            // It must not come back while its place is given away.
            guard await wait(toBegin: .slot(lost.place)) else { throw DiskReplacementError.busy }
            defer { end(.slot(lost.place)) }
            try await checkGone(lost, isForced: isForced)
            return try await retire(lost, of: records)
        } catch let error as DiskReplacementError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }

    /// Throws when a disk is not to be given up: it is there, or, unless `isForced`, it may come back or is needed.
    func checkGone(_ disk: DiskRecord, isForced: Bool) async throws(DiskReplacementError) {
        guard served.withLock({ $0[disk.id]?.isAway ?? true }) else { throw .isHealthy(disk.name) }
        guard !isForced else { return }
        if let place = whereItStands(disk.id) {
            throw .standsElsewhere(disk.name, "\(place.node)/\(place.slot)")
        }
        try await checkUnneeded(disk)
    }

    /// The slot of another disk in which this one has been found.
    private func whereItStands(_ disk: DiskID) -> SlotPlace? {
        let reasons = absent.withLock { $0 }
        return misplaced.withLock { $0.filter { $0.value == disk && reasons[$0.key] != nil }.keys.min() }
    }

    private func retire(_ lost: DiskRecord, of records: [DiskRecord]) async throws -> DiskRetirement {
        let stands = try await metadata.groups().filter { $0.members.contains(lost.id) }
        let standIns = standIns(for: lost, in: stands, among: records)
        try await metadata.spreadMember(lost.id, over: standIns)
        let isOut = standIns.count == stands.count
        if isOut {
            var retired = lost
            retired.state = .retired
            retired.epoch += 1
            try await metadata.putDisk(retired)
            self.served.withLock { $0[lost.id] = nil }
            absent.withLock { $0[lost.place] = nil }
        }
        events.note(.diskRetired(.init(lost), isOut: isOut))
        try await reloadMap()
        verifier.request()
        return DiskRetirement(
            disk: lost.id,
            groupsMoved: standIns.count,
            groupsLeft: stands.count - standIns.count
        )
    }
}
