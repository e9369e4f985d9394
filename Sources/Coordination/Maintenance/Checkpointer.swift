internal import BlobStorage
internal import DiskFormat
package import Metadata
internal import ObjectInterface
internal import ObjectModel
package import ObjectStorage
import Synchronization
package import SystemInterface

/// Takes checkpoints of the metadata and trims the journal behind them (DESIGN §7).
///
/// A checkpoint is due when the journal has grown by so many records: a restart replays no more than about that. When
/// nothing changes any more, a tenth of it is enough: then the log's room comes back, and a restart has little to do.
/// One is due as well when a keeper's disk wants for the room of its older log files. The ranges that did not change
/// keep the blobs of the checkpoint before.
package final class Checkpointer: Sendable {
    /// Journal records after which a checkpoint is due: some tens of megabytes of log, replayed in seconds.
    package static let recordLimit: UInt64 = 50_000
    /// In a large store one in so many versions must have changed as well: with keys in no order each change touches a
    /// range of its own, and a checkpoint then writes everything anew.
    private static let changedShare: UInt64 = 16
    /// After so long without a change, so much less is enough.
    package static let quietTime = Duration.seconds(30)
    private static let quietShare: UInt64 = 10
    package static let interval = Duration.seconds(5)
    /// How long it is waited after one that was due for want of room, and failed, most likely for want of it.
    private static let pressedPause = Duration.seconds(60)

    private let metadata: any ReplicatedMetadata
    private let journal: Journal
    private let objects: ObjectStore
    private let time: any TimeSource
    package let trouble: WorkTrouble
    private let recordLimit: UInt64
    /// The ranges of the checkpoint that this process took last; the first after a start shares nothing.
    private let last = Mutex<CheckpointList?>(nil)
    private let isWanted = Atomic(false)
    private let pressure = Mutex<@Sendable () -> Bool>({ false })

    package init(
        metadata: any ReplicatedMetadata,
        journal: Journal,
        objects: ObjectStore,
        time: any TimeSource,
        recordLimit: UInt64 = Checkpointer.recordLimit
    ) {
        self.metadata = metadata
        self.journal = journal
        self.objects = objects
        self.time = time
        trouble = WorkTrouble(time: time)
        self.recordLimit = recordLimit
    }

    package func run() async {
        var seen = (sequence: journal.report.last.sequence, at: time.monotonic)
        var pressedFrom = time.monotonic
        while !Task.isCancelled {
            guard (try? await time.sleep(for: Self.interval)) != nil else { return }
            let report = journal.report
            if report.last.sequence != seen.sequence { seen = (report.last.sequence, time.monotonic) }
            let isQuiet = time.monotonic.duration(since: seen.at) >= Self.quietTime
            guard let limit = await dueLength(isQuiet: isQuiet) else { continue }
            let isWanted = isWanted.exchange(false, ordering: .acquiringAndReleasing)
            let isPressed = time.monotonic >= pressedFrom && pressure.withLock { $0 }()
            guard isWanted || isPressed || report.last.sequence - report.base.sequence >= limit else { continue }
            // What fails (too few disks, no room) is tried again: the journal just grows meanwhile.
            do {
                try await take(usesReserve: isPressed)
                trouble.note(nil)
            } catch {
                trouble.note((error as? StorageError)?.message ?? "\(error)")
                if isWanted { request() }
                if isPressed { pressedFrom = time.monotonic.advanced(by: Self.pressedPause) }
            }
        }
    }

    /// Records in the journal from which on a checkpoint is due; nil when it cannot be told just now.
    private func dueLength(isQuiet: Bool) async -> UInt64? {
        guard let versions = try? await metadata.statistics().versions else { return nil }
        let limit = max(recordLimit, UInt64(max(0, versions)) / Self.changedShare)
        return isQuiet ? limit / Self.quietShare : limit
    }

    /// Has one taken soon, whether it is due or not.
    package func request() { isWanted.store(true, ordering: .releasing) }

    /// `wantsRoom`: whether a keeper's disk wants for room that a checkpoint would bring back. Asked at every look.
    func hurries(while wantsRoom: @escaping @Sendable () -> Bool) { pressure.withLock { $0 = wantsRoom } }

    /// Takes one now. `usesReserve`: in pieces small enough that full disks take them from their reserve.
    package func take(usesReserve: Bool = false) async throws {
        let session = try await objects.leases.begin()
        defer { session.end() }
        let before = try await metadata.checkpoints()
        let snapshot = try await metadata.snapshot()
        let sink = CheckpointBlobSink(
            objects: objects,
            session: session,
            previous: before.first,
            usesReserve: usesReserve
        )
        let length = usesReserve ? max(1, objects.systemStripeLength) : CheckpointWriter.defaultRangeLength
        let taken: TakenCheckpoint
        do {
            taken = try await CheckpointWriter(sink: sink, rangeLength: length).write(
                SnapshotSource(snapshot: snapshot),
                previous: last.withLock { $0 }
            )
            let record = try record(of: taken, sink: sink)
            // The journal is trimmed behind it: a database that a power cut throws back may not fall behind that.
            try await metadata.makeDurable()
            if objects.blobs.buggify.strikes(.checkpointCutShort) { throw Self.cutShort }
            try await metadata.putCheckpoints(
                CheckpointTransaction(
                    lease: session.lease,
                    blobs: sink.written,
                    checkpoints: [record] + before.prefix(1)
                )
            )
        } catch {
            (error as? StorageError).map(session.noteFailure)
            if (error as? StorageError)?.code != .unknownOutcome { await objects.eraseSystemBlobs(sink.written) }
            throw error
        }
        if objects.blobs.buggify.strikes(.journalUntrimmed) { throw Self.cutShort }
        try journal.checkpointTaken(taken.position, checkpoint: taken.list)
        let list = CheckpointList(position: taken.position, entries: taken.entries)
        last.withLock { $0 = list }
    }

    private static let cutShort = CheckpointError.invalid("cut short, in a simulation")

    /// The checkpoint as metadata names it: so its blobs live, are repaired and scrubbed like any other.
    private func record(
        of taken: TakenCheckpoint,
        sink: CheckpointBlobSink
    ) throws(CheckpointError) -> CheckpointRecord {
        let digests = Dictionary(taken.entries.map { ($0.reference, $0.digest) }) { first, _ in first }
        var pieces: [CheckpointRecord.Piece] = []
        for reference in taken.blobs {
            guard let extent = sink.extent(of: reference) else { throw .invalid("a checkpoint's blob is not known") }
            // Blobs of the list itself have no range.
            let digest = digests[reference] ?? ContentDigest(high: 0, low: 0)
            pieces.append(CheckpointRecord.Piece(digest: digest, length: extent.length, extents: [extent]))
        }
        return CheckpointRecord(position: taken.position, pieces: pieces)
    }
}

/// A metadata snapshot as a checkpoint's source.
private struct SnapshotSource: CheckpointSource {
    let snapshot: any MetadataSnapshot

    var position: JournalPosition { snapshot.position }

    func exportRange(from key: [UInt8], limit: Int) async throws -> (bytes: [UInt8], next: [UInt8]?) {
        let range = try await snapshot.exportRows(from: key.isEmpty ? nil : key, limit: limit)
        return (range.bytes, range.next)
    }
}

/// Writes checkpoint ranges as blobs, and remembers what it wrote.
private final class CheckpointBlobSink: CheckpointSink {
    private struct State {
        var written: [BlobRecord] = []
        var extents: [[UInt8]: Extent] = [:]
    }

    private let objects: ObjectStore
    private let session: WriteSession
    private let state: Mutex<State>
    private let shared: Set<BlobID>
    private let usesReserve: Bool

    init(objects: ObjectStore, session: WriteSession, previous: CheckpointRecord?, usesReserve: Bool) {
        self.usesReserve = usesReserve
        self.objects = objects
        self.session = session
        var state = State()
        for extent in previous?.pieces.flatMap(\.extents) ?? [] {
            state.extents[CheckpointBlobReference.encode(extent.blob)] = extent
        }
        shared = Set(state.extents.values.map(\.blob))
        self.state = Mutex(state)
    }

    var written: [BlobRecord] { state.withLock { $0.written } }

    func extent(of reference: [UInt8]) -> Extent? { state.withLock { $0.extents[reference] } }

    func write(_ bytes: [UInt8]) async throws -> [UInt8] {
        let (record, extent) = try await objects.storeSystemBlob(
            bytes,
            name: "checkpoint",
            session: session,
            usesReserve: usesReserve
        )
        let reference = CheckpointBlobReference.encode(record.id)
        state.withLock { state in
            state.written.append(record)
            state.extents[reference] = extent
        }
        return reference
    }

    func holds(_ reference: [UInt8]) async -> Bool {
        guard let blob = CheckpointBlobReference.decode(reference), shared.contains(blob) else { return false }
        guard let record = (try? await objects.metadata.blob(blob)) ?? nil else { return false }
        // With a stronger class added since, it is to be as safe as that.
        return objects.isSystemScheme(record)
    }
}
