internal import DiskFormat
internal import ObjectInterface
internal import ObjectModel
internal import SystemInterface

// The compact forms of the values that rows and effects are made of (`Docs/MetadataRecords.md`).

extension ByteWriter {
    mutating func put(_ time: WallTime) { put(signed: time.milliseconds) }

    mutating func put(_ blob: BlobID) {
        put(blob.incarnation)
        put(blob.lease)
        put(blob.sequence)
    }

    mutating func put(_ shard: ShardID) {
        put(shard.blob)
        put(byte: shard.index)
    }

    mutating func put(_ lease: WriteLease) {
        put(lease.incarnation)
        put(lease.number)
    }

    mutating func put(_ value: Identifier128) {
        put(fixed: value.high)
        put(fixed: value.low)
    }

    mutating func put(_ digest: ContentDigest) {
        put(fixed: digest.high)
        put(fixed: digest.low)
    }

    mutating func put(_ extents: [Extent]) {
        put(extents.count)
        for extent in extents {
            put(extent.blob)
            put(extent.firstFrame)
            put(extent.offset)
            put(extent.length)
        }
    }

    mutating func put(_ owner: MoveTransaction.Move.Owner) {
        switch owner {
        case .version(let bucket, let key, let number):
            put(byte: 1)
            put(bucket)
            put(key)
            put(number)
        case .part(let upload, let number):
            put(byte: 2)
            put(upload.text)
            put(number)
        }
    }

    mutating func put(_ headers: [ObjectAttributes.Header]) {
        put(headers.count)
        for header in headers {
            put(header.name)
            put(header.value)
        }
    }

    mutating func put(_ tags: [ObjectTag]) {
        put(tags.count)
        for tag in tags {
            put(tag.key)
            put(tag.value)
        }
    }

    mutating func put(_ checksum: ObjectChecksum) {
        put(byte: checksum.algorithm.rawValue << 4 | checksum.kind.rawValue)
        put(checksum.value)
        if checksum.kind == .composite { put(checksum.partCount) }
    }

    mutating func put(_ part: PartSummary) {
        put(part.number)
        put(part.length)
        put(part.modified)
        let tag = ETagForm(part.eTag)
        put(byte: tag.kind | (part.checksum == nil ? 0 : 0x80))
        put(tag)
        if let checksum = part.checksum { put(checksum) }
    }

    /// The tag without its kind, which is kept elsewhere.
    mutating func put(_ tag: ETagForm) {
        switch tag {
        case .digest(let bytes): put(raw: bytes)
        case .multipart(let bytes, let parts):
            put(raw: bytes)
            put(parts)
        case .other(let text): put(text)
        }
    }
}

extension ByteReader {
    mutating func getTime() throws(MetadataError) -> WallTime { WallTime(milliseconds: try getSigned()) }

    mutating func getBlob() throws(MetadataError) -> BlobID {
        BlobID(incarnation: try getUInt32(), lease: try getUInt32(), sequence: try getInteger())
    }

    mutating func getShard() throws(MetadataError) -> ShardID {
        ShardID(blob: try getBlob(), index: try getByte())
    }

    mutating func getLease() throws(MetadataError) -> WriteLease {
        WriteLease(incarnation: try getUInt32(), number: try getUInt32())
    }

    mutating func getIdentifier() throws(MetadataError) -> Identifier128 {
        Identifier128(high: try getFixed(), low: try getFixed())
    }

    mutating func getDigest() throws(MetadataError) -> ContentDigest {
        ContentDigest(high: try getFixed(), low: try getFixed())
    }

    mutating func getExtents() throws(MetadataError) -> [Extent] {
        let count = try getCount(size: 6)
        var extents: [Extent] = []
        extents.reserveCapacity(count)
        for _ in 0..<count {
            let blob = try getBlob()
            extents.append(
                Extent(blob: blob, firstFrame: try getInt(), offset: try getInt(), length: try getInt())
            )
        }
        return extents
    }

    mutating func getOwner() throws(MetadataError) -> MoveTransaction.Move.Owner {
        switch try getByte() {
        case 1: .version(bucket: try getText(), key: try getText(), number: try getInteger())
        case 2: .part(UploadID(try getText()), number: try getInt())
        default: throw .unsupported("owner of extents")
        }
    }

    mutating func getHeaders() throws(MetadataError) -> [ObjectAttributes.Header] {
        var headers: [ObjectAttributes.Header] = []
        for _ in 0..<(try getCount(size: 2)) {
            headers.append(ObjectAttributes.Header(name: try getText(), value: try getText()))
        }
        return headers
    }

    mutating func getTags() throws(MetadataError) -> [ObjectTag] {
        var tags: [ObjectTag] = []
        for _ in 0..<(try getCount(size: 2)) { tags.append(ObjectTag(key: try getText(), value: try getText())) }
        return tags
    }

    mutating func getChecksum() throws(MetadataError) -> ObjectChecksum {
        let head = try getByte()
        guard let algorithm = ObjectChecksum.Algorithm(rawValue: head >> 4),
            let kind = ObjectChecksum.Kind(rawValue: head & 15)
        else { throw .unsupported("checksum kind \(head)") }
        let value = try getBytes()
        let parts = kind == .composite ? try getInt() : 0
        return ObjectChecksum(algorithm: algorithm, kind: kind, value: value, partCount: parts)
    }

    mutating func getPart() throws(MetadataError) -> PartSummary {
        let number = try getInt()
        let length = try getObjectLength()
        let modified = try getTime()
        let head = try getByte()
        let eTag = try getETag(kind: head & 0x7F)
        let checksum = head & 0x80 == 0 ? nil : try getChecksum()
        return PartSummary(number: number, eTag: eTag, length: length, modified: modified, checksum: checksum)
    }

    mutating func getETag(kind: UInt8) throws(MetadataError) -> String {
        switch kind {
        case ETagForm.digestKind: return Hexadecimal.text(try getRaw(16))
        case ETagForm.multipartKind: return Hexadecimal.text(try getRaw(16)) + "-\(try getInt())"
        case ETagForm.otherKind: return try getText()
        default: throw .unsupported("ETag kind \(kind)")
        }
    }
}

/// How an ETag is kept: an MD5 in its 16 bytes, anything else as it is.
enum ETagForm {
    case digest([UInt8])
    case multipart([UInt8], Int)
    case other(String)

    static let digestKind: UInt8 = 0
    static let multipartKind: UInt8 = 1
    static let otherKind: UInt8 = 2

    /// The first form that gives the same text back.
    init(_ text: String) {
        let head = text.prefix(32)
        guard head.utf8.count == 32, !head.utf8.contains(where: { (0x41...0x46).contains($0) }),
            let digest = Hexadecimal.bytes(head)
        else {
            self = .other(text)
            return
        }
        let rest = text.dropFirst(32)
        if rest.isEmpty {
            self = .digest(digest)
        } else if rest.first == "-", let parts = Int(rest.dropFirst()), parts >= 0, rest == "-\(parts)" {
            self = .multipart(digest, parts)
        } else {
            self = .other(text)
        }
    }

    var kind: UInt8 {
        switch self {
        case .digest: Self.digestKind
        case .multipart: Self.multipartKind
        case .other: Self.otherKind
        }
    }
}
