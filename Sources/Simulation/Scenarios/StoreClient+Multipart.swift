import ObjectInterface
import ObjectModel
import ObjectStorage
import SystemInterface
import TestKit

/// Multipart uploads and copies.
extension StoreClient {
    /// One part.
    func multipart(_ key: String, _ value: WrittenValue) async throws {
        try await write(key, value) { objects in
            let upload = try await Self.createUpload(key, in: objects)
            let part = try await Self.uploadPart(1, of: upload, key, value.bytes, in: objects)
            try await Self.complete(upload, key, [part], in: objects)
        }
    }

    /// A part that is sent twice counts as it was sent last; one that is not named is dropped.
    func multipartOfTwo(_ key: String, _ value: WrittenValue, second length: Int) async throws {
        let isLarge = value.number % 16 == 0
        let value = isLarge ? WrittenValue(number: value.number, length: WrittenValue.split + length) : value
        try await write(key, value) { objects in
            let upload = try await Self.createUpload(key, in: objects)
            let bytes = value.bytes
            let split = isLarge ? WrittenValue.split : bytes.count
            _ = try await Self.uploadPart(1, of: upload, key, Array(repeating: 7, count: length), in: objects)
            let other = try await Self.uploadPart(2, of: upload, key, Array(bytes[split...]), in: objects)
            let first = try await Self.uploadPart(1, of: upload, key, Array(bytes[..<split]), in: objects)
            try await Self.complete(upload, key, isLarge ? [first, other] : [first], in: objects)
        }
    }

    /// An upload that is begun, and aborted or left alone, changes nothing.
    func abandonUpload(_ key: String, _ value: WrittenValue, aborts: Bool) async throws {
        let outcome = await server.use { objects in
            await Self.outcome {
                let upload = try await Self.createUpload(key, in: objects)
                _ = try await Self.uploadPart(1, of: upload, key, value.bytes, in: objects)
                guard aborts else { return }
                try await objects.abortUpload(bucket: Self.bucket, key: key, upload: upload)
            }
        }
        guard case .failed(let error) = outcome, error.code != .unknownOutcome, !Self.isRefusal(error) else { return }
        throw BrokenPromise("an upload to \(key): \(error)", subject: key)
    }

    func copy(from source: String, to key: String) async throws {
        guard let value = try await value(toCopy: source, to: key) else { return }
        try await write(key, value) { objects in
            _ = try await objects.copy(
                CopyRequest(
                    sourceBucket: Self.bucket,
                    sourceKey: source,
                    bucket: Self.bucket,
                    key: key,
                    owner: Self.owner
                )
            )
        }
    }

    func copyPart(from source: String, to key: String) async throws {
        guard let value = try await value(toCopy: source, to: key), value.length > 0 else { return }
        try await write(key, value) { objects in
            let upload = try await Self.createUpload(key, in: objects)
            let part = try await objects.copyPart(
                CopyPartRequest(
                    sourceBucket: Self.bucket,
                    sourceKey: source,
                    bucket: Self.bucket,
                    key: key,
                    upload: upload,
                    partNumber: 1
                )
            )
            let named = CompleteUploadRequest.Part(number: 1, eTag: part.eTag)
            try await Self.complete(upload, key, [named], in: objects)
        }
    }

    /// What an own key holds: only its one client, this one, could change it meanwhile. Nil when there is nothing to
    /// copy, or when only a read can tell and the server died in it.
    private func value(toCopy source: String, to key: String) async throws -> WrittenValue? {
        guard source != key else { return nil }
        try await read(source, range: nil)
        return oracle.settledValue(source) ?? nil
    }

    // MARK: Steps

    private static func createUpload(_ key: String, in objects: ObjectStore) async throws -> UploadID {
        try await objects.createUpload(
            CreateUploadRequest(bucket: bucket, key: key, owner: owner, attributes: ObjectAttributes())
        ).id
    }

    private static func uploadPart(
        _ number: Int,
        of upload: UploadID,
        _ key: String,
        _ bytes: [UInt8],
        in objects: ObjectStore
    ) async throws -> CompleteUploadRequest.Part {
        let request = UploadPartRequest(
            bucket: bucket,
            key: key,
            upload: upload,
            partNumber: number,
            length: bytes.count
        )
        let part = try await objects.uploadPart(request, body: MemoryBody(bytes))
        return CompleteUploadRequest.Part(number: number, eTag: part.eTag)
    }

    private static func complete(
        _ upload: UploadID,
        _ key: String,
        _ parts: [CompleteUploadRequest.Part],
        in objects: ObjectStore
    ) async throws {
        _ = try await objects.completeUpload(
            CompleteUploadRequest(bucket: bucket, key: key, upload: upload, parts: parts)
        )
    }
}
