internal import Checksums
internal import Metadata
package import ObjectInterface
internal import ObjectModel
internal import SystemInterface

extension ObjectStore {
    package func completeUpload(_ request: CompleteUploadRequest) async throws(StorageError) -> WriteResult {
        guard !request.parts.isEmpty else {
            throw StorageError(.invalidPart, "You must specify at least one part.")
        }
        guard zip(request.parts, request.parts.dropFirst()).allSatisfy({ $0.number < $1.number }) else {
            throw StorageError(
                .invalidPartOrder,
                "The list of parts was not in ascending order. Parts must be ordered by part number."
            )
        }
        do throws(StorageError) {
            return try await completeOpen(request)
        } catch {
            if let done = try await completedAlready(request, error: error) { return done }
            throw error
        }
    }

    private func completeOpen(_ request: CompleteUploadRequest) async throws(StorageError) -> WriteResult {
        let record = try await openUpload(bucket: request.bucket, key: request.key, id: request.upload)
        let parts = try await chosenParts(request, upload: record.upload)
        try Self.checkLengths(parts, declared: request.objectLength)
        let checksum = try Self.checksum(of: parts, request: request, upload: record.upload)
        let modified = time.wall
        let eTag = Self.eTag(of: parts)
        _ = try await metadata.complete(
            CompleteTransaction(request: request, modified: modified, eTag: eTag, checksum: checksum, parts: parts)
        )
        return WriteResult(eTag: eTag, checksum: checksum, modified: modified)
    }

    /// A repeated completion whose first answer was lost, or that ran beside the first: the object is the one that this
    /// upload became, of these parts. What it was conditional on held then; what it states of the whole must hold now.
    private func completedAlready(
        _ request: CompleteUploadRequest,
        error: StorageError
    ) async throws(StorageError) -> WriteResult? {
        guard error.code == .noSuchUpload,
            let current = try await metadata.version(bucket: request.bucket, key: request.key)?.version,
            current.madeBy == request.upload, try Self.areParts(request.parts, of: current)
        else { return nil }
        try Self.checkLength(current.length, declared: request.objectLength)
        try Self.checkStated(request, madeAlready: current.checksum, of: current.parts)
        return writeResult(current, isDegraded: false)
    }

    private static func areParts(
        _ parts: [CompleteUploadRequest.Part],
        of version: VersionRecord
    ) throws(StorageError) -> Bool {
        guard parts.count == version.parts.count else { return false }
        for (named, made) in zip(parts, version.parts) {
            guard named.number == made.number, named.eTag == made.eTag, try matches(named, made.checksum) else {
                return false
            }
        }
        return true
    }

    /// What a repeated completion says of the whole's checksum.
    private static func checkStated(
        _ request: CompleteUploadRequest,
        madeAlready made: ObjectChecksum?,
        of parts: [PartSummary]
    ) throws(StorageError) {
        guard let made else {
            _ = try stated(request, of: parts)
            return
        }
        try checkKind(made.kind, request)
        try compare(made, request)
    }

    private func chosenParts(
        _ request: CompleteUploadRequest,
        upload: Upload
    ) async throws(StorageError) -> [PartRecord] {
        let stored = try await metadata.parts(of: request.upload, after: 0, limit: Limits.partCount)
        let byNumber = Dictionary(stored.map { ($0.summary.number, $0) }, uniquingKeysWith: { _, last in last })
        var chosen: [PartRecord] = []
        for part in request.parts {
            guard let record = byNumber[part.number], record.summary.eTag == part.eTag,
                try Self.matches(part, record.summary.checksum)
            else {
                // Parts go with their upload, which another completion may have ended since we found it open.
                _ = try await openUpload(bucket: request.bucket, key: request.key, id: request.upload)
                throw StorageError(
                    .invalidPart,
                    "One or more of the specified parts could not be found. The part may not have been "
                        + "uploaded, or the specified entity tag may not match the part's entity tag.",
                    part: StorageError.Part(number: part.number, eTag: part.eTag)
                )
            }
            chosen.append(record)
        }
        return chosen
    }

    /// A checksum by another algorithm than the part's cannot be compared, which AWS answers otherwise than one that
    /// is another part's.
    private static func matches(
        _ part: CompleteUploadRequest.Part,
        _ stored: ObjectChecksum?
    ) throws(StorageError) -> Bool {
        guard let declared = part.checksum else { return true }
        guard stored?.algorithm == declared.algorithm else {
            throw StorageError(
                .badDigest,
                "The \(declared.algorithm.streaming.name.lowercased()) you specified for part \(part.number) did not "
                    + "match what we received."
            )
        }
        return stored?.value == declared.value
    }

    private static func checkLengths(_ parts: [PartRecord], declared: Int?) throws(StorageError) {
        if let small = parts.dropLast().first(where: { $0.summary.length < Limits.minimumPartLength })?.summary {
            throw StorageError(
                .partTooSmall,
                "Your proposed upload is smaller than the minimum allowed object size.",
                part: StorageError.Part(number: small.number, eTag: small.eTag, length: small.length)
            )
        }
        let length = parts.reduce(0) { $0 + $1.summary.length }
        guard length <= Limits.objectLength else {
            throw StorageError(.entityTooLarge, "Your proposed upload exceeds the maximum allowed object size.")
        }
        try checkLength(length, declared: declared)
    }

    private static func checkLength(_ length: Int, declared: Int?) throws(StorageError) {
        if let declared, declared != length {
            throw StorageError(
                .invalidRequest,
                "The provided 'x-amz-mp-object-size' header value \(declared) does not match what "
                    + "was computed: \(length)"
            )
        }
    }

    // MARK: ETag and checksum of the whole

    /// MD5 of the parts' MD5s, `-`, the number of parts: what AWS gives.
    private static func eTag(of parts: [PartRecord]) -> String {
        let digests = parts.flatMap { Hexadecimal.bytes($0.summary.eTag) ?? [] }
        return Hexadecimal.text(MessageDigest.md5.digest(digests)) + "-\(parts.count)"
    }

    private static func checksum(
        of parts: [PartRecord],
        request: CompleteUploadRequest,
        upload: Upload
    ) throws(StorageError) -> ObjectChecksum? {
        guard let algorithm = upload.checksum else {
            return try stated(request, of: parts.map(\.summary))
        }
        try requireConsecutive(request.parts, algorithm)
        let values = values(of: parts.map(\.summary), algorithm)
        guard values.count == parts.count else {
            throw StorageError(
                .invalidRequest,
                "The upload was created using a \(algorithm.streaming.name.lowercased()) checksum, which a part lacks."
            )
        }
        let kind = upload.checksumKind ?? defaultKind(algorithm)
        try checkKind(kind, request)
        let made: ObjectChecksum
        switch kind {
        case .composite:
            try requireChecksums(of: request.parts, algorithm)
            let whole = values.flatMap { $0 }
            made = ObjectChecksum(
                algorithm: algorithm,
                kind: .composite,
                value: whole.withUnsafeBytes { algorithm.streaming.digest($0) },
                partCount: parts.count
            )
        case .fullObject:
            made = ObjectChecksum(
                algorithm: algorithm,
                kind: .fullObject,
                value: try combined(values, parts: parts.map(\.summary), algorithm)
            )
        }
        try compare(made, request)
        return made
    }

    /// What a completion states of an upload that named no algorithm: it is of all bytes, as on AWS, and compared where
    /// the parts came with checksums of which it can be made. That it cannot be is nothing wrong with the bytes.
    private static func stated(
        _ request: CompleteUploadRequest,
        of parts: [PartSummary]
    ) throws(StorageError) -> ObjectChecksum? {
        try checkKind(.fullObject, request)
        guard let declared = request.checksum else { return nil }
        let algorithm = declared.algorithm
        let values = values(of: parts, algorithm)
        guard hasFullObject(algorithm), values.count == parts.count else {
            let name = algorithm.streaming.name.lowercased()
            throw StorageError(
                .invalidRequest,
                "The upload was created without a checksum algorithm, and the \(name) of the whole cannot be made of "
                    + "its parts' checksums. Name the algorithm when the upload is created, or complete it without."
            )
        }
        let made = ObjectChecksum(
            algorithm: algorithm,
            kind: .fullObject,
            value: try combined(values, parts: parts, algorithm)
        )
        try compare(made, request)
        return made
    }

    /// The parts' checksums by an algorithm, without the parts that have none.
    private static func values(of parts: [PartSummary], _ algorithm: ObjectChecksum.Algorithm) -> [[UInt8]] {
        parts.compactMap { $0.checksum?.algorithm == algorithm ? $0.checksum?.value : nil }
    }

    /// Those whose checksum of all bytes can be made of the parts'.
    private static func hasFullObject(_ algorithm: ObjectChecksum.Algorithm) -> Bool {
        switch algorithm {
        case .crc32, .crc32c, .crc64nvme: true
        default: false
        }
    }

    private static func checkKind(
        _ kind: ObjectChecksum.Kind,
        _ request: CompleteUploadRequest
    ) throws(StorageError) {
        guard request.checksumKind.map({ $0 == kind }) ?? true else {
            let mode = kind == .fullObject ? "FULL_OBJECT" : "COMPOSITE"
            throw StorageError(
                .badDigest,
                "The upload was created using the \(mode) checksum mode. The complete request must use the same "
                    + "checksum mode."
            )
        }
    }

    /// The checksum of the whole with what the completion states of it.
    private static func compare(_ made: ObjectChecksum, _ request: CompleteUploadRequest) throws(StorageError) {
        let isOfThese = request.checksumParts.map { made.kind == .composite && $0 == made.partCount } ?? true
        if let declared = request.checksum,
            declared.algorithm != made.algorithm || declared.value != made.value || !isOfThese
        {
            throw StorageError(
                .badDigest,
                "The \(made.algorithm.streaming.name) you specified did not match the calculated checksum."
            )
        }
    }

    /// A composite checksum proves nothing to a client that did not say of which parts' it is to be made (AWS).
    private static func requireChecksums(
        of parts: [CompleteUploadRequest.Part],
        _ algorithm: ObjectChecksum.Algorithm
    ) throws(StorageError) {
        guard let part = parts.first(where: { $0.checksum == nil }) else { return }
        throw StorageError(
            .invalidRequest,
            "The upload was created using a \(algorithm.streaming.name.lowercased()) checksum. The complete request "
                + "must include the checksum for each part. It was missing for part \(part.number) in the request."
        )
    }

    /// AWS refuses gaps where the parts have checksums: such parts are listed by number, and read by their place.
    private static func requireConsecutive(
        _ parts: [CompleteUploadRequest.Part],
        _ algorithm: ObjectChecksum.Algorithm
    ) throws(StorageError) {
        // AWS names all algorithms but this one.
        guard algorithm != .crc64nvme else { return }
        guard zip(parts, 1...).allSatisfy({ $0.number == $1 }) else {
            throw StorageError(
                .invalidPartOrder,
                "The upload was created using a \(algorithm.streaming.name.lowercased()) checksum. "
                    + "Its part numbers must start at 1 and be consecutive."
            )
        }
    }

    /// AWS: CRC64NVME is always of the full object; the others are composite unless asked otherwise.
    static func defaultKind(_ algorithm: ObjectChecksum.Algorithm) -> ObjectChecksum.Kind {
        algorithm == .crc64nvme ? .fullObject : .composite
    }

    private static func combined(
        _ values: [[UInt8]],
        parts: [PartSummary],
        _ algorithm: ObjectChecksum.Algorithm
    ) throws(StorageError) -> [UInt8] {
        guard var whole = values.first else { return [] }
        for (value, part) in zip(values, parts).dropFirst() {
            guard let next = algorithm.streaming.combine(whole, value, secondLength: part.length) else {
                throw StorageError(
                    .invalidArgument,
                    "The \(algorithm.streaming.name) algorithm has no full-object checksum of parts."
                )
            }
            whole = next
        }
        return whole
    }
}
