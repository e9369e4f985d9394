internal import ClusterProtocol
internal import DiskFormat
internal import ObjectModel

/// Reads the journal that a survey has chosen, in order, mending what one keeper cannot read from the others.
struct JournalReader: Sendable {
    /// Best first; the first one's log is the journal.
    private let clients: [any KeeperClient]
    let last: JournalPosition
    /// The incarnation that last wrote to the journal, and the keepers whose logs it wrote to last, too.
    private let written: UInt32
    private let together: Set<DiskID>
    private let batchBytes: Int

    init(ranked: [JournalSurvey.Answer], clients: [any KeeperClient], batchBytes: Int) {
        self.clients = ranked.compactMap { answer in clients.first { $0.keeper == answer.keeper } }
        last = ranked.first?.state.last ?? .origin
        let written = ranked.first?.state.written ?? 0
        self.written = written
        together = Set(ranked.filter { $0.state.written == written }.map(\.keeper))
        self.batchBytes = batchBytes
    }

    /// Hands over all records behind `position`, some at a time.
    func read(
        after position: JournalPosition,
        _ body: ([JournalRecord]) async throws(JournalError) -> Void
    ) async throws(JournalError) {
        var sequence = position.sequence
        while sequence < last.sequence {
            let records = try await next(after: sequence)
            try await body(records)
            sequence += UInt64(records.count)
        }
    }

    private func next(after sequence: UInt64) async throws(JournalError) -> [JournalRecord] {
        guard let best = clients.first else { throw .noJournal }
        var missing = sequence + 1..<sequence + 2
        do throws(KeeperCallError) {
            let records = try await best.read(from: sequence + 1, limit: batchBytes)
            if !records.isEmpty { return records }
        } catch {
            if case .refused(.damaged(let range)) = error, range.upperBound != .max {
                missing = sequence + 1..<max(range.upperBound, sequence + 2)
            }
        }
        for other in clients.dropFirst() {
            if let records = await mended(missing, from: other) { return records }
        }
        throw .damagedRecords(missing)
    }

    /// The records of `range` from another keeper, if its log is the same up to the end of the range: a record has one
    /// identity for ever, and the same ones before it.
    private func mended(_ range: Range<UInt64>, from other: any KeeperClient) async -> [JournalRecord]? {
        var records: [JournalRecord] = []
        while (records.last?.position.sequence ?? range.lowerBound - 1) + 1 < range.upperBound {
            let next = range.lowerBound + UInt64(records.count)
            guard let more = try? await other.read(from: next, limit: batchBytes), !more.isEmpty else { return nil }
            records += more
        }
        records.removeAll { $0.position.sequence >= range.upperBound }
        if isPrefix(records, of: other) { return records }
        if await holdsLast(other) { return records }
        guard let end = await identity(at: range.upperBound - 1) else { return nil }
        return records.last?.position == end ? records : nil
    }

    /// Whether what a keeper has of these records is the journal's, though its log may end before that. An incarnation
    /// makes a log the journal that it has chosen when it declares it whole, and only adds to it from then on: of logs
    /// that the same one declared whole the shorter is the longer's beginning. What a later one put behind it, and did
    /// not come to declare whole, does not count.
    private func isPrefix(_ records: [JournalRecord], of keeper: any KeeperClient) -> Bool {
        together.contains(keeper.keeper) && records.allSatisfy { $0.position.incarnation <= written }
    }

    /// Whether a keeper has the journal's last record, and so all of it: the first one's disk may read none of its log
    /// right for a while.
    private func holdsLast(_ keeper: any KeeperClient) async -> Bool {
        (try? await keeper.read(from: last.sequence, limit: 1))?.first?.position == last
    }

    /// Which record the journal has at `sequence`, or the earliest behind it that can be read proves.
    private func identity(at sequence: UInt64) async -> JournalPosition? {
        if sequence == last.sequence { return last }
        guard let best = clients.first else { return nil }
        // The record behind the damage is readable; whoever holds that one holds those before it too.
        guard let first = try? await best.read(from: sequence + 1, limit: 1).first else { return nil }
        for other in clients.dropFirst() {
            guard let same = try? await other.read(from: sequence, limit: 1), same.count >= 1 else { continue }
            let following = try? await other.read(from: sequence + 1, limit: 1)
            if following?.first?.position == first.position { return same[0].position }
        }
        return nil
    }
}
