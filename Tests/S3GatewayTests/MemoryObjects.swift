import Checksums
import LinuxSystem
import ObjectInterface
import ObjectModel
import Synchronization
import SystemInterface

/// An `ObjectService` in memory: enough of S3's semantics that a gateway can be tested against it.
final class MemoryObjects: ObjectService {
    struct StoredPart: Sendable {
        var bytes: [UInt8]
        var summary: PartSummary
    }

    struct StoredObject: Sendable {
        var bytes: [UInt8]
        var summary: ObjectSummary
    }

    struct State: Sendable {
        var buckets: [String: Bucket] = [:]
        /// By bucket and key, in order of the keys' bytes.
        var objects: [String: [String: StoredObject]] = [:]
        var uploads: [String: Upload] = [:]
        var parts: [String: [Int: StoredPart]] = [:]
        var nextUpload = 1
        var failure: StorageError?
        /// Bodies can be read up to here.
        var damagedFrom = Int.max
        var copyTakes = Duration.zero
    }

    /// Copies wait for so long.
    func slowCopies(_ duration: Duration) { state.withLock { $0.copyTakes = duration } }

    func damage(from offset: Int) { state.withLock { $0.damagedFrom = offset } }

    let state = Mutex(State())
    static let now = WallTime(milliseconds: 1_700_000_000_123)

    /// What is stored, byte for byte: a test's proof that nothing was touched.
    func snapshot() -> [String: [UInt8]] {
        state.withLock { state in
            var all: [String: [UInt8]] = [:]
            for (bucket, objects) in state.objects {
                for (key, object) in objects { all[bucket + "/" + key] = object.bytes }
            }
            return all
        }
    }

    func fail(with error: StorageError?) { state.withLock { $0.failure = error } }

    private func with<Value: Sendable>(
        _ body: (inout sending State) throws(StorageError) -> Value
    ) throws(StorageError) -> Value {
        try state.withLock { (state) throws(StorageError) in
            if let failure = state.failure { throw failure }
            return try body(&state)
        }
    }

    // MARK: Buckets

    func createBucket(_ name: String, owner: UserID, region: String) async throws(StorageError) {
        try with { (state) throws(StorageError) in
            if let existing = state.buckets[name] {
                throw StorageError(existing.owner == owner ? .bucketOwnedByYou : .bucketExists, "")
            }
            state.buckets[name] = Bucket(name: name, owner: owner, region: region, created: Self.now)
            state.objects[name] = [:]
        }
    }

    func deleteBucket(_ name: String) async throws(StorageError) {
        try with { (state) throws(StorageError) in
            guard state.buckets[name] != nil else { throw StorageError(.noSuchBucket, "") }
            guard state.objects[name]?.isEmpty != false else { throw StorageError(.bucketNotEmpty, "") }
            state.buckets[name] = nil
        }
    }

    func bucket(_ name: String) async throws(StorageError) -> Bucket {
        try with { (state) throws(StorageError) in
            guard let bucket = state.buckets[name] else { throw StorageError(.noSuchBucket, "") }
            return bucket
        }
    }

    func listBuckets(owner: UserID) async throws(StorageError) -> [Bucket] {
        try with { $0.buckets.values.filter { $0.owner == owner }.sorted { $0.name < $1.name } }
    }

    // MARK: Objects

    private static func collect(_ body: any BodyReader) async throws(StorageError) -> [UInt8] {
        let buffer = AlignedBuffer(capacity: 64 << 10)
        var bytes: [UInt8] = []
        do {
            while true {
                let count = try await body.read(into: buffer, at: 0, count: 60_001)
                if count == 0 { return bytes }
                bytes.append(contentsOf: buffer.slice(0..<count).copied())
            }
        } catch {
            throw (error as? StorageError) ?? StorageError(.incompleteBody, "")
        }
    }

    private static func check(
        _ bytes: [UInt8],
        md5: [UInt8]?,
        _ request: ChecksumRequest,
        _ body: any BodyReader
    ) throws(StorageError) -> ObjectChecksum? {
        if let md5, MessageDigest.md5.digest(bytes) != md5 { throw StorageError(.badDigest, "") }
        let stated: DeclaredChecksum
        switch request {
        case .none: return nil
        case .computed(let algorithm):
            return ObjectChecksum(algorithm: algorithm, kind: .fullObject, value: digest(bytes, algorithm))
        case .declared(let declared): stated = declared
        case .trailing:
            guard let trailing = body.trailingChecksum() else { throw StorageError(.badDigest, "no trailer") }
            stated = trailing
        }
        guard digest(bytes, stated.algorithm) == stated.value else { throw StorageError(.badDigest, "checksum") }
        return ObjectChecksum(algorithm: stated.algorithm, kind: .fullObject, value: stated.value)
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

    func put(_ request: PutRequest, body: any BodyReader) async throws(StorageError) -> WriteResult {
        let bytes = try await Self.collect(body)
        let checksum = try Self.check(bytes, md5: request.contentMD5, request.checksum, body)
        let eTag = Hexadecimal.text(MessageDigest.md5.digest(bytes))
        try with { (state) throws(StorageError) in
            try Self.require(request.condition, state.objects[request.bucket]?[request.key])
            state.objects[request.bucket]?[request.key] = StoredObject(
                bytes: bytes,
                summary: ObjectSummary(
                    key: request.key,
                    owner: request.owner,
                    length: bytes.count,
                    eTag: eTag,
                    modified: Self.now,
                    attributes: Self.labelled(request.attributes),
                    checksum: checksum,
                    tags: request.tags
                )
            )
        }
        return WriteResult(eTag: eTag, checksum: checksum, modified: Self.now)
    }

    private static func require(_ condition: WriteCondition, _ object: StoredObject?) throws(StorageError) {
        switch condition {
        case .none: return
        case .isAbsent: if object != nil { throw StorageError(.preconditionFailed, "") }
        case .matches(let eTag):
            guard let object else { throw StorageError(.noSuchKey, "") }
            if object.summary.eTag != eTag { throw StorageError(.preconditionFailed, "") }
        case .differs(let eTag): if object?.summary.eTag == eTag { throw StorageError(.preconditionFailed, "") }
        }
    }

    func get(_ request: GetRequest) async throws(StorageError) -> GetResult {
        try with { (state) throws(StorageError) in
            guard let object = state.objects[request.bucket]?[request.key] else { throw StorageError(.noSuchKey, "") }
            if case .id = request.version { throw StorageError(.noSuchVersion, "") }
            let eTag = object.summary.eTag
            let conditions = request.conditions
            if let match = conditions.ifMatch, !match.contains(eTag), !match.contains("*") {
                throw StorageError(.preconditionFailed, "")
            }
            if let none = conditions.ifNoneMatch, none.contains(eTag) || none.contains("*") {
                throw StorageError(.notModified, "")
            }
            var range = 0..<object.bytes.count
            let asked = request.range(ofVersion: eTag, modified: object.summary.modified)
            if let asked {
                guard let resolved = asked.resolved(length: object.bytes.count) else {
                    throw StorageError(.invalidRange, "")
                }
                range = resolved
            }
            if let part = request.partNumber, part != 1 { throw StorageError(.invalidRange, "") }
            let isPartial = asked != nil || (request.partNumber != nil && !object.bytes.isEmpty)
            let body = request.isHead ? nil : MemoryBody(Array(object.bytes[range]), damagedFrom: state.damagedFrom)
            return GetResult(object: object.summary, range: range, isPartial: isPartial, body: body)
        }
    }

    func delete(_ request: DeleteRequest) async throws(StorageError) -> DeleteResult {
        try with { (state) throws(StorageError) in
            if case .id = request.version { return DeleteResult(existed: false) }
            if request.condition != .none {
                try Self.require(request.condition, state.objects[request.bucket]?[request.key])
            }
            return DeleteResult(existed: state.objects[request.bucket]?.removeValue(forKey: request.key) != nil)
        }
    }

    func deleteMany(
        bucket: String,
        _ entries: [DeleteRequest]
    ) async throws(StorageError) -> [Result<DeleteResult, StorageError>] {
        var results: [Result<DeleteResult, StorageError>] = []
        for entry in entries {
            do throws(StorageError) { results.append(.success(try await delete(entry))) } catch {
                results.append(.failure(error))
            }
        }
        return results
    }

    func copy(_ request: CopyRequest) async throws(StorageError) -> WriteResult {
        try? await LinuxTime().sleep(for: state.withLock { $0.copyTakes })
        return try with { (state) throws(StorageError) in
            guard var object = state.objects[request.sourceBucket]?[request.sourceKey] else {
                throw StorageError(.noSuchKey, "")
            }
            if let match = request.sourceConditions.ifMatch, !match.contains(object.summary.eTag) {
                throw StorageError(.preconditionFailed, "")
            }
            if let attributes = request.attributes { object.summary.attributes = attributes }
            if let tags = request.tags { object.summary.tags = tags }
            object.summary.key = request.key
            object.summary.attributes.storageClass = request.storageClass
            object.summary.attributes = Self.labelled(object.summary.attributes)
            state.objects[request.bucket]?[request.key] = object
            return WriteResult(eTag: object.summary.eTag, modified: Self.now)
        }
    }

    func putTags(bucket: String, key: String, version: VersionSelector, tags: [ObjectTag]) async throws(StorageError) {
        try with { (state) throws(StorageError) in
            guard state.objects[bucket]?[key] != nil else { throw StorageError(.noSuchKey, "") }
            state.objects[bucket]?[key]?.summary.tags = tags
        }
    }

    // MARK: Lists

    func list(_ request: ListRequest) async throws(StorageError) -> ListPage {
        try with { (state) throws(StorageError) in
            let keys = (state.objects[request.bucket] ?? [:]).keys
                .filter { $0.utf8.starts(with: request.prefix.utf8) }
                .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            var entries: [ListPage.Entry] = []
            for key in keys {
                var name = key
                var entry = state.objects[request.bucket]?[key].map { ListPage.Entry.object($0.summary) }
                let rest = key.dropFirst(request.prefix.count)
                if !request.delimiter.isEmpty, let found = rest.firstRange(of: request.delimiter) {
                    name = request.prefix + rest[..<found.upperBound]
                    entry = .commonPrefix(name)
                }
                guard request.after.utf8.lexicographicallyPrecedes(name.utf8), entries.last?.name != name else {
                    continue
                }
                if let entry { entries.append(entry) }
            }
            if request.limit == 0 { return ListPage(entries: [], isTruncated: false) }
            return ListPage(entries: Array(entries.prefix(request.limit)), isTruncated: entries.count > request.limit)
        }
    }

    func listUploads(_ request: ListUploadsRequest) async throws(StorageError) -> ListUploadsPage {
        try with { (state) throws(StorageError) in
            let uploads = state.uploads.values.filter { $0.bucket == request.bucket && $0.key > request.keyMarker }
                .sorted { ($0.key, $0.id.text) < ($1.key, $1.id.text) }
            let page = Array(uploads.prefix(request.limit))
            return ListUploadsPage(
                uploads: page,
                commonPrefixes: [],
                isTruncated: uploads.count > page.count,
                nextKeyMarker: page.last?.key ?? "",
                nextUploadMarker: page.last?.id.text ?? ""
            )
        }
    }

    /// As a store without classes does.
    private static func labelled(_ attributes: ObjectAttributes) -> ObjectAttributes {
        var attributes = attributes
        if attributes.storageClass == ObjectAttributes.storageClassNotSaid {
            attributes.storageClass = ObjectAttributes.defaultStorageClass
        }
        return attributes
    }

    // MARK: Multipart

    func createUpload(_ request: CreateUploadRequest) async throws(StorageError) -> Upload {
        try with { (state) throws(StorageError) in
            let upload = Upload(
                id: UploadID("upload-\(state.nextUpload)"),
                bucket: request.bucket,
                key: request.key,
                owner: request.owner,
                created: Self.now,
                attributes: Self.labelled(request.attributes),
                checksum: request.checksum,
                checksumKind: request.checksumKind
            )
            state.nextUpload += 1
            state.uploads[upload.id.text] = upload
            state.parts[upload.id.text] = [:]
            return upload
        }
    }

    func uploadPart(_ request: UploadPartRequest, body: any BodyReader) async throws(StorageError) -> PartResult {
        let bytes = try await Self.collect(body)
        let checksum = try Self.check(bytes, md5: request.contentMD5, request.checksum, body)
        return try store(bytes, checksum, request.upload, request.partNumber)
    }

    private func store(
        _ bytes: [UInt8],
        _ checksum: ObjectChecksum?,
        _ upload: UploadID,
        _ number: Int
    ) throws(StorageError) -> PartResult {
        let eTag = Hexadecimal.text(MessageDigest.md5.digest(bytes))
        try with { (state) throws(StorageError) in
            guard state.uploads[upload.text] != nil else { throw StorageError(.noSuchUpload, "") }
            state.parts[upload.text]?[number] = StoredPart(
                bytes: bytes,
                summary: PartSummary(
                    number: number,
                    eTag: eTag,
                    length: bytes.count,
                    modified: Self.now,
                    checksum: checksum
                )
            )
        }
        return PartResult(eTag: eTag, checksum: checksum, modified: Self.now)
    }

    func copyPart(_ request: CopyPartRequest) async throws(StorageError) -> PartResult {
        let bytes = try with { (state) throws(StorageError) in
            guard let object = state.objects[request.sourceBucket]?[request.sourceKey] else {
                throw StorageError(.noSuchKey, "")
            }
            guard let range = request.sourceRange else { return object.bytes }
            guard range.upperBound < object.bytes.count else { throw StorageError(.invalidRange, "") }
            return Array(object.bytes[range])
        }
        return try store(bytes, nil, request.upload, request.partNumber)
    }

    func completeUpload(_ request: CompleteUploadRequest) async throws(StorageError) -> WriteResult {
        try with { (state) throws(StorageError) in
            guard let upload = state.uploads[request.upload.text], let parts = state.parts[request.upload.text] else {
                throw StorageError(.noSuchUpload, "")
            }
            var bytes: [UInt8] = []
            for part in request.parts {
                guard let stored = parts[part.number], stored.summary.eTag == part.eTag else {
                    throw StorageError(.invalidPart, "", part: .init(number: part.number, eTag: part.eTag))
                }
                bytes += stored.bytes
            }
            let eTag = Hexadecimal.text(MessageDigest.md5.digest(bytes)) + "-\(request.parts.count)"
            state.objects[upload.bucket]?[upload.key] = StoredObject(
                bytes: bytes,
                summary: ObjectSummary(
                    key: upload.key,
                    owner: upload.owner,
                    length: bytes.count,
                    eTag: eTag,
                    modified: Self.now,
                    attributes: upload.attributes
                )
            )
            state.uploads[request.upload.text] = nil
            return WriteResult(eTag: eTag, modified: Self.now)
        }
    }

    func abortUpload(bucket: String, key: String, upload: UploadID) async throws(StorageError) {
        try with { (state) throws(StorageError) in
            guard state.uploads.removeValue(forKey: upload.text) != nil else { throw StorageError(.noSuchUpload, "") }
        }
    }

    func listParts(
        bucket: String,
        key: String,
        upload: UploadID,
        after part: Int,
        limit: Int
    ) async throws(StorageError) -> PartsPage {
        try with { (state) throws(StorageError) in
            guard let found = state.uploads[upload.text] else { throw StorageError(.noSuchUpload, "") }
            let parts = (state.parts[upload.text] ?? [:]).values.map(\.summary).filter { $0.number > part }
                .sorted { $0.number < $1.number }
            return PartsPage(upload: found, parts: Array(parts.prefix(limit)), isTruncated: parts.count > limit)
        }
    }
}

/// Bytes in memory, given out in pieces.
final class MemoryBody: ObjectBody {
    let length: Int
    private let rest: Mutex<ArraySlice<UInt8>>
    /// From here on nothing can be read.
    private let damagedFrom: Int

    init(_ bytes: [UInt8], damagedFrom: Int = .max) {
        length = bytes.count
        self.damagedFrom = damagedFrom
        rest = Mutex(bytes[...])
    }

    func next() async throws -> BufferSlice? {
        let piece = try rest.withLock { rest -> [UInt8]? in
            if length - rest.count >= damagedFrom { throw StorageError(.unreadable, "3 good shards, 4 needed") }
            guard !rest.isEmpty else { return nil }
            let piece = Array(rest.prefix(700_000))
            rest = rest.dropFirst(piece.count)
            return piece
        }
        return piece.map { BufferSlice(copying: $0) }
    }
}

/// Two users with fixed keys.
struct MemoryCredentials: CredentialDirectory {
    static let alice = Credential(
        user: UserID("a11ce"),
        displayName: "alice",
        accessKey: "AKALICE",
        secretKey: "alice-secret-key"
    )
    static let bob = Credential(
        user: UserID("b0b"),
        displayName: "bob",
        accessKey: "AKBOB",
        secretKey: "bob-secret-key"
    )

    func credential(forAccessKey accessKey: String) async -> Credential? {
        [Self.alice, Self.bob].first { $0.accessKey == accessKey }
    }

    func displayName(of user: UserID) async -> String? {
        [Self.alice, Self.bob].first { $0.user == user }?.displayName
    }
}
