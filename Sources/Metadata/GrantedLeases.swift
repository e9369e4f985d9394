package import ObjectModel

/// Which write leases the metadata has ever granted: the incarnations that it has begun, and how many each granted.
///
/// Nothing is written but under a lease that is durable in the journal before. A shard under another one was written
/// by a history that was forgotten: metadata and keepers were put back to an earlier moment, together, and a disk went
/// on without them. Incarnations are drawn at random, so the leases of two histories differ.
package struct GrantedLeases: Hashable, Sendable {
    struct Incarnation: Hashable, Sendable {
        var number: UInt32
        /// The last lease granted; 0 when none was.
        var lastLease: UInt32 = 0
    }

    /// Incarnations remembered, one a start: what was written by a history forgotten more starts ago counts as garbage.
    package static let limit = 1_024

    /// All leases of incarnations up to this one count as granted: what they were is not remembered, or an operator has
    /// accepted what was lost.
    private var settled: UInt32 = 0
    /// Those begun since, ascending.
    private var incarnations: [Incarnation] = []

    package init() {}

    package func contains(_ lease: WriteLease) -> Bool {
        lease.incarnation <= settled
            || incarnations.contains { $0.number == lease.incarnation && lease.number <= $0.lastLease }
    }

    /// Notes what the incarnation that is running has granted so far. One that is not the last that began here was
    /// begun before this was remembered, or by a program that does not: then nothing is known of those up to it.
    package mutating func note(_ lastLease: UInt32, of running: UInt32) {
        if let last = incarnations.indices.last, incarnations[last].number == running {
            incarnations[last].lastLease = lastLease
        } else {
            settle(upTo: running)
        }
    }

    package mutating func begin(_ incarnation: UInt32) {
        incarnations.append(Incarnation(number: incarnation))
        if incarnations.count > Self.limit { settle(upTo: incarnations[0].number) }
    }

    /// Takes all leases up to this incarnation for granted.
    package mutating func settle(upTo incarnation: UInt32) {
        settled = max(settled, incarnation)
        incarnations.removeAll { $0.number <= settled }
    }
}

extension GrantedLeases: RowCodable {
    func encode(into writer: inout ByteWriter) {
        writer.put(settled)
        writer.put(list: incarnations) { writer, incarnation in
            writer.put(incarnation.number)
            writer.put(incarnation.lastLease)
        }
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        settled = try reader.getUInt32()
        incarnations = try reader.getList(size: 2) { (reader) throws(MetadataError) in
            Incarnation(number: try reader.getUInt32(), lastLease: try reader.getUInt32())
        }
    }
}

extension MetadataView {
    /// As of `state`, which may not be written yet.
    func grantedLeases(_ state: MetadataState) throws(MetadataError) -> GrantedLeases {
        let row = try tables.get(.meta, MetadataState.grantedLeasesKey)
        var granted = try row.map { (row) throws(MetadataError) in try GrantedLeases(row: row) } ?? GrantedLeases()
        granted.note(state.nextLease &- 1, of: state.incarnation)
        return granted
    }
}

// Rows that follow from effects which say something else.

extension MetadataTransaction {
    func begin(incarnation: UInt32) throws(MetadataError) {
        try changeGrantedLeases { $0.begin(incarnation) }
        state.incarnation = incarnation
        state.nextLease = 1
    }

    /// What an operator looks for no more was granted, for all that anyone cares.
    func settleLeases(_ start: ForcedStart) throws(MetadataError) {
        let highest = max(state.incarnation, start.forgotten ?? 0)
        try changeGrantedLeases { $0.settle(upTo: highest) }
    }

    private func changeGrantedLeases(_ change: (inout GrantedLeases) -> Void) throws(MetadataError) {
        var granted = try view.grantedLeases(state)
        change(&granted)
        try tables.put(.meta, MetadataState.grantedLeasesKey, granted.encoded())
    }
}
