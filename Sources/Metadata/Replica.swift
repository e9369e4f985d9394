package import DiskFormat
package import ObjectInterface
package import ObjectModel

/// A portable export of the metadata as it lies in blobs (DESIGN §7, checkpoints).
package struct CheckpointRecord: Hashable, Sendable {
    /// One range of rows: equal digests are equal bytes, so that the next checkpoint names the same blob.
    package struct Piece: Hashable, Sendable {
        package var digest: ContentDigest
        package var length: Int
        package var extents: [Extent]

        package init(digest: ContentDigest, length: Int, extents: [Extent]) {
            self.digest = digest
            self.length = length
            self.extents = extents
        }
    }

    /// The last journal record that the export contains.
    package var position: JournalPosition
    /// In order; imported one after another they are the export.
    package var pieces: [Piece]

    package init(position: JournalPosition, pieces: [Piece]) {
        self.position = position
        self.pieces = pieces
    }
}

/// Names the checkpoints that are kept from here on, the newest first, and records the blobs that are new in them.
package struct CheckpointTransaction: Sendable {
    package var lease: WriteLease
    package var blobs: [BlobRecord]
    package var checkpoints: [CheckpointRecord]

    package init(lease: WriteLease, blobs: [BlobRecord], checkpoints: [CheckpointRecord]) {
        self.lease = lease
        self.blobs = blobs
        self.checkpoints = checkpoints
    }
}

/// A range of an export's rows.
package struct MetadataRange: Hashable, Sendable {
    /// The rows, encoded: the same for every backend.
    package var bytes: [UInt8]
    /// Where the next range begins; nil when this was the last.
    package var next: [UInt8]?

    package init(bytes: [UInt8], next: [UInt8]?) {
        self.bytes = bytes
        self.next = next
    }
}

/// The metadata as of one moment, for a checkpoint; it sees no later change. Closed when its last reference goes.
package protocol MetadataSnapshot: Sendable {
    /// The last record that it contains.
    var position: JournalPosition { get }
    /// Rows in order from `cursor` (nil: the beginning) on, at most about `limit` bytes.
    ///
    /// A range ends at a row chosen by its key, so that after a small change all other ranges are the same bytes as
    /// before.
    func exportRows(from cursor: [UInt8]?, limit: Int) async throws(MetadataError) -> MetadataRange
}

/// What a coordinator needs of its metadata beside the operations: start, catch-up, checkpoints (DESIGN §7).
package protocol ReplicatedMetadata: MetadataStore {
    /// Why nothing is answered any more, if so: the journal or the commit behind it failed. Whoever serves the store
    /// must end; opening it again replays what the keepers have.
    var stopped: StorageError? { get }
    /// Why no rows are added just now, if so: the database's file system is full. As far as was seen last.
    var shortage: StorageError? { get }
    /// Looks at the database's room again.
    func lookAtRoom() async
    /// Whether the database's file is no longer where the next start looks for it; then it counts as damaged, too.
    func isFileGone() async -> Bool
    /// What was found wrong with the rows themselves; nil while nothing was. What is sound is still answered and
    /// changed; the journal has everything, and a rebuild makes the rows anew.
    var damage: String? { get }
    /// Reads rows from a place on, up to `limit`, and so compares each with its checksum; where to go on, or nil.
    func checkRows(from place: RowPlace, limit: Int) async throws(StorageError) -> RowPlace?
    /// Objects looked up, listed, written or deleted so far: how much is asked of the store, by clients above all.
    var requests: UInt64 { get }
    /// Groups that blobs were added to since the store was opened, what was replayed aside.
    var filledGroups: Set<GroupID> { get }
    /// The last journal record applied; stored in the same transaction as its effects.
    func position() async throws(MetadataError) -> JournalPosition
    func incarnation() async throws(StorageError) -> UInt32
    /// Begins an incarnation, as a journaled change; must be higher than the present one.
    func beginIncarnation(_ incarnation: UInt32) async throws(StorageError)
    /// The leases granted since the store was made, as far as they are remembered.
    func grantedLeases() async throws(StorageError) -> GrantedLeases
    /// The keeper set after the last change applied; nil before the first.
    func keeperSet() async throws(StorageError) -> KeeperSet?
    /// Makes a keeper set change the next journal record: it takes its place in the sequence here, so that no other
    /// record gets the same one. The writer of the journal sees it among the records it is given.
    func recordKeeperSetChange(_ change: KeeperSetChange) async throws(StorageError)
    /// The checkpoints kept, the newest first.
    func checkpoints() async throws(StorageError) -> [CheckpointRecord]
    func putCheckpoints(_ transaction: CheckpointTransaction) async throws(StorageError)

    /// What was committed before stays when the power fails. Needed before the journal is trimmed behind it, and before
    /// a new store takes its first change: a database that fell back further than the journal goes cannot be replayed.
    func makeDurable() async throws(MetadataError)

    /// Applies records that are durable on the keepers already: only before serving. Those already applied are
    /// skipped; a missing one is `.gap`, another one at the same place `.diverged`.
    func apply(_ records: [JournalRecord]) async throws(MetadataError)
    func snapshot() async throws(MetadataError) -> any MetadataSnapshot
    /// Empties the store; until `finishImport` nothing else may be asked of it, also after a restart.
    func beginImport() async throws(MetadataError)
    /// In order, each range of an export.
    func importRows(_ bytes: [UInt8]) async throws(MetadataError)
    func finishImport() async throws(MetadataError)
}

extension ReplicatedMetadata {
    /// For metadata that takes no room of a file system.
    package var shortage: StorageError? { nil }
    package func lookAtRoom() async {}
    package func isFileGone() async -> Bool { false }
}
