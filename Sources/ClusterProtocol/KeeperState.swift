package import DiskFormat

/// What a keeper says of its log.
package struct KeeperState: Hashable, Sendable {
    /// The highest incarnation it has promised to; older ones are refused.
    package var promised: UInt32
    /// Who holds that promise.
    package var holder: UInt64
    /// The incarnation that last wrote to the log: of two logs the one written later is right (DESIGN §7, Start).
    package var written: UInt32
    /// Trimmed up to here; the first record is the one behind it.
    package var base: JournalPosition
    /// The last record; `base` when there is none.
    package var last: JournalPosition
    /// Sequences whose records cannot be read. `UInt64.max` as the end: how much is lost is not known, and `last` and
    /// `written` may be too low.
    package var damaged: [Range<UInt64>]
    /// What the last trim left, opaque here; empty before the first.
    package var reference: [UInt8]

    package init(
        promised: UInt32 = 0,
        holder: UInt64 = 0,
        written: UInt32 = 0,
        base: JournalPosition = .origin,
        last: JournalPosition = .origin,
        damaged: [Range<UInt64>] = [],
        reference: [UInt8] = []
    ) {
        self.promised = promised
        self.holder = holder
        self.written = written
        self.base = base
        self.last = last
        self.damaged = damaged
        self.reference = reference
    }

    /// True when no coordinator has ever written to this log.
    package var isFresh: Bool { written == 0 && last == .origin && reference.isEmpty && damaged.isEmpty }
    /// True when nobody can say where this log ends.
    package var hasUnknownEnd: Bool { damaged.contains { $0.upperBound == .max } }
}

/// Why a keeper did not do what it was asked. All of it is certain: a refused call has changed nothing.
package enum KeeperError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A newer coordinator has this keeper's promise.
    case superseded(promised: UInt32)
    /// Records are missing before those that were sent; the log goes on with `expected`.
    case gap(expected: UInt64)
    /// The log holds another record before those that were sent: go back to `sequence`.
    case mismatch(sequence: UInt64)
    /// Records of this range cannot be read here.
    case damaged(Range<UInt64>)
    /// Records up to this position are trimmed.
    case trimmed(JournalPosition)
    /// No room on the disk, and the reserve is used up.
    case full
    /// The log cannot be used as it is: its disk failed, or something is wrong with its files. The keeper is out until
    /// that is mended and the log opened again.
    case failed(String)
    /// The records, or the reference, are more than one call may carry.
    case tooLarge(limit: Int)
    /// Too many calls wait for this keeper.
    case busy
    /// The request makes no sense.
    case invalid(String)

    /// The node does not serve the keeper's disk. Of one that it has let go because it failed it no longer says why.
    package static let notServed = KeeperError.failed("its disk is not served: it failed and was let go, or is away")

    package var description: String {
        switch self {
        case .superseded(let promised):
            "a newer coordinator (incarnation \(promised)) has taken over: this one must stop"
        case .gap(let expected): "records are missing from \(expected) on"
        case .mismatch(let sequence): "the log holds another record at \(sequence)"
        case .damaged(let range) where range.upperBound == .max:
            "records from \(range.lowerBound) on cannot be read on this disk"
        case .damaged(let range): "records \(range.lowerBound) to \(range.upperBound) cannot be read on this disk"
        case .trimmed(let position): "records up to \(position.sequence) are in the checkpoint"
        case .full: "the disk is full and the journal's reserve is used up: free space on it"
        case .failed(let reason): "its journal log cannot be used: \(reason)"
        case .tooLarge(let limit): "more than \(limit) bytes in one call"
        case .busy: "too many calls wait for this keeper's disk"
        case .invalid(let reason): reason
        }
    }
}
