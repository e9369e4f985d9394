internal import BlobStorage
internal import DiskFormat
internal import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import SystemInterface

/// What an upload's body became: blobs on their disks and the digests of its bytes.
struct IngestedContent: Sendable {
    var blobs: [WrittenBlob]
    var digests: ContentDigests

    var extents: [Extent] { blobs.map(\.extent) }
    var isDegraded: Bool { blobs.contains { $0.receipt.isDegraded } }
}

/// Whose bytes a body is: for the evidence in the trailers.
struct ContentIdentity: Sendable {
    var bucket: String
    var key: String
    var contentType: String
    var upload: UploadID?
    var part: Int?

    func object(offset: Int, length: Int) -> IdentityDocument.Object {
        IdentityDocument.Object(
            bucket: bucket,
            key: key,
            contentType: contentType,
            offset: offset,
            length: length,
            start: 0,
            upload: upload?.text,
            part: part
        )
    }
}

/// The digests of a small body, still being taken while its bytes are on their way to the disks.
struct PendingDigests: Sendable {
    private let hasher: ContentHasher
    private let check: @Sendable (ContentDigests) throws(StorageError) -> Void

    init(_ hasher: ContentHasher, check: @escaping @Sendable (ContentDigests) throws(StorageError) -> Void) {
        self.hasher = hasher
        self.check = check
    }

    /// Compares them with what the client stated. To be called once, before the object is committed.
    func verified() async throws(StorageError) -> ContentDigests {
        let digests = await hasher.finish()
        try check(digests)
        return digests
    }
}

extension ObjectStore {
    /// Reads a small body whole: it goes into a pack.
    func readSmall(
        _ length: Int,
        body: any BodyReader,
        checksum: ChecksumRequest,
        contentMD5: [UInt8]?
    ) async throws(StorageError) -> (bytes: BufferSlice, digests: PendingDigests) {
        var source = BodySource(body, length: length)
        let hasher = ContentHasher(checksum, engine: md5)
        let buffer = blobs.pool.take(max(length, 1))
        try await source.fill(buffer, at: 0, count: length)
        let bytes = buffer.slice(0..<length)
        await hasher.update(bytes)
        try await source.finish()
        let trailing = body.trailingChecksum()
        let pending = PendingDigests(hasher) { (digests) throws(StorageError) in
            try digests.check(contentMD5: contentMD5, request: checksum, trailing: trailing)
        }
        return (bytes, pending)
    }

    /// Writes a body as blobs of a scheme and of at most `Limits.blobLength`. On an error nothing of it stays.
    func ingest(
        _ length: Int,
        scheme: Scheme,
        body: any BodyReader,
        checksum: ChecksumRequest,
        contentMD5: [UInt8]?,
        identity: ContentIdentity,
        session: WriteSession,
        usesReserve: Bool = false
    ) async throws(StorageError) -> IngestedContent {
        var source = BodySource(body, length: length)
        let hasher = ContentHasher(checksum, engine: md5)
        var written: [WrittenBlob] = []
        do {
            var offset = 0
            var compresses = true
            while offset < length {
                let count = min(Limits.blobLength, length - offset)
                var assembler = BlobAssembler(
                    store: blobs,
                    scheme: scheme,
                    codec: codec,
                    expectsCompression: compresses,
                    usesReserve: usesReserve
                )
                let document = IdentityDocument(objects: [identity.object(offset: offset, length: count)])
                written.append(
                    try await assembler.assemble(
                        session.nextBlob(),
                        from: &source,
                        length: count,
                        hasher: hasher,
                        identity: document.block()
                    )
                )
                compresses = assembler.isCompressing
                offset += count
            }
            try await source.finish()
            let digests = await hasher.finish()
            try digests.check(contentMD5: contentMD5, request: checksum, trailing: body.trailingChecksum())
            return IngestedContent(blobs: written, digests: digests)
        } catch {
            if error.code == .leaseEnded { leases.noteEnded(session.lease) }
            await eraseUncommitted(written)
            throw error
        }
    }
}
