internal import BlobStorage
internal import DiskFormat
internal import JournalStorage
internal import Metadata
internal import ShardStorage
internal import StorageNode
import Synchronization
internal import SystemInterface

extension Store {
    /// How often it is looked whether a disk that was lost is back.
    static let returnInterval = Duration.seconds(5)

    /// Takes disks up again that are back in their slots: a cable, a mount. As at a start: recovered from what lies on
    /// them, never formatted. What they missed is found by a full verification and repaired.
    package func takeUpReturned() async {
        let away = absentSlots.map(\.slot)
        guard !away.isEmpty, let records = try? await metadata.disks() else { return }
        let isMine = isReplacing.withLock { isReplacing in
            defer { isReplacing = true }
            return !isReplacing
        }
        // A replacement decides what stands in a slot.
        guard isMine else { return }
        defer { isReplacing.withLock { $0 = false } }
        var hasReturned = false
        for slot in configuration.slots where away.contains(slot.name) {
            guard let record = records.first(where: { $0.slot == slot.name && $0.state == .active }),
                nodes[record.node]?.disk(record.id) == nil, await takeUp(record, in: slot)
            else { continue }
            absent.withLock { $0[slot.name] = nil }
            hasReturned = true
        }
        guard hasReturned else { return }
        await refreshConditions()
        verifier.request()
    }

    /// Hosts the disk of that record if it is the one in the slot. An old instance that still ends its last calls holds
    /// the disk's lock: then the next round tries again.
    private func takeUp(_ record: DiskRecord, in slot: StoreSlot) async -> Bool {
        do {
            let fileSystem = try slot.open()
            guard try await ShardDisk.readIdentity(fileSystem).disk == record.id else { return false }
            let shards = try await slotDisk.open(fileSystem, id: record.id, epoch: record.epoch)
            let hasLog = try await fileSystem.status(DiskFolder.journal) != nil
            // A log that cannot be opened is one keeper less, as at a start.
            let log = hasLog ? try? await KeeperLog.open(fileSystem, random: random) : nil
            nodes[record.node]?.host(HostedDisk(shards: shards, journal: log))
            return true
        } catch {
            return false
        }
    }
}
