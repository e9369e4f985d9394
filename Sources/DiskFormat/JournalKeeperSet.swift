package import ObjectModel

/// The keepers whose logs make the journal: N of them, of which J = N/2 + 1 must hold a record before it counts, so
/// that N - J may be lost at once (DESIGN §7).
package struct KeeperSet: Hashable, Sendable {
    /// Rises by one with each change.
    package var generation: UInt32
    /// The disks, ascending, each once.
    package private(set) var keepers: [DiskID]

    /// Keepers of a set at most: 5 a site on three sites, with room.
    package static let limit = 64

    package init(generation: UInt32, keepers: some Sequence<DiskID>) {
        self.generation = generation
        self.keepers = Set(keepers).sorted()
    }

    /// J: any two sets of J have a keeper in common.
    package var quorum: Int { keepers.count / 2 + 1 }
    /// f: keepers that may be lost at once.
    package var tolerance: Int { keepers.count - quorum }

    package func contains(_ keeper: DiskID) -> Bool { keepers.contains(keeper) }
    /// How many of `others` belong to this set.
    package func count(of others: some Sequence<DiskID>) -> Int { others.reduce(0) { $0 + (contains($1) ? 1 : 0) } }

    fileprivate func encode(to out: inout JournalBytes) {
        out.append(generation)
        out.append(UInt32(keepers.count))
        for keeper in keepers {
            out.append(keeper.value.high)
            out.append(keeper.value.low)
        }
    }

    fileprivate static func decode(
        _ bytes: UnsafeRawBufferPointer,
        at offset: inout Int
    ) throws(JournalFormatError) -> KeeperSet {
        guard bytes.count - offset >= 8 else { throw .truncated }
        let generation: UInt32 = bytes.field(offset)
        let count = Int(bytes.field(offset + 4, as: UInt32.self))
        offset += 8
        guard count <= limit else { throw .invalid("keeper count") }
        guard bytes.count - offset >= count * 16 else { throw .truncated }
        var keepers: [DiskID] = []
        for index in 0..<count {
            let place = offset + index * 16
            keepers.append(DiskID(Identifier128(high: bytes.field(place), low: bytes.field(place + 8))))
        }
        offset += count * 16
        let set = KeeperSet(generation: generation, keepers: keepers)
        guard set.keepers == keepers else { throw .invalid("keepers out of order") }
        return set
    }
}

/// The journal record by which the keeper set changes. It takes a place in the sequence as every record does, but has
/// no effect on metadata: replaying skips it.
package struct KeeperSetChange: Hashable, Sendable {
    package var before: KeeperSet
    package var after: KeeperSet

    package init(before: KeeperSet, after: KeeperSet) {
        self.before = before
        self.after = after
    }

    private static let magic: UInt64 = 0x5445_534B_4E52_4943  // "CIRNKSET"

    /// The record's payload.
    package var payload: [UInt8] {
        var out = JournalBytes()
        out.append(Self.magic)
        out.append(JournalFormat.version)
        out.append(UInt16(0))
        before.encode(to: &out)
        after.encode(to: &out)
        out.appendChecksum()
        return out.bytes
    }

    /// True for the payload of a keeper set change, whatever its version.
    package static func isChange(_ payload: [UInt8]) -> Bool {
        payload.count >= 8 && payload.withUnsafeBytes { $0.field(0, as: UInt64.self) } == magic
    }

    /// Nil when the payload is no keeper set change; throws when it is one that cannot be read.
    package static func decode(_ payload: [UInt8]) throws(JournalFormatError) -> KeeperSetChange? {
        guard isChange(payload) else { return nil }
        return try JournalBytes.with(payload) { bytes throws(JournalFormatError) in
            let body = try JournalBytes.checkedBody(bytes)
            guard body.count >= 12 else { throw .truncated }
            let version: UInt16 = body.field(8)
            guard version == JournalFormat.version else { throw .unknownVersion(version) }
            var offset = 12
            let before = try KeeperSet.decode(body, at: &offset)
            let after = try KeeperSet.decode(body, at: &offset)
            guard offset == body.count else { throw .invalid("length") }
            return KeeperSetChange(before: before, after: after)
        }
    }
}

/// What the journal keeps at the beginning of every keeper's log: who the keepers are, and where the latest checkpoint
/// is.
package struct JournalReference: Hashable, Sendable {
    package var keepers: KeeperSet
    /// The list of the latest checkpoint (`CheckpointList`), encoded; empty before the first.
    package var checkpoint: [UInt8]

    package init(keepers: KeeperSet, checkpoint: [UInt8] = []) {
        self.keepers = keepers
        self.checkpoint = checkpoint
    }

    private static let magic: UInt64 = 0x4645_524A_4E52_4943  // "CIRNJREF"
    /// Bytes of `checkpoint` at most, so that the whole fits a log's header.
    package static let checkpointLimit = JournalFormat.referenceLimit - 64 - 16 * KeeperSet.limit

    package var encoded: [UInt8] {
        var out = JournalBytes()
        out.append(Self.magic)
        out.append(JournalFormat.version)
        out.append(UInt16(0))
        keepers.encode(to: &out)
        out.append(UInt32(checkpoint.count))
        out.bytes += checkpoint
        out.appendChecksum()
        return out.bytes
    }

    package init(decoding bytes: [UInt8]) throws(JournalFormatError) {
        self = try JournalBytes.with(bytes) { bytes throws(JournalFormatError) in
            let body = try JournalBytes.checkedBody(bytes)
            guard body.count >= 12, body.field(0, as: UInt64.self) == Self.magic else { throw .notFound }
            let version: UInt16 = body.field(8)
            guard version == JournalFormat.version else { throw .unknownVersion(version) }
            var offset = 12
            let keepers = try KeeperSet.decode(body, at: &offset)
            guard body.count - offset >= 4 else { throw .truncated }
            let count = Int(body.field(offset, as: UInt32.self))
            guard body.count - offset - 4 == count else { throw .invalid("length") }
            return JournalReference(keepers: keepers, checkpoint: Array(body[(offset + 4)...]))
        }
    }
}
