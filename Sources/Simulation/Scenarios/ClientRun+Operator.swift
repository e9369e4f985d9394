import BlobStorage
import Coordination
import DiskFormat
import Metadata
import ObjectModel
import ObjectStorage
import SystemInterface

/// What an operator does when all is mended, and what must have come of what operators began.
extension ClientRun {
    /// Between two tries of a command that another one, or the store's own decision, is in the way of.
    private var commandPause: Duration { .seconds(1) }
    private var commandTries: Int { 60 }

    /// Puts new disks in the place of those in these slots, which are gone; and of those that lied about syncs, where
    /// what is left of them cannot be taken up.
    func renewDisks(_ lost: [Int], liars: Set<Int>) async throws {
        for slot in lost { try await renew(slot) }
        let disks = try await currentStore().status().disks
        let served = Set(disks.filter(\.isServed).map { SlotPlace(node: $0.record.node, slot: $0.record.slot) })
        for slot in liars.subtracting(lost).sorted() where !served.contains(slots[slot]) { try await renew(slot) }
    }

    /// Puts new disks into the slots of those that have left the store.
    func fillEmptySlots() async throws {
        let used = try await usedSlots()
        for (number, slot) in slots.enumerated() where !used.contains(slot) { try await renew(number) }
    }

    /// Counts the objects that rewrites have put into another class.
    func countRewritten() async throws {
        world.count(.objectsRewritten, times: try await currentStore().rewrittenObjects())
    }

    private func usedSlots() async throws -> Set<SlotPlace> {
        let disks = try await currentStore().metadata.disks().filter(\.isInUse)
        return Set(disks.map { SlotPlace(node: $0.node, slot: $0.slot) })
    }

    private func renew(_ number: Int) async throws {
        let slot = slots[number]
        useSpare(number)
        var problem = ""
        for _ in 0..<commandTries {
            problem = await replaceOrAdd(slot)
            if problem.isEmpty { return }
            guard problem == "\(DiskChangeError.busy)" || problem == "\(DiskReplacementError.busy)" else { break }
            try await world.time.sleep(for: commandPause)
        }
        throw BrokenPromise("no new disk for \(slot.node)/\(slot.slot): \(problem)")
    }

    /// What was in the way; empty for nothing.
    private func replaceOrAdd(_ slot: SlotPlace) async -> String {
        do {
            let store = try await currentStore()
            if try await usedSlots().contains(slot) {
                _ = try await store.replaceDisk(inSlot: slot.slot, of: slot.node)
            } else {
                _ = try await store.addDisks(of: slot.node, slot: slot.slot)
            }
            return ""
        } catch {
            return "\(error)"
        }
    }

    /// Nothing that a rewrite was for is left in another class, once it is over.
    func checkRewritten(_ rewrites: [ClassRewrite]) async throws {
        let store = try await currentStore()
        for rewrite in rewrites {
            guard let scheme = store.blobs.view.scheme(named: rewrite.storageClass) else {
                throw BrokenPromise("class \(rewrite.storageClass) is gone")
            }
            let left = try await store.classRewriter.survey(ClassTarget(rewrite, scheme: scheme))
            guard left.objects == 0 else { throw BrokenPromise("\(rewrite) has ended, and left \(left)") }
        }
    }
}
