internal import ClusterProtocol
internal import Coordination
package import DiskFormat
internal import Metadata
package import ObjectInterface
package import ObjectModel
internal import SystemInterface

/// What reading the journal from the disks gave.
package struct ReplayReport: Sendable {
    /// The last change that the metadata now holds.
    package var position: JournalPosition
    /// Where the database stood before; nil when it was empty or an import of it had been broken off.
    package var before: JournalPosition?
    /// The checkpoint that was read; nil when none was needed.
    package var checkpoint: JournalPosition?
    /// Records applied behind it.
    package var records = 0
    /// The journal's keepers, in the state that the journal ends with.
    package var keepers: [DiskID]
    /// J: an acknowledged change lies on at least this many of them.
    package var needed: Int
    /// Those of them that are here and know their log.
    package var found: [DiskID]

    /// Changes that were acknowledged last may lie on keepers that are not here only.
    package var mayMissTail: Bool { found.count < needed }
    /// The database held everything before.
    package var wasUpToDate: Bool { before == position }

    /// Which keepers are not here.
    package var missing: [DiskID] { keepers.filter { !found.contains($0) } }
}

/// Brings metadata to where the disks' journal ends, from the disks alone: the checkpoint, then the tail (DESIGN §7).
struct MetadataReplay {
    let keepers: [any KeeperClient]
    let checkpoints: any CheckpointStore
    /// Go on with fewer than J keepers.
    let isForced: Bool
    let buggify: Buggify

    init(
        keepers: [any KeeperClient],
        checkpoints: any CheckpointStore,
        isForced: Bool,
        buggify: Buggify = .never
    ) {
        self.keepers = keepers
        self.checkpoints = checkpoints
        self.isForced = isForced
        self.buggify = buggify
    }

    /// Of the disks of this machine.
    init(_ cluster: RecoveryCluster, _ contents: BlobContents, isForced: Bool) {
        self.init(
            keepers: cluster.keepers,
            checkpoints: CheckpointBlobs(cluster: cluster, contents: contents),
            isForced: isForced
        )
    }

    /// Changes nothing on any disk. May be repeated after whatever interruption.
    func run(into store: any ReplicatedMetadata) async throws(RecoveryError) -> ReplayReport {
        let clients = keepers
        let survey = await JournalSurvey.take(clients)
        guard let last = survey.last, let (base, reference) = try newest(survey) else { throw .noJournal }
        var report = ReplayReport(position: last, keepers: reference.keepers.keepers, needed: 0, found: [])
        try await settleKeepers(survey, clients, base: base, set: reference.keepers, &report)
        if report.mayMissTail, !isForced {
            throw .tooFewKeepers(found: report.found.count, needed: report.needed)
        }
        report.before = try await position(of: store)
        if let before = report.before, before.sequence > last.sequence {
            throw .databaseAhead(database: before, journal: last)
        }
        var start = report.before ?? .origin
        if report.before == nil || start.sequence < base.sequence {
            start = try await importCheckpoint(reference.checkpoint, base: base, into: store)
            report.checkpoint = reference.checkpoint.isEmpty ? nil : start
        }
        report.records = try await applyTail(survey, clients, base: base, start: start, to: store)
        return report
    }

    private func newest(
        _ survey: JournalSurvey
    ) throws(RecoveryError) -> (base: JournalPosition, reference: JournalReference)? {
        do {
            return try survey.reference()
        } catch {
            throw .journal(error.description)
        }
    }

    /// Reads the tail once for changes of the keeper set, before anything is changed.
    private func settleKeepers(
        _ survey: JournalSurvey,
        _ clients: [any KeeperClient],
        base: JournalPosition,
        set first: DiskFormat.KeeperSet,
        _ report: inout ReplayReport
    ) async throws(RecoveryError) {
        var set = first
        do {
            try await survey.read(after: base, from: clients) { records in
                for record in records {
                    if let change = try? KeeperSetChange.decode(record.payload) { set = change.after }
                }
            }
        } catch {
            throw .journal(error.description)
        }
        let knowing = Set(survey.knowing.map(\.keeper))
        report.keepers = set.keepers
        report.needed = set.quorum
        report.found = set.keepers.filter { knowing.contains($0) }
    }

    /// nil for a database that holds nothing, or an import that was broken off.
    private func position(of store: any ReplicatedMetadata) async throws(RecoveryError) -> JournalPosition? {
        do {
            let position = try await store.position()
            return position == .origin ? nil : position
        } catch .importing {
            return nil
        } catch {
            throw .metadata(error.description)
        }
    }

    /// Fills the emptied store from the checkpoint; returns where that stands.
    private func importCheckpoint(
        _ list: [UInt8],
        base: JournalPosition,
        into store: any ReplicatedMetadata
    ) async throws(RecoveryError) -> JournalPosition {
        guard !list.isEmpty else {
            guard base == .origin else { throw .checkpoint("the logs begin at \(base) and name none") }
            return .origin
        }
        do {
            let reader = CheckpointReader(store: checkpoints)
            let checkpoint = try await reader.list(list)
            if buggify.strikes(.importCutShort) { try await beginImport(checkpoint, reader, into: store) }
            try await store.beginImport()
            try await reader.read(checkpoint) { _, bytes in try await store.importRows(bytes) }
            try await store.finishImport()
            return try await store.position()
        } catch let error as RecoveryError {
            throw error
        } catch {
            throw .checkpoint("\(error)")
        }
    }

    private struct ImportCutShort: Error {}

    /// Leaves the store as an import that was broken off behind its first rows does.
    private func beginImport(
        _ checkpoint: CheckpointList,
        _ reader: CheckpointReader,
        into store: any ReplicatedMetadata
    ) async throws {
        try await store.beginImport()
        do {
            try await reader.read(checkpoint) { _, bytes in
                try await store.importRows(bytes)
                throw ImportCutShort()
            }
        } catch is ImportCutShort {}
    }

    /// Applies what lies behind `start`; the record at `start` itself is compared.
    private func applyTail(
        _ survey: JournalSurvey,
        _ clients: [any KeeperClient],
        base: JournalPosition,
        start: JournalPosition,
        to store: any ReplicatedMetadata
    ) async throws(RecoveryError) -> Int {
        var from = base
        if start.sequence > base.sequence { from.sequence = start.sequence - 1 }
        var count = 0
        do throws(JournalError) {
            try await survey.read(after: from, from: clients) { records throws(JournalError) in
                do throws(MetadataError) {
                    try await store.apply(records)
                } catch {
                    throw .replayFailed(error.description)
                }
                count += records.count { $0.position.sequence > start.sequence }
            }
        } catch {
            throw .journal(error.description)
        }
        return count
    }
}

/// The journal of metadata that is only read: nothing can be changed through it.
package struct ReadOnlyJournal: JournalWriter {
    package init() {}

    package var shortage: StorageError? { nil }

    package func append(_ records: [JournalRecord]) async throws {
        throw RecoveryError.metadata("recovered metadata is read-only")
    }
}
