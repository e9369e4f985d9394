/// Where a change stands in the journal: `(incarnation, stream, sequence)` of DESIGN §7; one stream so far.
package struct JournalPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The incarnation of the coordinator that first wrote the record.
    package var incarnation: UInt32
    package var stream: UInt32
    /// Rises by one per record, across incarnations.
    package var sequence: UInt64

    package init(incarnation: UInt32, stream: UInt32 = 0, sequence: UInt64) {
        self.incarnation = incarnation
        self.stream = stream
        self.sequence = sequence
    }

    package static func < (left: Self, right: Self) -> Bool { left.sequence < right.sequence }
    package var description: String { "\(incarnation):\(stream):\(sequence)" }

    /// Sequences are below this: no store writes so many records, and next to it sums cannot overflow.
    package static let sequenceLimit: UInt64 = 1 << 62

    /// False for what no journal reaches, and so did not write.
    package var isPossible: Bool { sequence < Self.sequenceLimit }

    /// Before the first record.
    package static let origin = JournalPosition(incarnation: 0, sequence: 0)
}

/// One change's effects, encoded, at its place in the journal.
package struct JournalRecord: Hashable, Sendable {
    package var position: JournalPosition
    /// Tagged fields (`Docs/DiskFormat.md`, Journal).
    package var payload: [UInt8]

    package init(position: JournalPosition, payload: [UInt8]) {
        self.position = position
        self.payload = payload
    }
}
