internal import DiskFormat

/// A snapshot of the committed rows that is read range by range.
struct ExportSnapshot: MetadataSnapshot {
    let rows: any BackendSnapshot
    package let position: JournalPosition
    /// Hears of what keeps a range from being read.
    let onFailure: @Sendable (MetadataError) async -> Void

    package func exportRows(from cursor: [UInt8]?, limit: Int) async throws(MetadataError) -> MetadataRange {
        do throws(MetadataError) {
            return try await rows.read { (tables) throws(MetadataError) in
                try ExportCoding.range(tables, from: cursor, limit: limit)
            }
        } catch {
            await onFailure(error)
            throw error
        }
    }
}

/// The portable form of rows (`Docs/MetadataRecords.md`, Exports): table number, key and row, one after another.
enum ExportCoding {
    static let formatVersion: UInt8 = 1
    /// A range ends at the first key in this many, once it has half of its limit: so ends are found again behind an
    /// insertion, and the ranges that follow are the same bytes.
    private static let boundaryShare: UInt64 = 64

    static func range(
        _ tables: any MetadataTables,
        from cursor: [UInt8]?,
        limit: Int
    ) throws(MetadataError) -> MetadataRange {
        var writer = ByteWriter(capacity: limit + 1_024)
        writer.put(byte: formatVersion)
        var position = try Cursor(encoded: cursor)
        while let table = MetadataTable(rawValue: position.table) {
            var isFull = false
            var behind: RowKey = []
            try tables.scan(table, from: position.key, below: nil) { (key, row) throws(MetadataError) in
                if table == .meta, key == MetadataState.importKey { return true }
                writer.put(byte: table.rawValue)
                writer.put(key)
                writer.put(row)
                let length = writer.bytes.count
                isFull = length >= limit || (length >= limit / 2 && hash(table, key) % boundaryShare == 0)
                behind = key.next
                return !isFull
            }
            if isFull { return MetadataRange(bytes: writer.bytes, next: [table.rawValue] + behind) }
            position = Cursor(table: table.rawValue + 1, key: [])
        }
        return MetadataRange(bytes: writer.bytes, next: nil)
    }

    static func importRows(_ bytes: [UInt8], into tables: any MetadataTables) throws(MetadataError) {
        guard try tables.get(.meta, MetadataState.importKey) != nil else { throw .failed("no import was begun") }
        var reader = ByteReader(bytes)
        let version = try reader.getByte()
        guard version == formatVersion else { throw .unsupported("export version \(version)") }
        while !reader.isAtEnd {
            let number = try reader.getByte()
            guard let table = MetadataTable(rawValue: number) else { throw .unsupported("table \(number)") }
            let key = try reader.getBytes()
            try tables.put(table, key, try reader.getBytes())
        }
    }

    private struct Cursor {
        var table: UInt8
        var key: RowKey

        init(table: UInt8, key: RowKey) {
            self.table = table
            self.key = key
        }

        init(encoded bytes: [UInt8]?) throws(MetadataError) {
            guard let bytes else {
                self.init(table: 1, key: [])
                return
            }
            guard let first = bytes.first else { throw .corrupt("cursor of an export") }
            self.init(table: first, key: RowKey(bytes.dropFirst()))
        }
    }

    /// FNV-1a with a final mix (its own last bytes hardly reach the upper bits): the same on every machine.
    private static func hash(_ table: MetadataTable, _ key: RowKey) -> UInt64 {
        var value: UInt64 = (0xCBF2_9CE4_8422_2325 ^ UInt64(table.rawValue)) &* 0x100_0000_01B3
        for byte in key { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return (value ^ value >> 32) &* 0x9E37_79B9_7F4A_7C15 >> 32
    }
}
