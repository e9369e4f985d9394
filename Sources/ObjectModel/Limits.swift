/// The limits of the store, each with where it comes from.
package enum Limits {
    /// Bytes of a blob at most (DESIGN §2): the unit of erasure coding, placement and repair.
    package static let blobLength = 64 << 20
    /// Logical bytes of a frame (DESIGN §4): the unit of compression and encryption.
    package static let frameLength = 256 << 10
    /// Bytes of a key (AWS: 1,024 bytes of UTF-8).
    package static let keyLength = 1_024
    /// Parts of a multipart upload (AWS).
    package static let partCount = 10_000
    /// Bytes of a part, and of one PUT (AWS: 5 GiB).
    package static let partLength = 5 << 30
    /// Bytes of a part that is not the last (AWS: 5 MiB).
    package static let minimumPartLength = 5 << 20
    /// Bytes of an object (AWS: 5 TiB).
    package static let objectLength = 5 << 40
    /// Bytes of all user metadata names and values of one object (AWS: 2 KiB).
    package static let userMetadataLength = 2 << 10
    /// Bytes of all names and values of the standard headers that one object keeps (AWS: 2 KiB).
    package static let systemMetadataLength = 2 << 10
    /// Tags of an object (AWS).
    package static let tagCount = 10
    /// Keys of one list page, and of one multi-object delete (AWS).
    package static let pageSize = 1_000
}
