package import ObjectModel
package import SystemInterface

/// A condition of a write, checked inside its commit.
package enum WriteCondition: Hashable, Sendable {
    case none
    /// `If-None-Match: *`: the key has no current version.
    case isAbsent
    /// `If-Match: "…"`: the current version has this ETag (without quotes); `*` is any version.
    case matches(String)
    /// `If-None-Match: "…"`: there is no current version, or one with another ETag (without quotes).
    case differs(String)
}

/// Conditions of a read or of a copy's source, in RFC 9110's order of precedence as S3 applies it.
package struct ReadConditions: Hashable, Sendable {
    /// ETags without quotes; `*` is any.
    package var ifMatch: [String]?
    package var ifNoneMatch: [String]?
    package var ifModifiedSince: WallTime?
    package var ifUnmodifiedSince: WallTime?

    package init(
        ifMatch: [String]? = nil,
        ifNoneMatch: [String]? = nil,
        ifModifiedSince: WallTime? = nil,
        ifUnmodifiedSince: WallTime? = nil
    ) {
        self.ifMatch = ifMatch
        self.ifNoneMatch = ifNoneMatch
        self.ifModifiedSince = ifModifiedSince
        self.ifUnmodifiedSince = ifUnmodifiedSince
    }

    package static let none = ReadConditions()
}

/// Which version of a key is meant.
package enum VersionSelector: Hashable, Sendable {
    case current
    /// `versionId=null`: the version of a bucket that was never versioned.
    case null
    /// Any other id; no such version exists in a bucket that was never versioned.
    case id(String)
}

/// Which bytes are asked for.
package enum ByteRange: Hashable, Sendable {
    /// `bytes=A-B`, both inclusive.
    case closed(Int, Int)
    /// `bytes=A-`.
    case from(Int)
    /// `bytes=-N`: the last N.
    case suffix(Int)

    /// The bytes of an object of `length`; nil when none of them exists (416).
    package func resolved(length: Int) -> Range<Int>? {
        switch self {
        case .closed(let first, let last):
            first < length && first <= last ? first..<min(last, length - 1) + 1 : nil
        case .from(let first): first < length ? first..<length : nil
        case .suffix(let count): count > 0 && length > 0 ? max(0, length - count)..<length : nil
        }
    }
}

/// How a client wants an upload's checksum computed or checked.
package enum ChecksumRequest: Hashable, Sendable {
    case none
    /// The value came with the headers: a mismatch is `.badDigest`.
    case declared(DeclaredChecksum)
    /// The value comes behind the body.
    case trailing(ObjectChecksum.Algorithm)
    /// Compute and keep it.
    case computed(ObjectChecksum.Algorithm)
}

package struct PutRequest: Sendable {
    package var bucket: String
    package var key: String
    package var owner: UserID
    /// Bytes of the decoded body, as declared.
    package var length: Int
    package var attributes: ObjectAttributes
    package var tags: [ObjectTag]
    package var condition: WriteCondition
    /// The 16 bytes of `Content-MD5`; a mismatch is `.badDigest`.
    package var contentMD5: [UInt8]?
    package var checksum: ChecksumRequest

    package init(
        bucket: String,
        key: String,
        owner: UserID,
        length: Int,
        attributes: ObjectAttributes,
        tags: [ObjectTag] = [],
        condition: WriteCondition = .none,
        contentMD5: [UInt8]? = nil,
        checksum: ChecksumRequest = .none
    ) {
        self.bucket = bucket
        self.key = key
        self.owner = owner
        self.length = length
        self.attributes = attributes
        self.tags = tags
        self.condition = condition
        self.contentMD5 = contentMD5
        self.checksum = checksum
    }
}

/// What a write made.
package struct WriteResult: Sendable {
    /// Without quotes.
    package var eTag: String
    package var checksum: ObjectChecksum?
    package var modified: WallTime
    /// Acknowledged with fewer shards than the scheme's quorum (DESIGN §4): shown to the client in a header.
    package var isDegraded: Bool

    package init(eTag: String, checksum: ObjectChecksum? = nil, modified: WallTime, isDegraded: Bool = false) {
        self.eTag = eTag
        self.checksum = checksum
        self.modified = modified
        self.isDegraded = isDegraded
    }
}

/// The version that a range is meant of: of any other the whole is wanted (RFC 9110 §13.1.5).
package enum RangeCondition: Hashable, Sendable {
    case eTag(String)
    /// The date that the version was said to have been modified at, to the second.
    case modified(WallTime)
    /// A validator that none can match: one that is weak, or none.
    case never

    func holds(eTag: String, modified: WallTime) -> Bool {
        switch self {
        case .eTag(let wanted): wanted == eTag
        case .modified(let wanted): wanted.milliseconds / 1_000 == modified.milliseconds / 1_000
        case .never: false
        }
    }
}

package struct GetRequest: Sendable {
    package var bucket: String
    package var key: String
    package var version: VersionSelector
    package var range: ByteRange?
    package var rangeCondition: RangeCondition?
    /// One part of a multipart object (1 …); excludes `range`.
    package var partNumber: Int?
    package var conditions: ReadConditions
    package var isHead: Bool

    /// The range, unless it is meant of another version.
    package func range(ofVersion eTag: String, modified: WallTime) -> ByteRange? {
        rangeCondition?.holds(eTag: eTag, modified: modified) ?? true ? range : nil
    }

    package init(
        bucket: String,
        key: String,
        version: VersionSelector = .current,
        range: ByteRange? = nil,
        rangeCondition: RangeCondition? = nil,
        partNumber: Int? = nil,
        conditions: ReadConditions = .none,
        isHead: Bool = false
    ) {
        self.bucket = bucket
        self.key = key
        self.version = version
        self.range = range
        self.rangeCondition = rangeCondition
        self.partNumber = partNumber
        self.conditions = conditions
        self.isHead = isHead
    }
}

package struct GetResult: Sendable {
    package var object: ObjectSummary
    /// The bytes of the answer within the object; all of it when no range was asked for, or one of another version.
    package var range: Range<Int>
    /// A part or a range was asked for, and is given.
    package var isPartial: Bool
    /// nil for HEAD.
    package var body: (any ObjectBody)?

    package init(object: ObjectSummary, range: Range<Int>, isPartial: Bool, body: (any ObjectBody)?) {
        self.object = object
        self.range = range
        self.isPartial = isPartial
        self.body = body
    }
}

package struct DeleteRequest: Sendable {
    package var bucket: String
    package var key: String
    package var version: VersionSelector
    /// `If-Match` of a conditional delete.
    package var condition: WriteCondition

    package init(
        bucket: String,
        key: String,
        version: VersionSelector = .current,
        condition: WriteCondition = .none
    ) {
        self.bucket = bucket
        self.key = key
        self.version = version
        self.condition = condition
    }
}

package struct DeleteResult: Hashable, Sendable {
    package var existed: Bool
    package init(existed: Bool) { self.existed = existed }
}

package struct CopyRequest: Sendable {
    package var sourceBucket: String
    package var sourceKey: String
    package var sourceVersion: VersionSelector
    package var sourceConditions: ReadConditions
    package var bucket: String
    package var key: String
    package var owner: UserID
    /// nil keeps the source's (`x-amz-metadata-directive: COPY`). The storage-class label is always the request's.
    package var attributes: ObjectAttributes?
    package var storageClass: String
    /// nil keeps the source's.
    package var tags: [ObjectTag]?
    package var condition: WriteCondition
    package var checksum: ObjectChecksum.Algorithm?

    package init(
        sourceBucket: String,
        sourceKey: String,
        sourceVersion: VersionSelector = .current,
        sourceConditions: ReadConditions = .none,
        bucket: String,
        key: String,
        owner: UserID,
        attributes: ObjectAttributes? = nil,
        storageClass: String = "STANDARD",
        tags: [ObjectTag]? = nil,
        condition: WriteCondition = .none,
        checksum: ObjectChecksum.Algorithm? = nil
    ) {
        self.sourceBucket = sourceBucket
        self.sourceKey = sourceKey
        self.sourceVersion = sourceVersion
        self.sourceConditions = sourceConditions
        self.bucket = bucket
        self.key = key
        self.owner = owner
        self.attributes = attributes
        self.storageClass = storageClass
        self.tags = tags
        self.condition = condition
        self.checksum = checksum
    }
}

package struct CreateUploadRequest: Sendable {
    package var bucket: String
    package var key: String
    package var owner: UserID
    package var attributes: ObjectAttributes
    package var tags: [ObjectTag]
    package var checksum: ObjectChecksum.Algorithm?
    package var checksumKind: ObjectChecksum.Kind?

    package init(
        bucket: String,
        key: String,
        owner: UserID,
        attributes: ObjectAttributes,
        tags: [ObjectTag] = [],
        checksum: ObjectChecksum.Algorithm? = nil,
        checksumKind: ObjectChecksum.Kind? = nil
    ) {
        self.bucket = bucket
        self.key = key
        self.owner = owner
        self.attributes = attributes
        self.tags = tags
        self.checksum = checksum
        self.checksumKind = checksumKind
    }
}

package struct UploadPartRequest: Sendable {
    package var bucket: String
    package var key: String
    package var upload: UploadID
    /// 1 … `Limits.partCount`.
    package var partNumber: Int
    package var length: Int
    package var contentMD5: [UInt8]?
    package var checksum: ChecksumRequest

    package init(
        bucket: String,
        key: String,
        upload: UploadID,
        partNumber: Int,
        length: Int,
        contentMD5: [UInt8]? = nil,
        checksum: ChecksumRequest = .none
    ) {
        self.bucket = bucket
        self.key = key
        self.upload = upload
        self.partNumber = partNumber
        self.length = length
        self.contentMD5 = contentMD5
        self.checksum = checksum
    }
}

package struct CopyPartRequest: Sendable {
    package var sourceBucket: String
    package var sourceKey: String
    package var sourceVersion: VersionSelector
    package var sourceConditions: ReadConditions
    /// `x-amz-copy-source-range`, both ends inclusive; nil is the whole source.
    package var sourceRange: ClosedRange<Int>?
    package var bucket: String
    package var key: String
    package var upload: UploadID
    package var partNumber: Int

    package init(
        sourceBucket: String,
        sourceKey: String,
        sourceVersion: VersionSelector = .current,
        sourceConditions: ReadConditions = .none,
        sourceRange: ClosedRange<Int>? = nil,
        bucket: String,
        key: String,
        upload: UploadID,
        partNumber: Int
    ) {
        self.sourceBucket = sourceBucket
        self.sourceKey = sourceKey
        self.sourceVersion = sourceVersion
        self.sourceConditions = sourceConditions
        self.sourceRange = sourceRange
        self.bucket = bucket
        self.key = key
        self.upload = upload
        self.partNumber = partNumber
    }
}

package struct PartResult: Sendable {
    package var eTag: String
    package var checksum: ObjectChecksum?
    package var modified: WallTime
    package var isDegraded: Bool

    package init(eTag: String, checksum: ObjectChecksum?, modified: WallTime, isDegraded: Bool = false) {
        self.eTag = eTag
        self.checksum = checksum
        self.modified = modified
        self.isDegraded = isDegraded
    }
}

package struct CompleteUploadRequest: Sendable {
    /// A part as the client names it in the request body.
    package struct Part: Hashable, Sendable {
        package var number: Int
        /// Without quotes.
        package var eTag: String
        package var checksum: DeclaredChecksum?

        package init(number: Int, eTag: String, checksum: DeclaredChecksum? = nil) {
            self.number = number
            self.eTag = eTag
            self.checksum = checksum
        }
    }

    package var bucket: String
    package var key: String
    package var upload: UploadID
    /// In the client's order; must ascend (`.invalidPartOrder`).
    package var parts: [Part]
    package var condition: WriteCondition
    /// The checksum of the whole object that the client stated; a mismatch is `.badDigest`.
    package var checksum: DeclaredChecksum?
    /// The number of parts that the client put behind a composite checksum; a mismatch is `.badDigest`.
    package var checksumParts: Int?
    /// A kind other than the upload's is `.badDigest`.
    package var checksumKind: ObjectChecksum.Kind?
    /// `x-amz-mp-object-size`; a mismatch is `.invalidRequest`.
    package var objectLength: Int?

    package init(
        bucket: String,
        key: String,
        upload: UploadID,
        parts: [Part],
        condition: WriteCondition = .none,
        checksum: DeclaredChecksum? = nil,
        checksumParts: Int? = nil,
        checksumKind: ObjectChecksum.Kind? = nil,
        objectLength: Int? = nil
    ) {
        self.bucket = bucket
        self.key = key
        self.upload = upload
        self.parts = parts
        self.condition = condition
        self.checksum = checksum
        self.checksumParts = checksumParts
        self.checksumKind = checksumKind
        self.objectLength = objectLength
    }
}
