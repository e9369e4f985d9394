internal import Checksums
internal import Metadata
internal import ObjectInterface
package import ObjectModel
package import SystemInterface

/// What became of one object: a line of `manifest.jsonl`.
package struct SalvageEntry: Hashable, Sendable {
    package enum State: String, Sendable, CaseIterable {
        /// Every byte verified, no shard missing.
        case complete
        /// Every byte verified, though shards are missing or bad.
        case degraded
        /// Too few good shards are left; nothing was written.
        case lost
        /// Its bytes are there, and its file could not be written: the target refused the name or the length, or
        /// another object of the run has the name.
        case unwritten
        /// Known from the shards alone: the journal does not vouch for it.
        case unconfirmed
    }

    package var bucket: String
    package var key: String
    package var state: State
    /// Below the output's root; nil when there is none.
    package var file: String?
    package var length: Int
    /// Of the bytes written; nil when they were not read.
    package var sha256: String?
    package var modified: WallTime?
    package var eTag: String?
    package var checksum: ObjectChecksum?
    package var attributes: ObjectAttributes?
    package var tags: [ObjectTag] = []
    package var owner: String?
    package var number: UInt64?
    package var partCount = 0
    /// Shards of its blobs that no disk has.
    package var missingShards = 0
    /// Of what is unconfirmed: the blobs it was put together from.
    package var blobs: [BlobID] = []
    /// The same: where it begins in its first blob, when that names several objects of this key.
    package var start: Int?
    /// Of what is unconfirmed: the upload and the parts it was put together from.
    package var upload: String?
    package var parts: [Int] = []
    /// Why it is lost, or not written.
    package var problem: String?

    package init(bucket: String, key: String, state: State, length: Int) {
        self.bucket = bucket
        self.key = key
        self.state = state
        self.length = length
    }

    /// What the journal says of a version.
    init(_ version: VersionRecord) {
        self.init(bucket: version.bucket, key: version.key, state: .complete, length: version.length)
        modified = version.modified
        eTag = version.eTag
        checksum = version.checksum
        attributes = version.attributes
        tags = version.tags
        owner = version.owner.text
        number = version.number
        partCount = version.parts.count
    }

    /// The same, without a file.
    func unwritten(_ problem: String) -> SalvageEntry {
        var entry = self
        entry.state = .unwritten
        entry.file = nil
        entry.problem = problem
        return entry
    }

    /// Tells this version of this key from every other, also in a later run.
    var fingerprint: ContentDigest {
        let names = blobs.map(\.description).joined(separator: ",")
        let text = "\(bucket)\u{0}\(key)\u{0}\(number ?? 0)\u{0}\(eTag ?? "")\u{0}\(length)\u{0}\(names)"
        // Without a place it is what it always was: runs of earlier versions are gone on with.
        return ContentDigest(of: text + (start.map { "\u{0}\($0)" } ?? ""))
    }
}

extension ContentDigest {
    init(of text: String) {
        let digest = Array(text.utf8).withUnsafeBytes { XXH3Digest.digest($0) }
        self.init(high: digest.high, low: digest.low)
    }
}

extension SalvageEntry {
    package var json: JSONValue {
        .fields([
            ("bucket", .string(bucket)), ("key", .string(key)), ("state", .string(state.rawValue)),
            ("file", .text(file)), ("length", .number(length)), ("sha256", .text(sha256)), ("etag", .text(eTag)),
            ("modified", .text(modified.map(CivilTime.text))), ("checksum", checksum.map(Self.json) ?? .null),
            ("contentType", .text(attributes?.contentType)),
            ("headers", Self.json(attributes?.headers)), ("metadata", Self.json(attributes?.metadata)),
            ("storageClass", .text(attributes?.storageClass)),
            ("tags", tags.isEmpty ? .null : .object(tags.map { JSONValue.Member($0.key, .string($0.value)) })),
            ("owner", .text(owner)), ("number", number.map { .string(String($0)) } ?? .null),
            ("partCount", partCount == 0 ? .null : .number(partCount)),
            ("missingShards", missingShards == 0 ? .null : .number(missingShards)),
            ("blobs", blobs.isEmpty ? .null : .array(blobs.map { .string($0.description) })),
            ("start", start.map { .number($0) } ?? .null),
            ("upload", .text(upload)), ("parts", parts.isEmpty ? .null : .array(parts.map { .number($0) })),
            ("problem", .text(problem)),
        ])
    }

    private static func json(_ headers: [ObjectAttributes.Header]?) -> JSONValue {
        guard let headers, !headers.isEmpty else { return .null }
        return .object(headers.map { JSONValue.Member($0.name, .string($0.value)) })
    }

    private static func json(_ checksum: ObjectChecksum) -> JSONValue {
        .fields([
            ("algorithm", .string("\(checksum.algorithm)")), ("kind", .string("\(checksum.kind)")),
            ("value", .string(Base64.encode(checksum.value))),
        ])
    }

    /// What a later run needs of a line: which version it was, and where its bytes lie. nil for anything else.
    init?(json: JSONValue) {
        guard let bucket = json["bucket"]?.string, let key = json["key"]?.string, let length = json["length"]?.number,
            let state = json["state"]?.string.flatMap(State.init)
        else { return nil }
        self.init(bucket: bucket, key: key, state: state, length: length)
        file = json["file"]?.string
        sha256 = json["sha256"]?.string
        eTag = json["etag"]?.string
        number = json["number"]?.string.flatMap { UInt64($0) }
        blobs = (json["blobs"]?.array ?? []).compactMap { $0.string.flatMap { BlobID(text: $0) } }
        start = json["start"]?.number
        problem = json["problem"]?.string
    }
}
