internal import DiskFormat
package import ObjectModel
import Synchronization
internal import SystemInterface

// How the set of keepers changes: one keeper at a time, and none joins before it has what the others have. So the set
// bears the loss of as many keepers during and right after a change as it did before.
extension Journal {
    /// How often a disk that learns is looked at.
    private static let learningInterval = Duration.milliseconds(20)

    /// Changes one keeper. One that joins is fed first, which takes as long as it makes progress. Then `submit` appends
    /// the record with the given payload through the metadata store, which alone gives out sequence numbers; when it
    /// returns, J of the old and J of the new keepers have it.
    ///
    /// Throws `JournalError` when the joining disk has taken nothing for as long as an append may wait, or `goesOn`,
    /// asked while it is fed, says no; and what `submit` throws. The set is then what it was.
    package func changeKeepers(
        to keepers: [DiskID],
        joining client: (any KeeperClient)?,
        while goesOn: () -> Bool = { true },
        submit: ([UInt8]) async throws -> Void
    ) async throws {
        let before = core.withLock { $0.keepers }
        let after = KeeperSet(generation: before.generation + 1, keepers: keepers)
        if let added = after.keepers.first(where: { !before.contains($0) }), added != client?.keeper {
            throw JournalError.invalid("the new keeper cannot be reached")
        }
        if let client { try await teach(client, while: goesOn) }
        let change = KeeperSetChange(before: before, after: after)
        do throws(JournalError) {
            try core.withLock { core throws(JournalError) in try core.beginChange(to: after) }
        } catch {
            if let client { core.withLock { $0.endLearning(client.keeper) } }
            throw error
        }
        do {
            try await submit(change.payload)
        } catch {
            let done = core.withLock { $0.cancelChange() }
            for waiter in done { waiter.continuation.resume() }
            signalAll()
            throw error
        }
    }

    /// A keeper of the set that could not be reached at the start is there: it is fed from here on.
    package func rejoin(_ client: any KeeperClient) {
        guard core.withLock({ $0.progress[client.keeper] != nil }), self.client(client.keeper) == nil else { return }
        join(client)
    }

    /// Returns when the disk has all that there was at the moment when its log began to count as whole: what it may
    /// lack then has been on its way for less than one call.
    private func teach(_ client: any KeeperClient, while goesOn: () -> Bool) async throws {
        try core.withLock { core throws(JournalError) in try core.beginLearning(client.keeper) }
        join(client)
        do {
            try await awaitLearner(client.keeper, while: goesOn)
        } catch {
            core.withLock { $0.endLearning(client.keeper) }
            // What feeds it finds that it has left.
            signalAll()
            throw error
        }
    }

    private func awaitLearner(_ keeper: DiskID, while goesOn: () -> Bool) async throws {
        var target: UInt64?
        var reached: UInt64?
        var since = time.monotonic
        while true {
            let (progress, last, stopped) = core.withLock { ($0.progress[keeper], $0.last.sequence, $0.stopped) }
            if let stopped { throw stopped }
            guard let progress else { throw JournalError.stopped }
            guard goesOn() else { throw JournalError.invalid("another change of the journal's keepers is more urgent") }
            if progress.phase == .whole, progress.sequence >= target ?? last { return }
            target = progress.phase == .whole ? target ?? last : nil
            if progress.sequence > reached ?? 0 { (reached, since) = (progress.sequence, time.monotonic) }
            guard time.monotonic.duration(since: since) < configuration.patience else {
                let reason = progress.failure ?? "it takes nothing"
                throw JournalError.invalid("the disk \(keeper) cannot join the journal's keepers: \(reason)")
            }
            try await time.sleep(for: Self.learningInterval)
        }
    }
}
