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

/// The bytes of an upload, and what its client states of them. A mismatch is an error before anything is committed.
struct IncomingBody: Sendable {
    let reader: any BodyReader
    let length: Int
    let checksum: ChecksumRequest
    let contentMD5: [UInt8]?
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
        _ body: IncomingBody
    ) async throws(StorageError) -> (bytes: BufferSlice, digests: PendingDigests) {
        let (checksum, contentMD5) = (body.checksum, body.contentMD5)
        var source = BodySource(body.reader, length: body.length)
        let hasher = ContentHasher(checksum, engine: md5)
        let buffer = blobs.pool.take(max(body.length, 1))
        try await source.fill(buffer, at: 0, count: body.length)
        let bytes = buffer.slice(0..<body.length)
        await hasher.update(bytes)
        try await source.finish()
        let trailing = body.reader.trailingChecksum()
        let pending = PendingDigests(hasher) { (digests) throws(StorageError) in
            try digests.check(contentMD5: contentMD5, request: checksum, trailing: trailing)
        }
        return (bytes, pending)
    }

    /// Writes a body as blobs of a scheme and of at most `Limits.blobLength`. On an error nothing of it stays.
    func ingest(
        _ body: IncomingBody,
        scheme: Scheme,
        identity: ContentIdentity,
        session: WriteSession,
        usesReserve: Bool = false
    ) async throws(StorageError) -> IngestedContent {
        var source = BodySource(body.reader, length: body.length)
        let hasher = ContentHasher(body.checksum, engine: md5)
        var written: [WrittenBlob] = []
        do {
            var compresses = true
            for offset in stride(from: 0, to: body.length, by: Limits.blobLength) {
                let count = min(Limits.blobLength, body.length - offset)
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
            }
            try await source.finish()
            let digests = await hasher.finish()
            try digests.check(
                contentMD5: body.contentMD5,
                request: body.checksum,
                trailing: body.reader.trailingChecksum()
            )
            return IngestedContent(blobs: written, digests: digests)
        } catch {
            if error.code == .leaseEnded { leases.noteEnded(session.lease) }
            await eraseUncommitted(written)
            throw error
        }
    }
}
