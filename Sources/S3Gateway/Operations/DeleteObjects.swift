import Checksums
import Crypto
import ObjectInterface
import ObjectModel
import S3Protocol

extension S3Call {
    /// `POST /bucket?delete`: up to 1,000 keys, each with its own outcome.
    func deleteObjects() async throws(S3Error) -> S3Response {
        let document = try await verifiedDocument(requiresDigest: true)
        let request = try DeleteObjectsBody(document)
        let known = request.entries.filter { $0.versionID.map(ObjectParameters.isVersionID) ?? true }
        let entries = known.map { entry in
            DeleteRequest(
                bucket: target.bucket,
                key: entry.key,
                version: Self.selector(entry.versionID),
                condition: entry.eTag.map { .matches($0) } ?? .none
            )
        }
        let results = try await store { () throws(StorageError) in
            try await objects.deleteMany(bucket: target.bucket, entries)
        }
        var outcomes = results.makeIterator()

        var xml = XMLWriter(capacity: 512 + entries.count * 128)
        xml.openRoot("DeleteResult")
        for entry in request.entries {
            guard entry.versionID.map(ObjectParameters.isVersionID) ?? true else {
                xml.failed(entry, S3Error(.noSuchVersion))
                continue
            }
            switch outcomes.next() {
            case .success?:
                if !request.isQuiet { xml.deleted(entry) }
            case .failure(let error)?: xml.failed(entry, S3Error(error, of: self))
            case nil: xml.failed(entry, S3Error(.internalError))
            }
        }
        xml.close("DeleteResult")
        return .xml(xml.bytes)
    }

    /// Bytes of a document that is no completion's list of parts: room for 1,000 keys of 1,024 bytes with escapes.
    private static let documentLimit = 2 << 20

    /// A request document of which Content-MD5 is right, when it has one.
    func document(limit: Int = documentLimit) async throws(S3Error) -> [UInt8] {
        let md5 = try ChecksumHeaders.contentMD5(headers)
        let document = try await body.collect(limit: limit)
        if let md5, !Insecure.MD5.hash(data: document).elementsEqual(md5) { throw S3Error(.badDigest) }
        return document
    }

    /// A request document with all its digests checked. S3 wants one of Content-MD5 and `x-amz-checksum-*` where it
    /// cannot be undone.
    func verifiedDocument(requiresDigest: Bool = false) async throws(S3Error) -> [UInt8] {
        let declared = try ChecksumHeaders.declaration(headers, hasTrailer: hasTrailer)
        if requiresDigest, declared == .none, try ChecksumHeaders.contentMD5(headers) == nil {
            throw S3Error(
                .invalidRequest,
                "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"
            )
        }
        let document = try await document()
        var stated: ChecksumHeaders.Value?
        if case .value(let value) = declared { stated = value }
        if let trailing = body.trailingChecksum() {
            stated = ChecksumHeaders.Value(algorithm: trailing.algorithm, digest: trailing.value)
        }
        if let stated, Self.digest(document, stated.algorithm) != stated.digest {
            let name = ChecksumHeaders.name(stated.algorithm)
            throw S3Error(.badDigest, "The \(name) you specified did not match the calculated checksum.")
        }
        return document
    }

    private static func digest(_ bytes: [UInt8], _ algorithm: ObjectChecksum.Algorithm) -> [UInt8] {
        let known: ChecksumAlgorithm =
            switch algorithm {
            case .crc32: .crc32
            case .crc32c: .crc32c
            case .crc64nvme: .crc64nvme
            case .sha1: .sha1
            case .sha256: .sha256
            case .sha512: .sha512
            case .md5: .md5
            case .xxhash64: .xxhash64
            case .xxhash3: .xxhash3
            case .xxhash128: .xxhash128
            }
        return bytes.withUnsafeBytes { known.digest($0) }
    }
}

extension XMLWriter {
    fileprivate mutating func deleted(_ entry: DeleteObjectsBody.Entry) {
        open("Deleted")
        element("Key", entry.key)
        if let version = entry.versionID { element("VersionId", version) }
        close("Deleted")
    }

    fileprivate mutating func failed(_ entry: DeleteObjectsBody.Entry, _ error: S3Error) {
        open("Error")
        element("Key", entry.key)
        if let version = entry.versionID { element("VersionId", version) }
        element("Code", error.code.name)
        element("Message", error.message)
        close("Error")
    }
}
