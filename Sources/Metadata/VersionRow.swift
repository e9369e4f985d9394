internal import ObjectInterface
internal import ObjectModel
internal import SystemInterface

/// The compact form of a version: a row of the versions table without its key, and the body of an effect.
enum VersionRow {
    /// What is there beside the fields that every version has. A bit this code does not know is refused.
    private struct Flags: OptionSet {
        var rawValue: UInt64
        static let owner = Flags(rawValue: 1 << 0)
        static let contentType = Flags(rawValue: 1 << 1)
        static let storageClass = Flags(rawValue: 1 << 2)
        static let headers = Flags(rawValue: 1 << 3)
        static let metadata = Flags(rawValue: 1 << 4)
        static let checksum = Flags(rawValue: 1 << 5)
        static let tags = Flags(rawValue: 1 << 6)
        static let parts = Flags(rawValue: 1 << 7)
        static let multipartTag = Flags(rawValue: 1 << 8)
        static let otherTag = Flags(rawValue: 1 << 9)
        static let madeBy = Flags(rawValue: 1 << 10)
        static let known: UInt64 = 1 << 11 - 1

        var tagKind: UInt8 {
            contains(.otherTag)
                ? ETagForm.otherKind : contains(.multipartTag) ? ETagForm.multipartKind : ETagForm.digestKind
        }
    }

    /// `usualOwner` is left out and must be given again to `decode`.
    static func encode(_ version: VersionRecord, usualOwner: UserID?) -> [UInt8] {
        var writer = ByteWriter()
        encode(version, usualOwner: usualOwner, into: &writer)
        return writer.bytes
    }

    static func encode(_ version: VersionRecord, usualOwner: UserID?, into writer: inout ByteWriter) {
        let attributes = version.attributes
        let tag = ETagForm(version.eTag)
        var flags: Flags = []
        if version.owner != usualOwner { flags.insert(.owner) }
        if attributes.contentType != ObjectAttributes.defaultContentType { flags.insert(.contentType) }
        if attributes.storageClass != ObjectAttributes.defaultStorageClass { flags.insert(.storageClass) }
        if !attributes.headers.isEmpty { flags.insert(.headers) }
        if !attributes.metadata.isEmpty { flags.insert(.metadata) }
        if version.checksum != nil { flags.insert(.checksum) }
        if !version.tags.isEmpty { flags.insert(.tags) }
        if !version.parts.isEmpty { flags.insert(.parts) }
        if version.madeBy != nil { flags.insert(.madeBy) }
        if tag.kind == ETagForm.multipartKind { flags.insert(.multipartTag) }
        if tag.kind == ETagForm.otherKind { flags.insert(.otherTag) }

        writer.put(flags.rawValue)
        writer.put(version.number)
        writer.put(version.modified)
        writer.put(version.length)
        writer.put(tag)
        if flags.contains(.owner) { writer.put(version.owner.text) }
        if flags.contains(.contentType) { writer.put(attributes.contentType) }
        if flags.contains(.storageClass) { writer.put(attributes.storageClass) }
        if flags.contains(.headers) { writer.put(attributes.headers) }
        if flags.contains(.metadata) { writer.put(attributes.metadata) }
        if let checksum = version.checksum { writer.put(checksum) }
        if flags.contains(.tags) { writer.put(version.tags) }
        writer.put(version.extents)
        if flags.contains(.parts) {
            writer.put(version.parts.count)
            for part in version.parts { writer.put(part) }
        }
        if let upload = version.madeBy { writer.put(upload.text) }
    }

    /// Without extents and what follows them when only a listing needs it.
    static func decode(
        _ bytes: [UInt8],
        bucket: String,
        key: String,
        usualOwner: UserID?,
        isSummary: Bool = false
    ) throws(MetadataError) -> VersionRecord {
        var reader = ByteReader(bytes)
        let version = try decode(
            from: &reader,
            bucket: bucket,
            key: key,
            usualOwner: usualOwner,
            isSummary: isSummary
        )
        if !isSummary { try reader.expectEnd(of: "a version") }
        return version
    }

    /// A version with more behind it; as a summary, what follows is the rest of it.
    static func decode(
        from reader: inout ByteReader,
        bucket: String,
        key: String,
        usualOwner: UserID?,
        isSummary: Bool = false
    ) throws(MetadataError) -> VersionRecord {
        let flags = Flags(rawValue: try reader.getInteger())
        guard flags.rawValue <= Flags.known else { throw .unsupported("flags of a version") }
        let number = try reader.getInteger()
        let modified = try reader.getTime()
        let length = try reader.getObjectLength()
        let eTag = try reader.getETag(kind: flags.tagKind)
        let owner = flags.contains(.owner) ? UserID(try reader.getText()) : usualOwner
        guard let owner else { throw .corrupt("a version without owner") }
        let attributes = try decodeAttributes(&reader, flags)
        let checksum = flags.contains(.checksum) ? try reader.getChecksum() : nil
        let tags = flags.contains(.tags) ? try reader.getTags() : []
        var version = VersionRecord(
            bucket: bucket,
            key: key,
            number: number,
            owner: owner,
            modified: modified,
            length: length,
            eTag: eTag,
            checksum: checksum,
            attributes: attributes,
            tags: tags,
            extents: [],
            parts: []
        )
        if isSummary { return version }
        version.extents = try reader.getExtents()
        if flags.contains(.parts) {
            let count = try reader.getCount(size: 4)
            version.parts.reserveCapacity(count)
            for _ in 0..<count { version.parts.append(try reader.getPart()) }
        }
        if flags.contains(.madeBy) { version.madeBy = UploadID(try reader.getText()) }
        return version
    }

    private static func decodeAttributes(
        _ reader: inout ByteReader,
        _ flags: Flags
    ) throws(MetadataError) -> ObjectAttributes {
        var attributes = ObjectAttributes()
        if flags.contains(.contentType) { attributes.contentType = try reader.getText() }
        if flags.contains(.storageClass) { attributes.storageClass = try reader.getText() }
        if flags.contains(.headers) { attributes.headers = try reader.getHeaders() }
        if flags.contains(.metadata) { attributes.metadata = try reader.getHeaders() }
        return attributes
    }
}
