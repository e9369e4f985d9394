internal import Checksums

/// The checksum behind each row in SQLite: CRC-32C of the table's number, the key and the row, 4 bytes, little-endian.
///
/// SQLite has none of its own, and `quick_check` sees the shape of the tree alone: with one flipped bit a row may be
/// found under another key, or name another blob, and look right in every other way.
enum RowSeal {
    static let length = 4

    static func seal(_ table: MetadataTable, _ key: [UInt8], _ row: [UInt8]) -> [UInt8] {
        var sealed = row
        sealed.reserveCapacity(row.count + length)
        withUnsafeBytes(of: checksum(table, key, row[...]).littleEndian) { sealed.append(contentsOf: $0) }
        return sealed
    }

    /// The row without its checksum; throws `.corrupt` when that is of other bytes.
    static func open(
        _ table: MetadataTable,
        _ key: [UInt8],
        _ sealed: [UInt8]
    ) throws(MetadataError) -> [UInt8] {
        guard sealed.count >= length else { throw .corrupt("a row of \(table) is too short") }
        var stored: UInt32 = 0
        for byte in sealed.suffix(length).reversed() { stored = stored << 8 | UInt32(byte) }
        let row = sealed.dropLast(length)
        guard checksum(table, key, row) == stored else {
            throw .corrupt("a row of \(table) is not what was written")
        }
        return Array(row)
    }

    private static func checksum(_ table: MetadataTable, _ key: [UInt8], _ row: ArraySlice<UInt8>) -> UInt32 {
        let ofTable = withUnsafeBytes(of: table.rawValue) { CRC32C.checksum($0) }
        let ofKey = key.withUnsafeBytes { CRC32C.checksum($0, continuing: ofTable) }
        return row.withUnsafeBytes { CRC32C.checksum($0, continuing: ofKey) }
    }
}
