/// What a client said of an object beside its bytes: kept and given back unchanged.
package struct ObjectAttributes: Hashable, Sendable {
    /// `Content-Type`; AWS's default is `binary/octet-stream`.
    package var contentType: String
    /// The other standard headers that S3 keeps, by lower-case name, sorted: `cache-control`,
    /// `content-disposition`, `content-encoding` (without `aws-chunked`), `content-language`, `expires`.
    package var headers: [Header]
    /// User metadata, by lower-case name without `x-amz-meta-`, sorted.
    package var metadata: [Header]
    /// Any label a client gives; `storageClassNotSaid` in requests that give none.
    package var storageClass: String

    package struct Header: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package static let defaultContentType = "binary/octet-stream"
    package static let defaultStorageClass = "STANDARD"
    /// The label of a request that names none: the bucket's default takes its place, else `STANDARD`. Never stored.
    package static let storageClassNotSaid = ""

    package init(
        contentType: String = ObjectAttributes.defaultContentType,
        headers: [Header] = [],
        metadata: [Header] = [],
        storageClass: String = ObjectAttributes.defaultStorageClass
    ) {
        self.contentType = contentType
        self.headers = headers
        self.metadata = metadata
        self.storageClass = storageClass
    }
}

package struct ObjectTag: Hashable, Sendable {
    package var key: String
    package var value: String

    package init(key: String, value: String) {
        self.key = key
        self.value = value
    }
}

/// The checksum of an object or part as S3 knows it.
package struct ObjectChecksum: Hashable, Sendable {
    /// The number is the one on disk, in four bits.
    package enum Algorithm: UInt8, Sendable, CaseIterable {
        case crc32 = 1
        case crc32c = 2
        case crc64nvme = 3
        case sha1 = 4
        case sha256 = 5
        case sha512 = 6
        case md5 = 7
        case xxhash64 = 8
        case xxhash3 = 9
        case xxhash128 = 10
    }

    /// Over all bytes, or over the parts' checksums; the number is the one on disk.
    package enum Kind: UInt8, Sendable {
        case fullObject = 1
        /// The base64 form has `-N` appended, N being the number of parts.
        case composite = 2
    }

    package var algorithm: Algorithm
    package var kind: Kind
    /// The raw digest, big-endian.
    package var value: [UInt8]
    /// Parts of a composite checksum, 0 otherwise.
    package var partCount: Int

    package init(algorithm: Algorithm, kind: Kind, value: [UInt8], partCount: Int = 0) {
        self.algorithm = algorithm
        self.kind = kind
        self.value = value
        self.partCount = partCount
    }
}

/// A user: owns buckets, holds access keys. The text is S3's canonical user id.
package struct UserID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var text: String
    package init(_ text: String) { self.text = text }
    package var description: String { text }
    package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// A multipart upload's id: opaque to clients, drawn at random.
package struct UploadID: Hashable, Sendable, CustomStringConvertible {
    package var text: String
    package init(_ text: String) { self.text = text }
    package var description: String { text }
}
