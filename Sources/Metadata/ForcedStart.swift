internal import ObjectInterface
package import SystemInterface

/// A start that went on with fewer than J journal keepers, by an operator's word, or with metadata and keepers that had
/// been put back to an earlier moment: what was acknowledged may be missing from the metadata, and be on the disks all
/// the same.
package struct ForcedStart: Hashable, Sendable {
    /// When it was forced; of what was put back, when that was found.
    package var time: WallTime
    /// An operator has said that nothing is looked for any more: what only seems to be garbage is garbage again.
    package var isAccepted: Bool
    /// The highest incarnation of which a disk holds what was written under a lease that the metadata never granted;
    /// nil when an operator forced the start.
    package var forgotten: UInt32?

    package init(time: WallTime, isAccepted: Bool = false, forgotten: UInt32? = nil) {
        self.time = time
        self.isAccepted = isAccepted
        self.forgotten = forgotten
    }
}

extension ForcedStart: RowCodable {
    func encode(into writer: inout ByteWriter) {
        writer.put(time)
        writer.put(byte: isAccepted ? 1 : 0)
        // Not there in rows of before it was looked for.
        if let forgotten { writer.put(forgotten) }
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        time = try reader.getTime()
        isAccepted = try reader.getByte() != 0
        if !reader.isAtEnd { forgotten = try reader.getUInt32() }
    }
}

extension MetadataView {
    func forcedStart() throws(MetadataError) -> ForcedStart? {
        guard let row = try tables.get(.meta, MetadataState.forcedStartKey) else { return nil }
        return try ForcedStart(row: row)
    }
}

extension MetadataTransaction {
    /// False when there is none that is not accepted yet.
    func acceptForcedStart() throws(MetadataError) -> Bool {
        guard var start = try view.forcedStart(), !start.isAccepted else { return false }
        start.isAccepted = true
        try perform([.forcedStartPut(start)])
        return true
    }

    func putForcedStart(_ start: ForcedStart) throws(MetadataError) {
        if start.isAccepted { try settleLeases(start) }
        try tables.put(.meta, MetadataState.forcedStartKey, start.encoded())
    }
}
