internal import ClusterProtocol
package import DiskFormat
internal import ObjectModel

extension JournalSurvey {
    /// The last record of the journal that this survey's keepers hold between them; nil when they hold none.
    package var last: JournalPosition? { isFresh ? nil : ranked.first?.state.last }

    /// Hands over all records of the journal behind `position`, in order, some at a time, changing nothing on any
    /// keeper: what an offline reader needs. `clients` are those the survey was taken of.
    package func read(
        after position: JournalPosition,
        from clients: [any KeeperClient],
        batchBytes: Int = 1 << 20,
        _ body: ([JournalRecord]) async throws(JournalError) -> Void
    ) async throws(JournalError) {
        guard !isFresh, !ranked.isEmpty else { throw .noJournal }
        let reader = JournalReader(ranked: ranked, clients: clients, batchBytes: batchBytes)
        try await reader.read(after: position, body)
    }
}
