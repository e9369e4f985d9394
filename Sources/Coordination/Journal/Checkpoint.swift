package import DiskFormat

/// What a checkpoint is taken of: the metadata as of one journal position, held still while it is exported.
///
/// The same export for every backend (DESIGN §7). Ranges must be cut the same way as long as their contents are the
/// same, or little is shared: by key, not by count from the beginning.
package protocol CheckpointSource: Sendable {
    /// The position that the export shows.
    var position: JournalPosition { get }
    /// Exports the range that begins at `key` (empty: the first): its bytes, and where the next range begins; nil after
    /// the last. At most `limit` bytes, one entry aside.
    func exportRange(from key: [UInt8], limit: Int) async throws -> (bytes: [UInt8], next: [UInt8]?)
}

/// Where a checkpoint's blobs go.
package protocol CheckpointSink: Sendable {
    /// Stores the bytes durably and returns where: at most `CheckpointList.fieldLimit` bytes, opaque here.
    func write(_ bytes: [UInt8]) async throws -> [UInt8]
    /// True while a blob that an earlier checkpoint wrote is whole, so that it may be shared.
    func holds(_ reference: [UInt8]) async -> Bool
}

/// Where a checkpoint is read from: nothing but what the disks say.
package protocol CheckpointStore: Sendable {
    func read(_ reference: [UInt8]) async throws -> [UInt8]
}

/// Why a checkpoint cannot be taken or read.
package enum CheckpointError: Error, Hashable, Sendable, CustomStringConvertible {
    case format(JournalFormatError)
    /// A blob is not what the list says it is.
    case digest(entry: Int)
    case invalid(String)

    package var description: String {
        switch self {
        case .format(let error): "the checkpoint's list cannot be read: \(error)"
        case .digest(let entry): "blob \(entry) of the checkpoint is not what was written: use the one before"
        case .invalid(let reason): reason
        }
    }
}

/// A checkpoint that was taken.
package struct TakenCheckpoint: Hashable, Sendable {
    /// For `Journal.checkpointTaken`.
    package var position: JournalPosition
    /// The list to keep at the beginning of the logs; level 1 when it was too long.
    package var list: [UInt8]
    /// The ranges, in key order.
    package var entries: [CheckpointList.Entry]
    /// References of all blobs of it, its list's own among them: what must stay until the checkpoint after the next.
    package var blobs: [[UInt8]]
    /// Ranges that were shared with the checkpoint before.
    package var sharedRanges: Int
    package var ranges: Int
}

/// Writes checkpoints, range by range; memory is one range and the list.
package struct CheckpointWriter: Sendable {
    /// Bytes of one range: half a blob, so that a range that grows a little still fits one.
    package static let defaultRangeLength = 32 << 20

    private let sink: any CheckpointSink
    private let rangeLength: Int
    private let listLimit: Int

    package init(
        sink: any CheckpointSink,
        rangeLength: Int = CheckpointWriter.defaultRangeLength,
        listLimit: Int = JournalReference.checkpointLimit
    ) {
        self.sink = sink
        self.rangeLength = rangeLength
        self.listLimit = listLimit
    }

    /// Exports `source`. Ranges with the digest that they had in `previous` keep their blob. All blobs are durable when
    /// this returns; nothing refers to them before `Journal.checkpointTaken`.
    package func write(_ source: any CheckpointSource, previous: CheckpointList?) async throws -> TakenCheckpoint {
        let known = Dictionary((previous?.entries ?? []).map { ($0.firstKey, $0) }) { first, _ in first }
        var entries: [CheckpointList.Entry] = []
        var shared = 0
        var key: [UInt8]? = []
        while let first = key {
            let (bytes, next) = try await source.exportRange(from: first, limit: rangeLength)
            if let next, !first.lexicographicallyPrecedes(next) {
                throw CheckpointError.invalid("the export does not go forward")
            }
            guard first.count <= CheckpointList.fieldLimit, entries.count < CheckpointList.entryLimit else {
                throw CheckpointError.invalid("the export has too many ranges, or too long keys")
            }
            let (entry, isShared) = try await store(bytes, first, known[first])
            shared += isShared ? 1 : 0
            entries.append(entry)
            key = next
        }
        let list = CheckpointList(position: source.position, entries: entries)
        let (encoded, listBlobs) = try await store(list)
        return TakenCheckpoint(
            position: source.position,
            list: encoded,
            entries: entries,
            blobs: entries.map(\.reference) + listBlobs,
            sharedRanges: shared,
            ranges: entries.count
        )
    }

    private func store(
        _ bytes: [UInt8],
        _ key: [UInt8],
        _ known: CheckpointList.Entry?
    ) async throws -> (CheckpointList.Entry, isShared: Bool) {
        let digest = CheckpointList.digest(of: bytes)
        if let known, known.digest == digest, known.length == UInt64(bytes.count), await sink.holds(known.reference) {
            return (known, true)
        }
        let reference = try await sink.write(bytes)
        guard reference.count <= CheckpointList.fieldLimit else {
            throw CheckpointError.invalid("a blob's reference is too long")
        }
        let entry = CheckpointList.Entry(
            firstKey: key,
            length: UInt64(bytes.count),
            digest: digest,
            reference: reference
        )
        return (entry, false)
    }

    /// The list as it goes to the logs: itself, or the list of the blobs that hold it.
    private func store(_ list: CheckpointList) async throws -> (encoded: [UInt8], blobs: [[UInt8]]) {
        let encoded = list.encoded
        guard encoded.count > listLimit else { return (encoded, []) }
        var parts: [CheckpointList.Entry] = []
        var offset = 0
        while offset < encoded.count {
            let part = Array(encoded[offset..<min(offset + rangeLength, encoded.count)])
            parts.append(try await store(part, [], nil).0)
            offset += part.count
        }
        let short = CheckpointList(position: list.position, level: 1, entries: parts).encoded
        guard short.count <= listLimit else { throw CheckpointError.invalid("the checkpoint's list is too long") }
        return (short, parts.map(\.reference))
    }
}

/// Reads a checkpoint back: the first half of every rebuild.
package struct CheckpointReader: Sendable {
    private let store: any CheckpointStore

    package init(store: any CheckpointStore) { self.store = store }

    /// The list of ranges, from the bytes that the logs begin with.
    package func list(_ bytes: [UInt8]) async throws -> CheckpointList {
        let list = try Self.decode(bytes)
        guard list.level == 1 else { return list }
        var encoded: [UInt8] = []
        for (index, entry) in list.entries.enumerated() { encoded += try await blob(entry, index) }
        let inner = try Self.decode(encoded)
        guard inner.level == 0, inner.position == list.position else {
            throw CheckpointError.format(.invalid("level"))
        }
        return inner
    }

    /// Hands over the exported ranges in key order, each one compared with its digest.
    package func read(_ list: CheckpointList, _ body: (_ firstKey: [UInt8], _ bytes: [UInt8]) async throws -> Void)
        async throws
    {
        for (index, entry) in list.entries.enumerated() {
            try await body(entry.firstKey, try await blob(entry, index))
        }
    }

    private func blob(_ entry: CheckpointList.Entry, _ index: Int) async throws -> [UInt8] {
        let bytes = try await store.read(entry.reference)
        guard UInt64(bytes.count) == entry.length, CheckpointList.digest(of: bytes) == entry.digest else {
            throw CheckpointError.digest(entry: index)
        }
        return bytes
    }

    private static func decode(_ bytes: [UInt8]) throws(CheckpointError) -> CheckpointList {
        do throws(JournalFormatError) {
            return try CheckpointList(decoding: bytes)
        } catch {
            throw .format(error)
        }
    }
}
