internal import JournalStorage
internal import ObjectModel
internal import Synchronization

/// Lets changes of slots through one at a time where they are about the same disk, or the same slot, and no further:
/// what hangs in one slot keeps no other from being changed.
final class SlotGates: Sendable {
    /// What changes must not be made of at once.
    enum Subject: Hashable, Sendable {
        case disk(DiskID)
        case slot(String)
    }

    private struct Entry {
        let gate: CallGate
        /// That wait or are in; with the last of them the gate goes.
        var callers = 0
    }

    private let entries = Mutex<[Subject: Entry]>([:])
    private let limit: Int

    /// At most `limit` calls wait for each subject.
    init(limit: Int) { self.limit = limit }

    /// Waits for its turn; false when too many wait already. Every `true` needs one `leave`.
    func enter(_ subject: Subject) async -> Bool {
        let gate = entries.withLock { entries in
            var entry = entries[subject] ?? Entry(gate: CallGate(limit: limit))
            entry.callers += 1
            entries[subject] = entry
            return entry.gate
        }
        if await gate.enter() { return true }
        _ = forgetCaller(of: subject)
        return false
    }

    func leave(_ subject: Subject) { forgetCaller(of: subject)?.leave() }

    private func forgetCaller(of subject: Subject) -> CallGate? {
        entries.withLock { entries in
            guard var entry = entries[subject] else { return nil }
            entry.callers -= 1
            entries[subject] = entry.callers == 0 ? nil : entry
            return entry.gate
        }
    }
}
