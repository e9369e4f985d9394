internal import ClusterProtocol
internal import DiskFormat
internal import ObjectModel
import Synchronization
internal import SystemInterface

// How one keeper is kept up to date: one call at a time, so that its records arrive in order; what is appended
// meanwhile goes together with the next call.
extension Journal {
    enum FeedOutcome { case done, nothingToDo, failed, leave }

    /// Feeds one keeper until the journal stops or the keeper leaves.
    func feed(_ keeper: DiskID) async {
        guard let tenure = tenure(of: keeper) else { return }
        while !Task.isCancelled {
            switch await feedOnce(keeper, tenure: tenure) {
            case .done: continue
            case .nothingToDo: await wakeup(keeper)?.wait()
            case .failed:
                let failures = core.withLock { $0.progress[keeper]?.failures ?? 0 }
                guard (try? await time.sleep(for: Self.pause(after: failures))) != nil else { return }
            case .leave: return
            }
        }
    }

    /// 20 ms, doubled with each failure in a row, up to some 2.5 s: a keeper that is back is found soon, one that is
    /// gone costs nothing.
    private static func pause(after failures: Int) -> Duration { .milliseconds(20 << min(failures, 7)) }

    /// Which time as a keeper is this one's present; nil when it is none.
    func tenure(of keeper: DiskID) -> Int? { core.withLock { $0.progress[keeper]?.tenure } }

    /// What a call came to is noted unless the keeper has left meanwhile; nil then.
    private func ifStillThere<T>(_ keeper: DiskID, _ tenure: Int, _ body: (inout JournalCore) -> T) -> T? {
        core.withLock { core in core.progress[keeper]?.tenure == tenure ? body(&core) : nil }
    }

    /// One call to the keeper, whatever is due.
    func feedOnce(_ keeper: DiskID, tenure: Int) async -> FeedOutcome {
        guard let client = client(keeper) else { return .leave }
        let step = core.withLock { $0.nextStep(keeper, tenure: tenure) }
        let sentAt = time.monotonic
        do throws(KeeperCallError) {
            switch step {
            case .leave: return .leave
            case .idle: return .nothingToDo
            case .inspect:
                let state = try await client.state()
                settle(ifStillThere(keeper, tenure) { $0.inspected(keeper, state, now: sentAt) })
            case .trim(let base, let reference, let number):
                try await client.trim(incarnation: incarnation, base: base, reference: reference)
                _ = ifStillThere(keeper, tenure) { $0.trimmed(keeper, number: number) }
            case .send(let entry):
                try await send(entry, to: client, tenure, sentAt)
            case .refeed(let sequence):
                guard let entry = await fetch(from: sequence, for: keeper) else {
                    return refeedFailed(keeper, tenure)
                }
                try await send(entry, to: client, tenure, sentAt)
            }
            return .done
        } catch {
            let failures = ifStillThere(keeper, tenure) { core in
                core.failed(keeper, error)
                return core.progress[keeper]?.failures ?? 0
            }
            settle()
            return failures ?? 0 == 0 ? .done : .failed
        }
    }

    private func send(
        _ entry: JournalCore.Entry,
        to client: any KeeperClient,
        _ tenure: Int,
        _ sentAt: MonotonicTime
    ) async throws(KeeperCallError) {
        switch entry {
        case .records(let records, let previous):
            _ = try await client.append(incarnation: incarnation, previous: previous, records)
        case .mark(let place):
            try await client.mark(incarnation: incarnation, at: place)
        }
        settle(ifStillThere(client.keeper, tenure) { $0.acknowledged(client.keeper, entry, sentAt: sentAt) })
    }

    /// Tells those whose records have become durable, then see `settle()`.
    private func settle(_ done: [JournalCore.Waiter]?) {
        for waiter in done ?? [] { waiter.continuation.resume() }
        settle()
    }

    private func refeedFailed(_ keeper: DiskID, _ tenure: Int) -> FeedOutcome {
        _ = ifStillThere(keeper, tenure) { core in
            core.failed(keeper, .unreachable("no other keeper has the records that it needs"))
        }
        return .failed
    }

    /// What comes after `sequence`, from any keeper that is whole: records, or the mark if that is due.
    private func fetch(from sequence: UInt64, for keeper: DiskID) async -> JournalCore.Entry? {
        let (donors, base, isMarkDue) = core.withLock { core in
            (
                core.members.filter { $0 != keeper && core.progress[$0]?.phase == .whole }, core.base,
                core.isMarkDue(keeper, at: sequence)
            )
        }
        for donor in donors {
            guard let client = client(donor) else { continue }
            if sequence == base.sequence {
                if isMarkDue { return .mark(at: base) }
                guard let records = await read(after: sequence, from: client) else { continue }
                return .records(records, after: base)
            }
            let limit = configuration.batchBytes
            guard let records = try? await client.read(from: sequence, limit: limit), let first = records.first else {
                continue
            }
            if isMarkDue { return .mark(at: first.position) }
            if records.count > 1 { return .records(Array(records.dropFirst()), after: first.position) }
            guard let rest = await read(after: sequence, from: client) else { continue }
            return .records(rest, after: first.position)
        }
        return nil
    }

    /// At least one record; nil when there is none, or no answer.
    private func read(after sequence: UInt64, from client: any KeeperClient) async -> [JournalRecord]? {
        let records = try? await client.read(from: sequence + 1, limit: configuration.batchBytes)
        return records?.isEmpty ?? true ? nil : records
    }
}
