internal import BlobStorage
internal import DiskFormat
package import Metadata
package import ObjectInterface
internal import ObjectModel
internal import Placement
internal import Synchronization
internal import SystemInterface

extension ObjectStore {
    /// The bucket name in the identity of blobs that are the store's own, not a client's: no bucket can be called so.
    package static let systemBucket = ""

    /// Stores bytes of the store's own (a checkpoint's range) as one blob, durable and not yet in the metadata.
    ///
    /// At most `Limits.blobLength` bytes; `name` is kept in the trailers as evidence. In the scheme that survives most:
    /// what metadata can be made anew from must not be lost before what it is about. `usesReserve`: one of at most a
    /// stripe is written from the reserve of disks that are full otherwise, for what brings their room back.
    package func storeSystemBlob(
        _ bytes: [UInt8],
        name: String,
        session: WriteSession,
        usesReserve: Bool = false
    ) async throws(StorageError) -> (record: BlobRecord, extent: Extent) {
        guard let scheme = blobs.view.strongestScheme else { throw Self.noGroups }
        let content = try await ingest(
            IncomingBody(reader: BytesBody(bytes), length: bytes.count, checksum: .none, contentMD5: nil),
            scheme: scheme,
            identity: ContentIdentity(bucket: Self.systemBucket, key: name, contentType: "application/octet-stream"),
            session: session,
            usesReserve: usesReserve
        )
        guard content.blobs.count == 1, let blob = content.blobs.first else {
            await eraseUncommitted(content.blobs)
            throw StorageError(.internalFailure, "A system blob must have from 1 to \(Limits.blobLength) bytes.")
        }
        return (blob.record, blob.extent)
    }

    /// Bytes of a system blob of one stripe at most.
    package var systemStripeLength: Int { blobs.view.strongestScheme.map { $0.dataCount * $0.cellSize } ?? 0 }

    /// Whether a blob is in the scheme that the store's own bytes would get now.
    package func isSystemScheme(_ record: BlobRecord) -> Bool {
        blobs.view.group(record.group)?.scheme == blobs.view.strongestScheme
    }

    /// Erases system blobs whose transaction was refused.
    package func eraseSystemBlobs(_ records: [BlobRecord]) async {
        for record in records { await blobs.eraseUncommitted(record.id, of: record.group) }
    }
}

/// Bytes in memory as an upload's body.
private final class BytesBody: BodyReader {
    private let bytes: [UInt8]
    private let position = Mutex(0)

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func read(into buffer: AlignedBuffer, at offset: Int, count: Int) async throws -> Int {
        position.withLock { position -> Int in
            let length = min(count, bytes.count - position)
            let target = UnsafeMutableRawBufferPointer(start: buffer.pointer + offset, count: length)
            target.copyBytes(from: bytes[position..<position + length])
            position += length
            return length
        }
    }

    func trailingChecksum() -> DeclaredChecksum? { nil }
}
