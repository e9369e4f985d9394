internal import BlobStorage
internal import Metadata
package import ObjectInterface
internal import ObjectModel
internal import SystemInterface

extension ObjectStore {
    package func put(_ request: PutRequest, body: any BodyReader) async throws(StorageError) -> WriteResult {
        let bucket = try await bucket(request.bucket)
        var request = request
        request.attributes.storageClass = label(request.attributes.storageClass, in: bucket)
        try await checkEarly(request)
        let body = IncomingBody(
            reader: body,
            length: request.length,
            checksum: request.checksum,
            contentMD5: request.contentMD5
        )
        guard body.length > 0 else { return try await putEmpty(request, body: body) }
        let scheme = try scheme(label: request.attributes.storageClass, in: bucket)
        let packer = packer(for: scheme)
        let share = try memory.take(scheme.uploadMemory(request.length))
        defer { withExtendedLifetime(share) {} }
        return body.length <= packer.itemLength
            ? try await putSmall(request, body: body, packer: packer)
            : try await putLarge(request, body: body, scheme: scheme)
    }

    /// A condition that fails already is answered before the body is read; the commit decides all the same.
    private func checkEarly(_ request: PutRequest) async throws(StorageError) {
        guard request.condition != .none else { return }
        let current = try await metadata.version(bucket: request.bucket, key: request.key)?.version
        switch request.condition {
        case .none: break
        case .isAbsent:
            if current != nil { throw Self.preconditionFailed }
        case .matches(let eTag):
            guard let current else { throw StorageError(.noSuchKey, "The specified key does not exist.") }
            if eTag != "*", eTag != current.eTag { throw Self.preconditionFailed }
        case .differs(let eTag):
            if current?.eTag == eTag { throw Self.preconditionFailed }
        }
    }

    private static let preconditionFailed = StorageError(
        .preconditionFailed,
        "At least one of the pre-conditions you specified did not hold"
    )

    private func putEmpty(_ request: PutRequest, body: IncomingBody) async throws(StorageError) -> WriteResult {
        let (_, digests) = try await readSmall(body)
        let version = version(request, digests: try await digests.verified(), extents: [])
        let results = try await metadata.commit(
            WriteTransaction(lease: nil, blobs: [], writes: [.version(version, request.condition)])
        )
        _ = try results.first?.get()
        return writeResult(version, isDegraded: false)
    }

    private func putSmall(
        _ request: PutRequest,
        body: IncomingBody,
        packer: Packer
    ) async throws(StorageError) -> WriteResult {
        let (bytes, digests) = try await readSmall(body)
        let identity = ContentIdentity(of: request).object(offset: 0, length: bytes.count)
        let result = try await packer.add(
            PackItem(bytes: bytes, identity: identity) {
                [self] extents throws(StorageError) in
                let version = version(request, digests: try await digests.verified(), extents: extents)
                return .version(version, request.condition)
            }
        )
        guard case .version(let version, _) = result.write else {
            throw StorageError(.internalFailure, "A pack's answer was another write's.")
        }
        return writeResult(version, isDegraded: result.isDegraded)
    }

    private func putLarge(
        _ request: PutRequest,
        body: IncomingBody,
        scheme: Scheme
    ) async throws(StorageError) -> WriteResult {
        let session = try await leases.begin()
        defer { session.end() }
        let identity = ContentIdentity(of: request)
        let content = try await ingest(body, scheme: scheme, identity: identity, session: session)
        let version = version(request, digests: content.digests, extents: content.extents)
        try await commit(content, session: session, write: .version(version, request.condition))
        return writeResult(version, isDegraded: content.isDegraded)
    }

    /// Commits one write with its blobs; what is refused leaves nothing behind.
    func commit(
        _ content: IngestedContent,
        session: WriteSession,
        write: WriteTransaction.Write
    ) async throws(StorageError) {
        let results: [Result<CommitOutcome, StorageError>]
        await blobs.buggify.pause(.commitLate, time)
        do {
            results = try await metadata.commit(
                WriteTransaction(lease: session.lease, blobs: content.blobs.map(\.record), writes: [write])
            )
        } catch {
            if error.code == .leaseEnded { leases.noteEnded(session.lease) }
            // An unknown outcome may have been committed: then the blobs are live and stay.
            if error.code != .unknownOutcome { await eraseUncommitted(content.blobs) }
            throw error
        }
        if case .failure(let error)? = results.first {
            await eraseUncommitted(content.blobs)
            throw error
        }
    }

    private func version(_ request: PutRequest, digests: ContentDigests, extents: [Extent]) -> VersionRecord {
        VersionRecord(
            bucket: request.bucket,
            key: request.key,
            number: 0,
            owner: request.owner,
            modified: time.wall,
            length: request.length,
            eTag: digests.eTag,
            checksum: digests.checksum,
            attributes: request.attributes,
            tags: request.tags,
            extents: extents,
            parts: []
        )
    }

    func writeResult(_ version: VersionRecord, isDegraded: Bool) -> WriteResult {
        WriteResult(
            eTag: version.eTag,
            checksum: version.checksum,
            modified: version.modified,
            isDegraded: isDegraded
        )
    }
}

extension ContentIdentity {
    fileprivate init(of request: PutRequest) {
        self.init(bucket: request.bucket, key: request.key, contentType: request.attributes.contentType)
    }
}
