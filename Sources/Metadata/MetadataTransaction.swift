internal import DiskFormat
internal import ObjectInterface
internal import ObjectModel

/// One database transaction: evaluates changes on what the ones before it in the same transaction left, applies their
/// effects and gathers their journal records. Replay applies the same effects by the same code.
///
/// Confined to the writer: made, used and dropped within one call of the backend.
final class MetadataTransaction {
    let tables: any MetadataTables
    let view: MetadataView
    var state: MetadataState
    private(set) var records: [JournalRecord] = []
    /// Bytes of the payloads so far.
    private(set) var recordBytes = 0
    /// What readers may have kept of rows that this transaction changes.
    var touched = TouchedRows()
    /// Groups that blobs were added to.
    var filled: Set<GroupID> = []
    /// Groups as of now, so that each is decoded once.
    var groups: [GroupID: GroupRecord] = [:]

    init(_ tables: any MetadataTables) throws(MetadataError) {
        self.tables = tables
        view = MetadataView(tables: tables)
        guard try tables.get(.meta, MetadataState.importKey) == nil else { throw .importing }
        state = try view.state()
    }

    /// Applies the effects of one operation and makes its journal record; nothing when there are none.
    func perform(_ effects: [MetadataEffect]) throws(MetadataError) {
        guard !effects.isEmpty else { return }
        for effect in effects { try apply(effect) }
        record(effects)
    }

    /// Makes the journal record of effects that are applied already.
    func record(_ effects: [MetadataEffect]) {
        if !effects.isEmpty { record(payload: MetadataEffect.encode(effects)) }
    }

    func record(payload: [UInt8]) {
        state.position = JournalPosition(incarnation: state.incarnation, sequence: state.position.sequence &+ 1)
        recordBytes += payload.count
        records.append(JournalRecord(position: state.position, payload: payload))
    }

    /// Applies a record that is in the journal already.
    func replay(_ record: JournalRecord) throws(MetadataError) {
        let last = state.position
        if record.position.sequence <= last.sequence {
            let isSame = record.position.sequence < last.sequence || record.position.incarnation == last.incarnation
            guard isSame else { throw .diverged(record.position) }
            return
        }
        guard record.position.sequence == last.sequence &+ 1 else {
            throw .gap(expected: last.sequence &+ 1, found: record.position.sequence)
        }
        if KeeperSetChange.isChange(record.payload) {
            try replayKeepers(record.payload)
        } else {
            for effect in try MetadataEffect.decode(record.payload) { try apply(effect) }
        }
        state.position = record.position
    }

    private func replayKeepers(_ payload: [UInt8]) throws(MetadataError) {
        let change: KeeperSetChange?
        do throws(JournalFormatError) {
            change = try KeeperSetChange.decode(payload)
        } catch {
            throw .corrupt("a keeper set change: \(error)")
        }
        if let change { try applyKeepers(change) }
    }

    func applyKeepers(_ change: KeeperSetChange) throws(MetadataError) {
        try tables.put(.meta, MetadataState.keepersKey, change.after.encoded())
    }

    /// Writes what is kept once per transaction. The last call before the commit.
    func finish() throws(MetadataError) {
        try tables.put(.meta, MetadataState.key, state.encoded())
    }

    func bucket(_ name: String) throws(MetadataError) -> BucketRow {
        guard let bucket = try view.bucket(name) else { throw .corrupt("an effect in a bucket that is not there") }
        return bucket
    }

    func group(_ id: GroupID) throws(MetadataError) -> GroupRecord? {
        if let group = groups[id] { return group }
        let group = try view.group(id)
        groups[id] = group
        return group
    }
}

/// Rows that a transaction changes and readers may hold copies of.
struct TouchedRows: Sendable {
    /// Names of buckets.
    var buckets: Set<[UInt8]> = []
    /// Bucket's name, 0, key.
    var versions: Set<[UInt8]> = []
    /// A blob's missing shards changed: every version is stale.
    var everyVersion = false
    /// Rows were replaced wholesale: buckets are stale as well.
    var everyBucket = false

    static let all = TouchedRows(everyVersion: true, everyBucket: true)
}
