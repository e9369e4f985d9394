internal import Checksums
internal import Metadata
package import ObjectInterface
package import ObjectModel
internal import SystemInterface

extension ObjectStore {
    package func createUpload(_ request: CreateUploadRequest) async throws(StorageError) -> Upload {
        let bucket = try await bucket(request.bucket)
        var attributes = request.attributes
        attributes.storageClass = label(attributes.storageClass, in: bucket)
        let id = UploadID(Hexadecimal.text(random.bytes(Self.uploadIDLength)))
        let upload = Upload(
            id: id,
            bucket: request.bucket,
            key: request.key,
            owner: request.owner,
            created: time.wall,
            attributes: attributes,
            checksum: request.checksum,
            checksumKind: request.checksumKind
        )
        try await metadata.createUpload(UploadRecord(upload: upload, tags: request.tags))
        return upload
    }

    /// Random bytes of an upload id: nobody guesses another's.
    private static let uploadIDLength = 24

    func openUpload(bucket: String, key: String, id: UploadID) async throws(StorageError) -> UploadRecord {
        if let upload = try await metadata.upload(bucket: bucket, key: key, id: id) { return upload }
        _ = try await self.bucket(bucket)
        throw StorageError(
            .noSuchUpload,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
                + "been aborted or completed."
        )
    }

    package func uploadPart(
        _ request: UploadPartRequest,
        body: any BodyReader
    ) async throws(StorageError) -> PartResult {
        let upload = try await openUpload(bucket: request.bucket, key: request.key, id: request.upload).upload
        let body = IncomingBody(
            reader: body,
            length: request.length,
            checksum: try Self.partChecksum(request.checksum, upload: upload),
            contentMD5: request.contentMD5
        )
        let identity = ContentIdentity(
            bucket: request.bucket,
            key: request.key,
            contentType: upload.attributes.contentType,
            upload: request.upload,
            part: request.partNumber
        )
        let scheme = try await scheme(of: upload)
        let packer = packer(for: scheme)
        let share = try memory.take(scheme.uploadMemory(body.length))
        defer { withExtendedLifetime(share) {} }
        if body.length <= packer.itemLength {
            return try await uploadSmallPart(request, body, identity: identity, packer: packer)
        }
        let session = try await leases.begin()
        defer { session.end() }
        let content = try await ingest(body, scheme: scheme, identity: identity, session: session)
        let part = part(request, digests: content.digests, extents: content.extents)
        try await commit(content, session: session, write: .part(part, bucket: request.bucket, key: request.key))
        return partResult(part.summary, isDegraded: content.isDegraded)
    }

    /// A part without a checksum of its own gets the upload's algorithm, where the whole's is of all bytes. One of the
    /// parts' checksums says nothing of bytes that changed on their way here, so each part states its own (AWS);
    /// another algorithm than the upload's would leave the whole without.
    private static func partChecksum(
        _ request: ChecksumRequest,
        upload: Upload
    ) throws(StorageError) -> ChecksumRequest {
        guard let algorithm = upload.checksum else { return request }
        let declared: ObjectChecksum.Algorithm
        switch request {
        case .none:
            guard (upload.checksumKind ?? defaultKind(algorithm)) == .fullObject else {
                throw mismatch(expected: algorithm, actual: "null")
            }
            return .computed(algorithm)
        case .declared(let value): declared = value.algorithm
        case .trailing(let trailing): declared = trailing
        case .computed(let computed): declared = computed
        }
        guard declared == algorithm else {
            throw mismatch(expected: algorithm, actual: declared.streaming.name.lowercased())
        }
        return request
    }

    private static func mismatch(expected: ObjectChecksum.Algorithm, actual: String) -> StorageError {
        StorageError(
            .invalidRequest,
            "Checksum Type mismatch occurred, expected checksum Type: \(expected.streaming.name.lowercased()), "
                + "actual checksum Type: \(actual)"
        )
    }

    private func uploadSmallPart(
        _ request: UploadPartRequest,
        _ body: IncomingBody,
        identity: ContentIdentity,
        packer: Packer
    ) async throws(StorageError) -> PartResult {
        let (bytes, digests) = try await readSmall(body)
        guard !bytes.isEmpty else {
            let part = part(request, digests: try await digests.verified(), extents: [])
            let results = try await metadata.commit(
                WriteTransaction(
                    lease: nil,
                    blobs: [],
                    writes: [.part(part, bucket: request.bucket, key: request.key)]
                )
            )
            _ = try results.first?.get()
            return partResult(part.summary, isDegraded: false)
        }
        let result = try await packer.add(
            PackItem(bytes: bytes, identity: identity.object(offset: 0, length: bytes.count)) {
                [self] extents throws(StorageError) in
                let part = part(request, digests: try await digests.verified(), extents: extents)
                return .part(part, bucket: request.bucket, key: request.key)
            }
        )
        guard case .part(let part, _, _) = result.write else {
            throw StorageError(.internalFailure, "A pack's answer was another write's.")
        }
        return partResult(part.summary, isDegraded: result.isDegraded)
    }

    private func part(_ request: UploadPartRequest, digests: ContentDigests, extents: [Extent]) -> PartRecord {
        PartRecord(
            upload: request.upload,
            summary: PartSummary(
                number: request.partNumber,
                eTag: digests.eTag,
                length: request.length,
                modified: time.wall,
                checksum: digests.checksum
            ),
            extents: extents
        )
    }

    private func partResult(_ summary: PartSummary, isDegraded: Bool) -> PartResult {
        PartResult(
            eTag: summary.eTag,
            checksum: summary.checksum,
            modified: summary.modified,
            isDegraded: isDegraded
        )
    }

    package func abortUpload(bucket: String, key: String, upload: UploadID) async throws(StorageError) {
        _ = try await self.bucket(bucket)
        try await metadata.abortUpload(bucket: bucket, key: key, id: upload)
    }

    package func listParts(
        bucket: String,
        key: String,
        upload: UploadID,
        after part: Int,
        limit: Int
    ) async throws(StorageError) -> PartsPage {
        let record = try await openUpload(bucket: bucket, key: key, id: upload)
        let parts = try await metadata.parts(of: upload, after: part, limit: limit + 1)
        return PartsPage(
            upload: record.upload,
            parts: parts.prefix(limit).map(\.summary),
            isTruncated: parts.count > limit
        )
    }
}
