package import ObjectModel
package import SystemInterface

/// One page of a bucket's keys in UTF-8 byte order.
package struct ListRequest: Sendable {
    package var bucket: String
    package var prefix: String
    /// Empty for none.
    package var delimiter: String
    /// Only keys and common prefixes that sort after this; empty is the beginning. A common prefix that equals or
    /// contains the marker's own group (marker starts with it) is skipped as a whole.
    package var after: String
    /// Keys and common prefixes together; at most `Limits.pageSize`. 0 gives an empty, untruncated page.
    package var limit: Int

    package init(bucket: String, prefix: String = "", delimiter: String = "", after: String = "", limit: Int) {
        self.bucket = bucket
        self.prefix = prefix
        self.delimiter = delimiter
        self.after = after
        self.limit = limit
    }
}

package struct ListPage: Sendable {
    package enum Entry: Sendable {
        case object(ObjectSummary)
        case commonPrefix(String)

        /// The key or the common prefix.
        package var name: String {
            switch self {
            case .object(let object): object.key
            case .commonPrefix(let prefix): prefix
            }
        }
    }

    /// In order, both kinds mixed.
    package var entries: [Entry]
    /// More follow; continue after the last entry's name.
    package var isTruncated: Bool

    package init(entries: [Entry], isTruncated: Bool) {
        self.entries = entries
        self.isTruncated = isTruncated
    }
}

package struct ListUploadsRequest: Sendable {
    package var bucket: String
    package var prefix: String
    package var delimiter: String
    /// Only uploads of keys after this, or of this key with an id after `uploadMarker` when that is given.
    package var keyMarker: String
    package var uploadMarker: String
    package var limit: Int

    package init(
        bucket: String,
        prefix: String = "",
        delimiter: String = "",
        keyMarker: String = "",
        uploadMarker: String = "",
        limit: Int
    ) {
        self.bucket = bucket
        self.prefix = prefix
        self.delimiter = delimiter
        self.keyMarker = keyMarker
        self.uploadMarker = uploadMarker
        self.limit = limit
    }
}

package struct ListUploadsPage: Sendable {
    /// By key, then by time of creation.
    package var uploads: [Upload]
    package var commonPrefixes: [String]
    package var isTruncated: Bool
    /// What the page ends with, also when there is nothing behind it; both are empty when there is nothing in it.
    package var nextKeyMarker: String
    package var nextUploadMarker: String

    package init(
        uploads: [Upload],
        commonPrefixes: [String],
        isTruncated: Bool,
        nextKeyMarker: String,
        nextUploadMarker: String
    ) {
        self.uploads = uploads
        self.commonPrefixes = commonPrefixes
        self.isTruncated = isTruncated
        self.nextKeyMarker = nextKeyMarker
        self.nextUploadMarker = nextUploadMarker
    }
}

package struct PartsPage: Sendable {
    package var upload: Upload
    /// By number.
    package var parts: [PartSummary]
    package var isTruncated: Bool

    package init(upload: Upload, parts: [PartSummary], isTruncated: Bool) {
        self.upload = upload
        self.parts = parts
        self.isTruncated = isTruncated
    }
}

package struct PartSummary: Hashable, Sendable {
    package var number: Int
    package var eTag: String
    package var length: Int
    package var modified: WallTime
    package var checksum: ObjectChecksum?

    package init(number: Int, eTag: String, length: Int, modified: WallTime, checksum: ObjectChecksum?) {
        self.number = number
        self.eTag = eTag
        self.length = length
        self.modified = modified
        self.checksum = checksum
    }
}

/// A multipart upload in progress.
package struct Upload: Sendable {
    package var id: UploadID
    package var bucket: String
    package var key: String
    package var owner: UserID
    package var created: WallTime
    package var attributes: ObjectAttributes
    package var checksum: ObjectChecksum.Algorithm?
    package var checksumKind: ObjectChecksum.Kind?

    package init(
        id: UploadID,
        bucket: String,
        key: String,
        owner: UserID,
        created: WallTime,
        attributes: ObjectAttributes,
        checksum: ObjectChecksum.Algorithm?,
        checksumKind: ObjectChecksum.Kind?
    ) {
        self.id = id
        self.bucket = bucket
        self.key = key
        self.owner = owner
        self.created = created
        self.attributes = attributes
        self.checksum = checksum
        self.checksumKind = checksumKind
    }
}

/// What a listing, HEAD and GET say of an object version.
package struct ObjectSummary: Sendable {
    package var key: String
    package var owner: UserID
    package var length: Int
    /// Without quotes.
    package var eTag: String
    package var modified: WallTime
    package var attributes: ObjectAttributes
    package var checksum: ObjectChecksum?
    package var tags: [ObjectTag]
    /// The parts of a multipart object, in order; empty for a single PUT. Listings leave it empty.
    package var parts: [PartSummary]

    package init(
        key: String,
        owner: UserID,
        length: Int,
        eTag: String,
        modified: WallTime,
        attributes: ObjectAttributes,
        checksum: ObjectChecksum? = nil,
        tags: [ObjectTag] = [],
        parts: [PartSummary] = []
    ) {
        self.key = key
        self.owner = owner
        self.length = length
        self.eTag = eTag
        self.modified = modified
        self.attributes = attributes
        self.checksum = checksum
        self.tags = tags
        self.parts = parts
    }
}
