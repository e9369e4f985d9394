internal import DiskFormat

/// What one batch says, without where the log stood before it.
struct BatchContent: Sendable {
    /// None in a mark: the log is whole up to `previous` as of the incarnation `written`, and ends there.
    var records: [JournalRecord]
    /// What they follow; whatever the log held behind it is replaced by them.
    var previous: JournalPosition
    /// The incarnation of the keeper's last mark, this batch included.
    var written: UInt32

    var isMark: Bool { records.isEmpty }
}

/// Where the bytes of one batch lie.
struct BatchSpan: Sendable {
    /// The number of the log file.
    var file: UInt64
    var offset: Int
    /// Bytes up to the end of the last intact record.
    var length: Int
}

/// Where one batch lies, and which records of it still count.
struct BatchPlace: Sendable {
    var span: BatchSpan
    /// The sequence of the first record.
    var first: UInt64
    /// Records that count; a batch that replaced a tail took away the others.
    var count: Int

    var last: UInt64 { first + UInt64(count) - 1 }
}
