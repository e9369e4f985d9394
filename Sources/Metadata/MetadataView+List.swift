internal import ObjectInterface
internal import ObjectModel

/// Goes through names in order and folds those with a delimiter behind the prefix into groups, each left by one seek.
struct GroupedScan {
    enum Step { case next, stop }

    let tables: any MetadataTables
    let table: MetadataTable
    /// What every key of the bucket begins with.
    let base: RowKey
    let prefix: String
    let delimiter: String
    /// The form that names have in keys: keeps order, and prefixes.
    let keyForm: (ArraySlice<UInt8>) -> RowKey

    /// The first key that may follow `marker`: behind its whole group when it lies in one.
    func start(after marker: String) -> RowKey? {
        let first = base + keyForm(RowKey(prefix.utf8)[...])
        guard !marker.isEmpty else { return first }
        let name = RowKey(marker.utf8)
        let behind: RowKey?
        if let group = group(of: name[...]) {
            behind = (base + keyForm(group)).successor
        } else {
            behind = (base + keyForm(name[...])).next
        }
        guard let behind else { return nil }
        return behind.lexicographicallyPrecedes(first) ? first : behind
    }

    /// The common prefix that a name falls under; nil when there is none.
    func group(of name: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let prefix = prefix.utf8
        let delimiter = Array(delimiter.utf8)
        guard !delimiter.isEmpty, name.starts(with: prefix) else { return nil }
        var start = name.startIndex + prefix.count
        while start + delimiter.count <= name.endIndex {
            if name[start..<start + delimiter.count].elementsEqual(delimiter) {
                return name[..<(start + delimiter.count)]
            }
            start += 1
        }
        return nil
    }

    /// `name` gives a key's name. Groups come once each; the scan goes on behind them.
    func run(
        from start: RowKey,
        name: (RowKey) throws(MetadataError) -> ArraySlice<UInt8>,
        row: (ArraySlice<UInt8>, RowKey, [UInt8]) throws(MetadataError) -> Step,
        group: (ArraySlice<UInt8>) throws(MetadataError) -> Step
    ) throws(MetadataError) {
        let end = (base + keyForm(RowKey(prefix.utf8)[...])).successor
        var position: RowKey? = start
        while let from = position {
            position = nil
            try tables.scan(table, from: from, below: end) { (key, content) throws(MetadataError) in
                let text = try name(key)
                guard let common = self.group(of: text) else { return try row(text, key, content) == .next }
                if try group(common) == .next { position = (base + keyForm(common)).successor }
                return false
            }
        }
    }
}

extension MetadataView {
    func list(_ request: ListRequest, in bucket: BucketRow) throws(MetadataError) -> ListPage {
        var page = ListPage(entries: [], isTruncated: false)
        guard request.limit > 0 else { return page }
        let limit = min(request.limit, Limits.pageSize)
        let base = RowKey.number(bucket.number)
        let scan = GroupedScan(
            tables: tables,
            table: .versions,
            base: base,
            prefix: request.prefix,
            delimiter: request.delimiter,
            keyForm: { RowKey($0) }
        )
        guard let start = scan.start(after: request.after) else { return page }
        page.entries.reserveCapacity(min(limit, 64))

        func isFull() -> Bool {
            guard page.entries.count == limit else { return false }
            page.isTruncated = true
            return true
        }

        try scan.run(from: start) { (key) throws(MetadataError) in
            key.dropFirst(base.count)
        } row: { (name, _, content) throws(MetadataError) in
            if isFull() { return .stop }
            let version = try VersionRow.decode(
                content,
                bucket: request.bucket,
                key: try name.text(),
                usualOwner: bucket.bucket.owner,
                isSummary: true
            )
            page.entries.append(.object(version.summary))
            return .next
        } group: { (common) throws(MetadataError) in
            if isFull() { return .stop }
            page.entries.append(.commonPrefix(try common.text()))
            return .next
        }
        return page
    }
}
