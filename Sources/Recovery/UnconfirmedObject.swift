internal import DiskFormat
internal import FrameCoding
internal import ObjectModel

/// An object put together from what the shards say of themselves.
struct UnconfirmedObject: Sendable {
    struct Piece: Sendable {
        var blob: BlobID
        /// Logical bytes of the blob; nil for all of it.
        var range: Range<Int>?
    }

    var entry: SalvageEntry
    var pieces: [Piece]

    /// `unconfirmed/BUCKET/KEY%BLOB`, told apart by the first blob; `KEY%BLOB-START` where that blob has several
    /// objects of the name.
    var path: String {
        let blob = pieces.first?.blob.description ?? ""
        let first = blob + (entry.start.map { "-\($0)" } ?? "")
        guard !entry.bucket.isEmpty else { return "unconfirmed/%unnamed/\(first)" }
        return "unconfirmed/\(SafeName.piece(entry.bucket))/\(SafeName.path(entry.key))%\(first)"
    }
}

/// Puts unconfirmed objects together from the identity blocks of blobs, which come in the order of their ids.
///
/// An object in one blob is given at once. One of several blobs (each but the last is full) is put together by key and
/// offset, an upload by its id and the numbers of its parts; a part that was sent again is taken from its last attempt,
/// and the earlier attempts come out by themselves. Keeps what belongs to objects of several blobs.
struct UnconfirmedAssembler {
    /// Bytes that follow one another: a whole object, or one attempt of a part.
    private struct Chain {
        var object: IdentityDocument.Object
        var pieces: [UnconfirmedObject.Piece]
        var end: Int
        /// Where it begins in its first blob; nil when that blob names no other object so.
        var start: Int?
    }

    /// Compared by bytes: two texts that Unicode calls equal are two keys.
    private struct Name: Hashable {
        var bucket: [UInt8]
        var key: [UInt8]

        init(_ object: IdentityDocument.Object) {
            bucket = Array(object.bucket.utf8)
            key = Array(object.key.utf8)
        }
    }

    private struct Key: Hashable {
        var name: Name
        var upload: String?
        var part: Int?
    }

    private var chains: [Key: [Chain]] = [:]

    /// Takes what a blob's trailers say; returns what is whole already.
    mutating func add(_ blob: BlobID, _ objects: [IdentityDocument.Object]) -> [UnconfirmedObject] {
        var ready: [UnconfirmedObject] = []
        // Of a key that is written several times at once, a pack holds several versions.
        var counts: [Name: Int] = [:]
        for object in objects { counts[Name(object), default: 0] += 1 }
        for object in objects {
            let (end, overflow) = object.start.addingReportingOverflow(object.length)
            let (next, tooFar) = object.offset.addingReportingOverflow(object.length)
            guard object.start >= 0, object.length >= 0, object.offset >= 0, !overflow, !tooFar else { continue }
            let piece = UnconfirmedObject.Piece(blob: blob, range: object.start..<end)
            let isNamedAgain = counts[Name(object), default: 0] > 1
            let chain = Chain(object: object, pieces: [piece], end: next, start: isNamedAgain ? object.start : nil)
            if object.upload == nil, object.offset == 0, object.length < Limits.blobLength {
                ready.append(Self.object([chain]))
            } else {
                attach(chain)
            }
        }
        return ready
    }

    /// Joins the latest chain that ends where this one begins, else begins one.
    private mutating func attach(_ chain: Chain) {
        let object = chain.object
        let key = Key(name: Name(object), upload: object.upload, part: object.part)
        let place = chains[key]?.lastIndex { object.offset > 0 && $0.end == object.offset }
        if let place {
            chains[key]?[place].pieces += chain.pieces
            chains[key]?[place].end = chain.end
        } else {
            chains[key, default: []].append(chain)
        }
    }

    /// What is left once all blobs have been added, by bucket and key.
    mutating func finish() -> [UnconfirmedObject] {
        var result: [UnconfirmedObject] = []
        var uploads: [Key: [(part: Int, chain: Chain)]] = [:]
        for (key, found) in chains {
            guard let upload = key.upload, let part = key.part else {
                result += found.map { Self.object([$0]) }
                continue
            }
            result += found.dropLast().map { Self.object([$0]) }
            guard let last = found.last else { continue }
            uploads[Key(name: key.name, upload: upload, part: nil), default: []].append((part, last))
        }
        chains = [:]
        for parts in uploads.values {
            result.append(Self.object(parts.sorted { $0.part < $1.part }.map(\.chain)))
        }
        return result.sorted { ($0.entry.bucket, $0.path) < ($1.entry.bucket, $1.path) }
    }

    private static func object(_ chains: [Chain]) -> UnconfirmedObject {
        let pieces = chains.flatMap(\.pieces)
        let first = chains[0].object
        let length = pieces.reduce(0) { $0 + ($1.range?.count ?? 0) }
        var entry = SalvageEntry(bucket: first.bucket, key: first.key, state: .unconfirmed, length: length)
        entry.attributes = ObjectAttributes(contentType: first.contentType)
        entry.upload = first.upload
        entry.parts = chains.compactMap(\.object.part)
        entry.blobs = pieces.map(\.blob)
        entry.start = chains[0].start
        return UnconfirmedObject(entry: entry, pieces: pieces)
    }

    /// A blob of which nobody knows what it holds.
    static func unnamed(_ blob: BlobID) -> UnconfirmedObject {
        var entry = SalvageEntry(bucket: "", key: blob.description, state: .unconfirmed, length: 0)
        entry.blobs = [blob]
        return UnconfirmedObject(entry: entry, pieces: [UnconfirmedObject.Piece(blob: blob, range: nil)])
    }
}

/// Reading the evidence in trailers.
enum IdentityEvidence {
    /// What an identity block names; nil when this program cannot read it.
    static func objects(_ block: IdentityBlock?) -> [IdentityDocument.Object]? {
        guard let text = block.flatMap(text), let json = JSONValue(parsing: text), json["v"] == .number(1),
            let list = json["objects"]?.array
        else { return nil }
        return list.compactMap(object)
    }

    private static func text(_ block: IdentityBlock) -> [UInt8]? {
        switch block.encoding {
        case .json: block.bytes
        case .compressedJSON: try? CompressedText.decode(block.bytes)
        case .sealed: nil
        }
    }

    private static func object(_ json: JSONValue) -> IdentityDocument.Object? {
        guard let bucket = json["bucket"]?.string, let key = json["key"]?.string, let offset = json["offset"]?.number,
            let length = json["length"]?.number, let start = json["start"]?.number
        else { return nil }
        return IdentityDocument.Object(
            bucket: bucket,
            key: key,
            contentType: json["type"]?.string ?? ObjectAttributes.defaultContentType,
            offset: offset,
            length: length,
            start: start,
            upload: json["upload"]?.string,
            part: json["part"]?.number
        )
    }
}
