import Checksums
import Coordination
import Metadata
import ObjectInterface
import ObjectModel
import SystemInterface
import TestKit
import Testing

@Suite("Multipart uploads")
struct StoreMultipartTests {
    static let bucket = StoreHarness.bucket

    private static func upload(
        _ store: StoreHarness,
        _ key: String = "k",
        checksum: ObjectChecksum.Algorithm? = nil,
        kind: ObjectChecksum.Kind? = nil
    ) async throws -> Upload {
        try await store.objects.createUpload(
            CreateUploadRequest(
                bucket: bucket,
                key: key,
                owner: StoreHarness.owner,
                attributes: ObjectAttributes(contentType: "a/b"),
                checksum: checksum,
                checksumKind: kind
            )
        )
    }

    private static func put(
        _ store: StoreHarness,
        _ upload: Upload,
        _ number: Int,
        _ bytes: [UInt8],
        statesChecksum: Bool = true,
        checksum: ChecksumRequest? = nil
    ) async throws -> CompleteUploadRequest.Part {
        let stated = statesChecksum ? upload.checksum : nil
        let result = try await store.objects.uploadPart(
            UploadPartRequest(
                bucket: bucket,
                key: upload.key,
                upload: upload.id,
                partNumber: number,
                length: bytes.count,
                checksum: checksum ?? stated.map {
                    .declared(DeclaredChecksum(algorithm: $0, value: Content.checksum(bytes, $0)))
                } ?? .none
            ),
            body: ArrayBody(bytes)
        )
        let checksum = result.checksum.map { DeclaredChecksum(algorithm: $0.algorithm, value: $0.value) }
        return CompleteUploadRequest.Part(number: number, eTag: result.eTag, checksum: checksum)
    }

    private static func complete(
        _ store: StoreHarness,
        _ upload: Upload,
        _ parts: [CompleteUploadRequest.Part],
        stating change: (inout CompleteUploadRequest) -> Void = { _ in }
    ) async throws -> WriteResult {
        var request = CompleteUploadRequest(bucket: bucket, key: upload.key, upload: upload.id, parts: parts)
        change(&request)
        return try await store.objects.completeUpload(request)
    }

    @Test("parts in any order become one object, with AWS's ETag")
    func parts() async throws {
        let store = try await StoreHarness.open()
        let contents = [Content.random(5 << 20), Content.compressible(6 << 20), Content.random(1_234)]
        let upload = try await Self.upload(store)
        var parts: [CompleteUploadRequest.Part] = []
        for index in [2, 0, 1] {
            parts.append(try await Self.put(store, upload, [3, 7, 10_000][index], contents[index]))
        }
        // The last attempt at a part counts.
        parts[1] = try await Self.put(store, upload, 3, Content.random(5 << 20, seed: 99))
        parts[1] = try await Self.put(store, upload, 3, contents[0])
        #expect(await code(of: { _ = try await Self.complete(store, upload, parts) }) == .invalidPartOrder)
        parts.sort { $0.number < $1.number }
        let result = try await Self.complete(store, upload, parts)
        let digests = contents.flatMap { MessageDigest.md5.digest($0) }
        #expect(result.eTag == Hexadecimal.text(MessageDigest.md5.digest(digests)) + "-3")
        #expect(try await store.holds("k", contents.flatMap { $0 }))
        for (index, content) in contents.enumerated() {
            let isSame = try await store.get("k", part: index + 1) == content
            #expect(isSame, "part \(index + 1)")
        }
        let whole = contents.flatMap { $0 }
        let across = ByteRange.closed((5 << 20) - 100, (11 << 20) + 100)
        #expect(try await store.holds("k", whole[((5 << 20) - 100)...((11 << 20) + 100)], range: across))
        #expect(try await store.head("k").attributes.contentType == "a/b")
        // A repeated completion, whose first answer was lost, says the same.
        #expect(try await Self.complete(store, upload, parts).eTag == result.eTag)
        try await store.close()
    }

    @Test("completions of one upload that run side by side all say the same")
    func completedSideBySide() async throws {
        let store = try await StoreHarness.open()
        for _ in 1...5 {
            let upload = try await Self.upload(store)
            let parts = [try await Self.put(store, upload, 1, Content.random(100))]
            let results = try await withThrowingTaskGroup(of: WriteResult.self) { group in
                for _ in 1...8 { group.addTask { try await Self.complete(store, upload, parts) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(results.count == 8 && Set(results.map(\.eTag)).count == 1)
        }
        try await store.close()
    }

    /// Found by a hunt: completions of uploads that were aborted or never issued said that they had been done.
    @Test("a completion is answered again for the upload that the object was made by, and for no other")
    func completedByAnother() async throws {
        let store = try await StoreHarness.open()
        let bytes = Content.random(100)
        let made = try await Self.upload(store)
        let parts = [try await Self.put(store, made, 1, bytes)]
        let result = try await Self.complete(store, made, parts)
        // Of the same bytes, so with the same ETag.
        let aborted = try await Self.upload(store)
        #expect(try await Self.put(store, aborted, 1, bytes).eTag == parts[0].eTag)
        try await store.objects.abortUpload(bucket: Self.bucket, key: "k", upload: aborted.id)
        var unknown = made
        unknown.id = UploadID(String(repeating: "0", count: made.id.text.utf8.count))
        for upload in [aborted, unknown] {
            for condition in [WriteCondition.none, .isAbsent] {
                let refusal = await code(of: {
                    _ = try await Self.complete(store, upload, parts) { $0.condition = condition }
                })
                #expect(refusal == .noSuchUpload)
            }
        }
        let moved = [CompleteUploadRequest.Part(number: 5, eTag: parts[0].eTag)]
        #expect(await code(of: { _ = try await Self.complete(store, made, moved) }) == .noSuchUpload)
        // What it was conditional on held when it was done.
        #expect(try await Self.complete(store, made, parts) { $0.condition = .isAbsent }.eTag == result.eTag)
        // The object stays the same one with other tags, and over a crash.
        try await store.objects.putTags(
            bucket: Self.bucket,
            key: "k",
            version: .current,
            tags: [ObjectTag(key: "a", value: "b")]
        )
        try await store.crash()
        #expect(try await Self.complete(store, made, parts).eTag == result.eTag)
        // A copy is another one, onto itself as well.
        _ = try await store.objects.copy(
            CopyRequest(
                sourceBucket: Self.bucket,
                sourceKey: "k",
                bucket: Self.bucket,
                key: "k",
                owner: StoreHarness.owner,
                attributes: ObjectAttributes(contentType: "c/d")
            )
        )
        #expect(try await store.head("k").eTag == result.eTag)
        #expect(await code(of: { _ = try await Self.complete(store, made, parts) }) == .noSuchUpload)
        try await store.close()
    }

    @Test("a completion that is repeated is compared with the object in what it states")
    func repeatedWithOtherStatements() async throws {
        let store = try await StoreHarness.open()
        let bytes = Content.random(100)
        let upload = try await Self.upload(store, checksum: .crc32, kind: .fullObject)
        let parts = [try await Self.put(store, upload, 1, bytes)]
        let made = try #require(try await Self.complete(store, upload, parts).checksum)
        let cases: [(StorageError.Code, (inout CompleteUploadRequest) -> Void)] = [
            (.badDigest, { $0.checksum = DeclaredChecksum(algorithm: .crc32, value: [1, 2, 3, 4]) }),
            (.badDigest, { $0.checksumKind = .composite }),
            (.invalidRequest, { $0.objectLength = 1 }),
        ]
        for (expected, change) in cases {
            #expect(await code(of: { _ = try await Self.complete(store, upload, parts, stating: change) }) == expected)
        }
        let again = try await Self.complete(store, upload, parts) {
            $0.checksum = DeclaredChecksum(algorithm: .crc32, value: made.value)
            $0.checksumKind = .fullObject
            $0.objectLength = bytes.count
        }
        #expect(again.checksum == made)
        try await store.close()
    }

    @Test("parts that are missing, wrong or too small are refused")
    func refusals() async throws {
        let store = try await StoreHarness.open()
        let upload = try await Self.upload(store)
        let first = try await Self.put(store, upload, 1, Content.random(100))
        let second = try await Self.put(store, upload, 2, Content.random(101))
        do {
            _ = try await Self.complete(store, upload, [first, second])
            Issue.record("it was completed")
        } catch let error as StorageError {
            #expect(error.code == .partTooSmall)
            #expect(error.part == StorageError.Part(number: 1, eTag: first.eTag, length: 100))
        }
        #expect(await code(of: { _ = try await Self.complete(store, upload, []) }) == .invalidPart)
        var wrong = first
        wrong.eTag = second.eTag
        do {
            _ = try await Self.complete(store, upload, [wrong])
            Issue.record("it was completed")
        } catch let error as StorageError {
            #expect(error.code == .invalidPart)
            #expect(error.part == StorageError.Part(number: 1, eTag: second.eTag))
        }
        try await store.objects.abortUpload(bucket: Self.bucket, key: "k", upload: upload.id)
        #expect(await code(of: { _ = try await Self.put(store, upload, 3, [1]) }) == .noSuchUpload)
        #expect(await code(of: { _ = try await Self.complete(store, upload, [first]) }) == .noSuchUpload)
        try await store.running {
            try await store.wait { try await store.store.status().disks.allSatisfy { $0.shardCount == 0 } }
        }
        try await store.close()
    }

    @Test("parts that are more together than an object may be are refused; as much as it may be is taken")
    func longest() async throws {
        let store = try await StoreHarness.open()
        let upload = try await Self.upload(store)
        // Rows alone: nobody reads bytes when an upload is completed.
        let count = Limits.objectLength / Limits.partLength
        let lengths = Array(repeating: Limits.partLength, count: count) + [1]
        let rows = zip(1..., lengths).map { number, length in
            PartRecord(
                upload: upload.id,
                summary: PartSummary(
                    number: number,
                    eTag: Hexadecimal.text(MessageDigest.md5.digest([UInt8(number % 256)])),
                    length: length,
                    modified: WallTime(milliseconds: 1),
                    checksum: nil
                ),
                extents: []
            )
        }
        let results = try await store.store.metadata.commit(
            WriteTransaction(
                lease: nil,
                blobs: [],
                writes: rows.map { .part($0, bucket: Self.bucket, key: upload.key) }
            )
        )
        for result in results { _ = try result.get() }
        let parts = rows.map { CompleteUploadRequest.Part(number: $0.summary.number, eTag: $0.summary.eTag) }
        #expect(await code(of: { _ = try await Self.complete(store, upload, parts) }) == .entityTooLarge)
        _ = try await Self.complete(store, upload, Array(parts.dropLast()))
        #expect(try await store.head("k").length == Limits.objectLength)
        try await store.close()
    }

    @Test("parts of an open upload are put back on a replaced disk, as objects are")
    func openUploadRepair() async throws {
        let store = try await StoreHarness.open()
        let contents = [Content.random(5 << 20), Content.random(1_234)]
        let upload = try await Self.upload(store)
        var parts: [CompleteUploadRequest.Part] = []
        for (index, content) in contents.enumerated() {
            parts.append(try await Self.put(store, upload, index + 1, content))
        }
        store.swapDisk(0)
        _ = try await store.store.replaceDisk(inSlot: StoreHarness.name(0))
        #expect(try await store.store.metadata.missingShardCount() > 0)
        try await store.store.repairer.pass()
        #expect(try await store.store.metadata.missingShardCount() == 0)
        // Two others go: without what was put back the parts would be lost.
        for slot in [2, 4] { store.disk(slot).isGone = true }
        _ = try await Self.complete(store, upload, parts)
        #expect(try await store.holds("k", contents.flatMap { $0 }))
        for slot in [2, 4] { store.disk(slot).isGone = false }
        try await store.close()
    }

    @Test("a part copied from another object, whole or by range")
    func partCopy() async throws {
        let store = try await StoreHarness.open()
        let source = Content.random(12 << 20)
        try await store.put("source", source)
        let upload = try await Self.upload(store)
        var parts: [CompleteUploadRequest.Part] = []
        for (number, range) in [(1, 100...(6 << 20)), (2, (7 << 20)...(7 << 20) + 9)] {
            let result = try await store.objects.copyPart(
                CopyPartRequest(
                    sourceBucket: Self.bucket,
                    sourceKey: "source",
                    sourceRange: range,
                    bucket: Self.bucket,
                    key: "k",
                    upload: upload.id,
                    partNumber: number
                )
            )
            #expect(result.eTag == Hexadecimal.text(MessageDigest.md5.digest(Array(source[range]))))
            parts.append(CompleteUploadRequest.Part(number: number, eTag: result.eTag))
        }
        _ = try await Self.complete(store, upload, parts)
        try await store.delete("source")
        let whole = Array(source[100...(6 << 20)]) + source[(7 << 20)...(7 << 20) + 9]
        #expect(try await store.holds("k", whole))
        try await store.close()
    }

    /// Found by hand: such parts were listed under numbers that reads do not take.
    @Test("an upload with checksums has no gaps between its parts, but for CRC64NVME, as on AWS")
    func gaps() async throws {
        let store = try await StoreHarness.open()
        for algorithm in ObjectChecksum.Algorithm.allCases {
            let upload = try await Self.upload(store, checksum: algorithm)
            var parts: [CompleteUploadRequest.Part] = []
            for number in [1, 3] { parts.append(try await Self.put(store, upload, number, Content.random(5 << 20))) }
            let refusal = await code(of: { [parts] in _ = try await Self.complete(store, upload, parts) })
            #expect(refusal == (algorithm == .crc64nvme ? nil : .invalidPartOrder))
            guard refusal != nil else { continue }
            let second = await code(of: { [parts] in _ = try await Self.complete(store, upload, [parts[1]]) })
            #expect(second == .invalidPartOrder)
            _ = try await Self.complete(store, upload, [parts[0]])
        }
        try await store.close()
    }

    @Test(
        "checksums of the whole: of the parts' checksums, or of all bytes",
        arguments: ObjectChecksum.Algorithm.allCases
    )
    func checksums(algorithm: ObjectChecksum.Algorithm) async throws {
        let store = try await StoreHarness.open()
        let contents = [Content.random(5 << 20), Content.random(777)]
        let isCRC = [.crc32, .crc32c, .crc64nvme].contains(algorithm)
        for kind in [ObjectChecksum.Kind.composite, .fullObject] where isCRC || kind == .composite {
            let upload = try await Self.upload(store, checksum: algorithm, kind: kind)
            var parts: [CompleteUploadRequest.Part] = []
            for (index, content) in contents.enumerated() {
                parts.append(try await Self.put(store, upload, index + 1, content))
            }
            if kind == .composite {
                var unnamed = parts
                unnamed[1].checksum = nil
                #expect(await code(of: { _ = try await Self.complete(store, upload, unnamed) }) == .invalidRequest)
            } else {
                // What is of all bytes needs none of the parts' to be named.
                parts[1].checksum = nil
            }
            let checksum = try #require(try await Self.complete(store, upload, parts).checksum)
            let digest = { @Sendable (bytes: [UInt8]) -> [UInt8] in Content.checksum(bytes, algorithm) }
            let expected =
                kind == .fullObject ? digest(contents.flatMap { $0 }) : digest(contents.flatMap { digest($0) })
            #expect(checksum.value == expected)
            #expect(checksum.kind == kind)
        }
        try await store.close()
    }

    /// Found by a hunt: the right checksum was said to be that of other bytes.
    @Test(
        "without an algorithm, the checksum of the whole is made of the parts' where it can be",
        arguments: ObjectChecksum.Algorithm.allCases
    )
    func statedChecksum(algorithm: ObjectChecksum.Algorithm) async throws {
        let store = try await StoreHarness.open()
        let isCRC = [.crc32, .crc32c, .crc64nvme].contains(algorithm)
        let contents = [Content.random(5 << 20), Content.random(777)]
        let right = DeclaredChecksum(
            algorithm: algorithm,
            value: Content.checksum(contents.flatMap { $0 }, algorithm)
        )
        let wrong = DeclaredChecksum(algorithm: algorithm, value: Content.checksum([4], algorithm))
        for hasChecksums in [false, true] {
            let upload = try await Self.upload(store)
            var parts: [CompleteUploadRequest.Part] = []
            for (index, content) in contents.enumerated() {
                let checksum = hasChecksums ? ChecksumRequest.computed(algorithm) : .none
                parts.append(try await Self.put(store, upload, index + 1, content, checksum: checksum))
            }
            let named = parts
            let canBeMade = isCRC && hasChecksums
            let refusal = await code(of: {
                _ = try await Self.complete(store, upload, named) { $0.checksum = wrong }
            })
            #expect(refusal == (canBeMade ? .badDigest : .invalidRequest))
            // The second is the same again, with the first's answer lost.
            for _ in 1...2 {
                let answer = await code(of: {
                    let made = try await Self.complete(store, upload, named) { $0.checksum = right }.checksum
                    #expect(made?.value == right.value && made?.kind == .fullObject)
                })
                #expect(answer == (canBeMade ? nil : .invalidRequest))
            }
        }
        try await store.close()
    }

    /// Found by a hunt: such a part was taken, with a checksum of what had arrived.
    @Test("a part states its checksum where the whole's is of the parts'", arguments: ObjectChecksum.Algorithm.allCases)
    func unstatedChecksum(algorithm: ObjectChecksum.Algorithm) async throws {
        let store = try await StoreHarness.open()
        for kind in [nil, ObjectChecksum.Kind.composite] where algorithm != .crc64nvme {
            let upload = try await Self.upload(store, checksum: algorithm, kind: kind)
            do {
                _ = try await Self.put(store, upload, 1, [1, 2, 3], statesChecksum: false)
                Issue.record("it was taken")
            } catch let error as StorageError {
                #expect(error.code == .invalidRequest)
                let name = "\(algorithm)"
                #expect(error.message.hasSuffix("expected checksum Type: \(name), actual checksum Type: null"))
            }
        }
        if [.crc32, .crc32c, .crc64nvme].contains(algorithm) {
            let upload = try await Self.upload(store, checksum: algorithm, kind: .fullObject)
            let part = try await Self.put(store, upload, 1, [1, 2, 3], statesChecksum: false)
            #expect(part.checksum?.value == Content.checksum([1, 2, 3], algorithm))
        }
        try await store.close()
    }

    @Test("a part's checksum by another algorithm is no part that is missing, as on AWS")
    func strangeChecksum() async throws {
        let store = try await StoreHarness.open()
        for algorithm in [nil, ObjectChecksum.Algorithm.crc32] {
            let upload = try await Self.upload(store, checksum: algorithm)
            var part = try await Self.put(store, upload, 1, [1, 2, 3])
            part.checksum = DeclaredChecksum(algorithm: .sha256, value: Content.checksum([1, 2, 3], .sha256))
            do {
                _ = try await Self.complete(store, upload, [part])
                Issue.record("it was completed")
            } catch let error as StorageError {
                #expect(error.code == .badDigest)
                #expect(error.message == "The sha256 you specified for part 1 did not match what we received.")
            }
        }
        let upload = try await Self.upload(store, checksum: .crc32)
        var part = try await Self.put(store, upload, 1, [1, 2, 3])
        part.checksum = DeclaredChecksum(algorithm: .crc32, value: Content.checksum([4], .crc32))
        let refusal = await code(of: { [part] in _ = try await Self.complete(store, upload, [part]) })
        #expect(refusal == .invalidPart)
        try await store.close()
    }

    /// Found by a hunt: the copy kept the checksum of the parts' checksums.
    @Test("a copy that asks for a checksum gets one of all its bytes")
    func copiedChecksum() async throws {
        let store = try await StoreHarness.open()
        let contents = [Content.random(5 << 20), Content.random(777)]
        let upload = try await Self.upload(store, checksum: .crc32, kind: .composite)
        var parts: [CompleteUploadRequest.Part] = []
        for (index, content) in contents.enumerated() {
            parts.append(try await Self.put(store, upload, index + 1, content))
        }
        let source = try #require(try await Self.complete(store, upload, parts).checksum)
        #expect(source.kind == .composite)
        for algorithm in [nil, ObjectChecksum.Algorithm.crc32, .sha256] {
            let copy = try await store.objects.copy(
                CopyRequest(
                    sourceBucket: Self.bucket,
                    sourceKey: "k",
                    bucket: Self.bucket,
                    key: "copy",
                    owner: StoreHarness.owner,
                    checksum: algorithm
                )
            )
            guard let algorithm else {
                #expect(copy.checksum == source)
                continue
            }
            #expect(copy.checksum?.kind == .fullObject && copy.checksum?.algorithm == algorithm)
            #expect(copy.checksum?.value == Content.checksum(contents.flatMap { $0 }, algorithm))
        }
        try await store.close()
    }

    @Test(
        "uploads that are soon too old are looked for soon",
        arguments: [(604_800, 600), (1_200, 600), (60, 30), (1, 1), (0, 1)]
    )
    func uploadInterval(age: Int, seconds: Int) {
        #expect(Store.uploadInterval(age: .seconds(age)) == .seconds(seconds))
    }

    @Test("uploads and parts are listed")
    func lists() async throws {
        let store = try await StoreHarness.open()
        let one = try await Self.upload(store, "a")
        _ = try await Self.upload(store, "b")
        for number in 1...5 { _ = try await Self.put(store, one, number, [UInt8(number)]) }
        let page = try await store.objects.listParts(
            bucket: Self.bucket,
            key: "a",
            upload: one.id,
            after: 2,
            limit: 2
        )
        #expect(page.parts.map(\.number) == [3, 4])
        #expect(page.isTruncated)
        let uploads = try await store.objects.listUploads(ListUploadsRequest(bucket: Self.bucket, limit: 10))
        #expect(uploads.uploads.map(\.key) == ["a", "b"])
        try await store.close()
    }
}
