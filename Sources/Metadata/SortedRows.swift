/// An ordered map from keys to rows, in chunks: a copy shares all chunks that neither side changes.
struct SortedRows: Sendable {
    private struct Row: Sendable {
        var key: RowKey
        var content: [UInt8]
    }

    /// Rows of a chunk at most; one that is full splits in half.
    private static let chunkLength = 256

    /// In order; none is empty.
    private var chunks: [[Row]] = []

    subscript(key: RowKey) -> [UInt8]? {
        guard let place = chunk(of: key) else { return nil }
        let rows = chunks[place]
        let index = Self.position(of: key, in: rows)
        return index < rows.count && rows[index].key == key ? rows[index].content : nil
    }

    mutating func put(_ key: RowKey, _ content: [UInt8]) {
        guard let place = chunk(of: key) ?? (chunks.isEmpty ? nil : 0) else {
            chunks.append([Row(key: key, content: content)])
            return
        }
        let index = Self.position(of: key, in: chunks[place])
        if index < chunks[place].count, chunks[place][index].key == key {
            chunks[place][index].content = content
            return
        }
        chunks[place].insert(Row(key: key, content: content), at: index)
        guard chunks[place].count > Self.chunkLength else { return }
        let half = Array(chunks[place][(Self.chunkLength / 2)...])
        chunks[place].removeSubrange((Self.chunkLength / 2)...)
        chunks.insert(half, at: place + 1)
    }

    mutating func remove(_ key: RowKey) {
        guard let place = chunk(of: key) else { return }
        let index = Self.position(of: key, in: chunks[place])
        guard index < chunks[place].count, chunks[place][index].key == key else { return }
        chunks[place].remove(at: index)
        if chunks[place].isEmpty { chunks.remove(at: place) }
    }

    func scan(
        from start: RowKey,
        below end: RowKey?,
        _ visit: (RowKey, [UInt8]) throws(MetadataError) -> Bool
    ) throws(MetadataError) {
        var place = chunk(of: start) ?? 0
        while place < chunks.count {
            let rows = chunks[place]
            for index in Self.position(of: start, in: rows)..<rows.count {
                if let end, !rows[index].key.lexicographicallyPrecedes(end) { return }
                guard try visit(rows[index].key, rows[index].content) else { return }
            }
            place += 1
        }
    }

    /// The last chunk that begins at or before `key`.
    private func chunk(of key: RowKey) -> Int? {
        var (low, high) = (0, chunks.count)
        while low < high {
            let middle = (low + high) / 2
            if key.lexicographicallyPrecedes(chunks[middle][0].key) { high = middle } else { low = middle + 1 }
        }
        return low == 0 ? nil : low - 1
    }

    /// The first row at or after `key`.
    private static func position(of key: RowKey, in rows: [Row]) -> Int {
        var (low, high) = (0, rows.count)
        while low < high {
            let middle = (low + high) / 2
            if rows[middle].key.lexicographicallyPrecedes(key) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
