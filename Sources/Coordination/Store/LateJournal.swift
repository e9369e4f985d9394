package import DiskFormat
internal import Metadata
package import ObjectInterface
import Synchronization

/// Stands for the journal until it has been started: the metadata store is opened first, because the journal's start
/// must know where the database ends.
package final class LateJournal: JournalWriter {
    private let journal = Mutex<Journal?>(nil)

    package init() {}

    package func set(_ journal: Journal) { self.journal.withLock { $0 = journal } }

    /// Throws `.stopped` while there is no journal: nothing may change before it runs.
    package func append(_ records: [JournalRecord]) async throws {
        guard let journal = journal.withLock({ $0 }) else { throw JournalError.stopped }
        try await journal.append(records)
    }

    package var shortage: StorageError? { journal.withLock { $0 }?.shortage }
}
