internal import ObjectInterface
internal import ObjectModel

/// Objects of a bucket that are being rewritten into another class, in the background.
package struct ClassRewrite: Hashable, Sendable {
    /// A bucket has one at a time.
    package var bucket: String
    /// Of the keys; empty for all.
    package var prefix: String
    package var storageClass: String
    /// Versions of this number and above came after the rewrite was begun, and are left as they were written.
    package var before: UInt64
    package var isPaused: Bool
    /// Bytes a second of objects that are rewritten at most.
    package var rate: Int

    /// `before` is given by the store when it begins.
    package init(
        bucket: String,
        prefix: String = "",
        storageClass: String,
        before: UInt64 = 0,
        isPaused: Bool = false,
        rate: Int
    ) {
        self.bucket = bucket
        self.prefix = prefix
        self.storageClass = storageClass
        self.before = before
        self.isPaused = isPaused
        self.rate = rate
    }

    /// Rewrites of a store at a time: they are kept in one row.
    package static let limit = 1_000
}

extension ClassRewrite: RowCodable {
    func encode(into writer: inout ByteWriter) {
        writer.put(bucket)
        writer.put(prefix)
        writer.put(storageClass)
        writer.put(before)
        writer.put(byte: isPaused ? 1 : 0)
        writer.put(rate)
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        bucket = try reader.getText()
        prefix = try reader.getText()
        storageClass = try reader.getText()
        before = try reader.getInteger()
        let flags = try reader.getByte()
        guard flags <= 1 else { throw .unsupported("flags of a rewrite") }
        isPaused = flags == 1
        rate = try reader.getInt()
    }
}

/// All that are open, by bucket.
struct ClassRewrites: RowCodable {
    var rewrites: [ClassRewrite] = []

    init() {}

    func encode(into writer: inout ByteWriter) {
        writer.put(rewrites.count)
        for rewrite in rewrites { rewrite.encode(into: &writer) }
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        for _ in 0..<(try reader.getCount(size: 6)) { rewrites.append(try ClassRewrite(from: &reader)) }
    }

    /// Adds it, or puts it in the place of the bucket's.
    mutating func put(_ rewrite: ClassRewrite) {
        rewrites.removeAll { $0.bucket == rewrite.bucket }
        rewrites.append(rewrite)
        rewrites.sort { $0.bucket < $1.bucket }
    }
}

extension MetadataView {
    func classRewrites() throws(MetadataError) -> [ClassRewrite] {
        guard let row = try tables.get(.meta, MetadataState.rewritesKey) else { return [] }
        return try ClassRewrites(row: row).rewrites
    }
}

// What must hold of each change, and what it does to the rows.

extension MetadataTransaction {
    func beginClassRewrite(_ rewrite: ClassRewrite) throws(MetadataError) -> ClassRewrite {
        _ = try view.existingBucket(rewrite.bucket)
        if rewrite.storageClass != StorageClass.standard { try checkClass(rewrite.storageClass) }
        let open = try view.classRewrites()
        guard !open.contains(where: { $0.bucket == rewrite.bucket }) else {
            throw .refused(.invalidArgument, "Objects of bucket \(rewrite.bucket) are being rewritten already.")
        }
        guard open.count < ClassRewrite.limit else {
            throw .refused(.invalidArgument, "At most \(ClassRewrite.limit) buckets are rewritten at a time.")
        }
        var rewrite = rewrite
        rewrite.before = state.nextVersion
        try perform([.classRewritePut(rewrite)])
        return rewrite
    }

    func pauseClassRewrite(_ bucket: String, _ isPaused: Bool) throws(MetadataError) -> Bool {
        guard var rewrite = try view.classRewrites().first(where: { $0.bucket == bucket }) else { return false }
        guard rewrite.isPaused != isPaused else { return true }
        rewrite.isPaused = isPaused
        try perform([.classRewritePut(rewrite)])
        return true
    }

    /// One that was begun anew since is another.
    func endClassRewrite(_ bucket: String, before: UInt64?) throws(MetadataError) -> Bool {
        guard let open = try view.classRewrites().first(where: { $0.bucket == bucket }),
            before == nil || open.before == before
        else { return false }
        try perform([.classRewriteEnded(bucket: bucket)])
        return true
    }

    func putClassRewrite(_ rewrite: ClassRewrite) throws(MetadataError) {
        var open = ClassRewrites()
        open.rewrites = try view.classRewrites()
        open.put(rewrite)
        try tables.put(.meta, MetadataState.rewritesKey, open.encoded())
    }

    /// No error when there is none.
    func removeClassRewrite(of bucket: String) throws(MetadataError) {
        var open = ClassRewrites()
        open.rewrites = try view.classRewrites()
        guard open.rewrites.contains(where: { $0.bucket == bucket }) else { return }
        open.rewrites.removeAll { $0.bucket == bucket }
        if open.rewrites.isEmpty {
            try tables.remove(.meta, MetadataState.rewritesKey)
        } else {
            try tables.put(.meta, MetadataState.rewritesKey, open.encoded())
        }
    }
}
