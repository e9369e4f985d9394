internal import ObjectInterface
package import SystemInterface

/// A start that went on with fewer than J journal keepers, by an operator's word: what was acknowledged may be missing
/// from the metadata, and be on the disks all the same.
package struct ForcedStart: Hashable, Sendable {
    package var time: WallTime
    /// An operator has said that nothing is looked for any more: what only seems to be garbage is garbage again.
    package var isAccepted: Bool

    package init(time: WallTime, isAccepted: Bool = false) {
        self.time = time
        self.isAccepted = isAccepted
    }
}

extension ForcedStart: RowCodable {
    func encode(into writer: inout ByteWriter) {
        writer.put(time)
        writer.put(byte: isAccepted ? 1 : 0)
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        time = try reader.getTime()
        isAccepted = try reader.getByte() != 0
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
        try tables.put(.meta, MetadataState.forcedStartKey, start.encoded())
    }
}
