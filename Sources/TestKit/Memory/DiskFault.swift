import SystemInterface

/// What an operation on a simulated disk does.
package enum DiskOperation: String, Hashable, Sendable, CaseIterable {
    case open, createDirectory, list, status, remove, rename, syncDirectory, space, lock
    case read, write, sync, allocate, punch, truncate, length

    /// Whether it changes the disk; one that opens may, and is not counted.
    var isChange: Bool {
        switch self {
        case .createDirectory, .remove, .rename, .syncDirectory, .write, .sync, .allocate, .punch, .truncate: true
        case .open, .list, .status, .space, .lock, .read, .length: false
        }
    }
}

/// A write to come that a disk acknowledges without doing it: the one on a path with this prefix, after `skipped`
/// others.
package struct WriteLie: Sendable {
    package enum Kind: Sendable {
        /// Nothing is written.
        case lost
        /// The bytes land so far behind their place.
        case misdirected(by: Int)
    }

    package var kind: Kind
    package var pathPrefix: String
    package var skipped: Int

    package init(_ kind: Kind, pathPrefix: String = "", after skipped: Int = 0) {
        self.kind = kind
        self.pathPrefix = pathPrefix
        self.skipped = skipped
    }

    /// True when this write is the one.
    mutating func strikes(_ path: String) -> Bool {
        guard path.hasPrefix(pathPrefix) else { return false }
        skipped -= 1
        return skipped < 0
    }
}

/// Reads to come that say they went well and give other bytes than those that lie there: so many on a path with this
/// prefix, after `skipped` others. The next reader finds what lies there.
package struct ReadLie: Sendable {
    package enum Kind: Sendable {
        /// One bit of what is read, counted from the beginning, and on from there when there are fewer.
        case flipped(bit: Int)
        /// What lies so far behind.
        case misdirected(by: Int)
    }

    package var kind: Kind
    package var pathPrefix: String
    package var skipped: Int
    package var times: Int

    package init(_ kind: Kind, pathPrefix: String = "", after skipped: Int = 0, times: Int = 1) {
        self.kind = kind
        self.pathPrefix = pathPrefix
        self.skipped = skipped
        self.times = times
    }

    /// True when this read is one of them.
    mutating func strikes(_ path: String) -> Bool {
        guard times > 0, path.hasPrefix(pathPrefix) else { return false }
        if skipped > 0 {
            skipped -= 1
            return false
        }
        times -= 1
        return true
    }
}

/// A fault to come: the operation of this kind, on a path with this prefix, after `skipped` that go well.
///
/// A failed write has written its first half; a failed sync loses what was pending for ever, as Linux does.
package struct DiskFault: Sendable {
    package var operation: DiskOperation
    package var pathPrefix: String
    package var skipped: Int
    /// How often it strikes; `Int.max` for always.
    package var times: Int
    package var code: FileError.Code

    package init(
        _ operation: DiskOperation,
        pathPrefix: String = "",
        after skipped: Int = 0,
        times: Int = 1,
        code: FileError.Code = .medium
    ) {
        self.operation = operation
        self.pathPrefix = pathPrefix
        self.skipped = skipped
        self.times = times
        self.code = code
    }

    /// True when this call is one to fail.
    mutating func strikes(_ operation: DiskOperation, _ path: String) -> Bool {
        guard operation == self.operation, times > 0, path.hasPrefix(pathPrefix) else { return false }
        if skipped > 0 {
            skipped -= 1
            return false
        }
        if times != .max { times -= 1 }
        return true
    }
}
