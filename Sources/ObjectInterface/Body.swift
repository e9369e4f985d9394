package import ObjectModel
package import SystemInterface

/// The verified body of an upload, read once from start to end.
///
/// The implementer has authenticated it: a chunk with a bad signature, a payload with a wrong hash or a body that ends
/// early throws, at the latest in place of the end; so whoever has seen the end may commit.
package protocol BodyReader: Sendable {
    /// Copies up to `count` bytes to `offset` of `buffer` and returns how many; 0 only at the verified end.
    func read(into buffer: AlignedBuffer, at offset: Int, count: Int) async throws -> Int

    /// The checksum that came behind the body (`x-amz-trailer`), once `read` has returned 0.
    func trailingChecksum() -> DeclaredChecksum?
}

/// A checksum the client stated.
package struct DeclaredChecksum: Hashable, Sendable {
    package var algorithm: ObjectChecksum.Algorithm
    /// The raw digest, big-endian as S3 encodes it in base64.
    package var value: [UInt8]

    package init(algorithm: ObjectChecksum.Algorithm, value: [UInt8]) {
        self.algorithm = algorithm
        self.value = value
    }
}

/// The bytes of a download, in order.
package protocol ObjectBody: Sendable {
    /// Bytes that will come in all.
    var length: Int { get }
    /// The next bytes, verified; nil at the end. Throws `StorageError` `.unreadable` where too few shards are good.
    /// Pieces are at most a few MiB. Reading ahead is the implementer's business.
    func next() async throws -> BufferSlice?
}
