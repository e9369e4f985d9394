internal import Checksums
internal import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import Synchronization
internal import SystemInterface

/// Bytes of a version that are written once more, in another scheme.
struct Rewriting: Sendable {
    var detail: VersionDetail
    var range: Range<Int>
    var hold: BlobHold
    var scheme: Scheme
    var identity: ContentIdentity
    /// What is to be computed on the way.
    var checksum: ChecksumRequest
    /// What the bytes must hash to, where that is known.
    var md5: [UInt8]?
    /// The write to commit, given where the bytes lie then and their digests.
    var write: @Sendable (ContentDigests, [Extent]) -> WriteTransaction.Write
}

extension ObjectStore {
    /// Reads the bytes, writes them anew as a PUT would, and commits. At least one byte.
    func rewrite(_ what: Rewriting) async throws(StorageError) -> PackResult {
        let body = IncomingBody(
            reader: ReaderBody(try content(what.detail, range: what.range, hold: what.hold)),
            length: what.range.count,
            checksum: what.checksum,
            contentMD5: what.md5
        )
        do throws(StorageError) {
            let packer = packer(for: what.scheme)
            return body.length <= packer.itemLength
                ? try await rewriteSmall(what, body: body, packer: packer)
                : try await rewriteLarge(what, body: body)
        } catch {
            guard error.code == .badDigest || error.code == .incompleteBody else { throw error }
            throw StorageError(.internalFailure, "The bytes read are not those that were stored: \(error.message)")
        }
    }

    private func rewriteSmall(
        _ what: Rewriting,
        body: IncomingBody,
        packer: Packer
    ) async throws(StorageError) -> PackResult {
        let (bytes, digests) = try await readSmall(body)
        return try await packer.add(
            PackItem(bytes: bytes, identity: what.identity.object(offset: 0, length: bytes.count)) {
                extents throws(StorageError) in
                what.write(try await digests.verified(), extents)
            }
        )
    }

    private func rewriteLarge(_ what: Rewriting, body: IncomingBody) async throws(StorageError) -> PackResult {
        let session = try await leases.begin()
        defer { session.end() }
        let content = try await ingest(body, scheme: what.scheme, identity: what.identity, session: session)
        let write = what.write(content.digests, content.extents)
        try await commit(content, session: session, write: write)
        return PackResult(write: write, isDegraded: content.isDegraded)
    }
}

/// A download as the body of an upload.
private final class ReaderBody: BodyReader {
    private let reader: ObjectReader
    private let rest = Mutex<BufferSlice?>(nil)

    init(_ reader: ObjectReader) { self.reader = reader }

    func read(into buffer: AlignedBuffer, at offset: Int, count: Int) async throws -> Int {
        var slice = rest.withLock { $0.take() }
        // An empty one would be taken for the end.
        while slice?.isEmpty ?? true {
            guard let next = try await reader.next() else { return 0 }
            slice = next
        }
        guard let slice else { return 0 }
        let length = min(count, slice.count)
        slice.slice(0..<length).withBytes { bytes in
            UnsafeMutableRawBufferPointer(start: buffer.pointer + offset, count: length).copyMemory(from: bytes)
        }
        if length < slice.count { rest.withLock { $0 = slice.slice(length..<slice.count) } }
        return length
    }

    func trailingChecksum() -> DeclaredChecksum? { nil }
}
