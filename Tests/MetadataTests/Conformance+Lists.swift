import Metadata
import ObjectInterface
import ObjectModel
import SystemInterface

extension Check {
    static let listChecks: [Check] = [
        Check("keys are listed by their UTF-8 bytes, page by page") { store in
            let lease = try await store.prepare()
            let keys = ["\u{10000}", "\u{ffff}", "z", "a", "A", "a/b", "a-b", "\u{e9}", "a\u{0}", "aa"]
            for (index, key) in keys.enumerated() { try await store.put(lease, UInt64(index), key) }
            let sorted = keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            try expect(try await store.names().names == sorted, "one page")
            for limit in 1...keys.count {
                var (found, after) = ([String](), "")
                while true {
                    let page = try await store.names(after: after, limit: limit)
                    found += page.names
                    guard page.isTruncated, let last = page.names.last else { break }
                    after = last
                }
                try expect(found == sorted, "pages of \(limit): \(found)")
            }
            let empty = try await store.names(limit: 0)
            try expect(empty.names.isEmpty && !empty.isTruncated, "no limit")
            let exact = try await store.names(limit: keys.count)
            try expect(!exact.isTruncated, "an exact page")
        },
        Check("prefixes and delimiters group, and markers skip groups whole") { store in
            let lease = try await store.prepare()
            let keys = ["a", "a/1", "a/2/x", "a/2/y", "b/1", "b0", "c//d", "c//e"]
            for (index, key) in keys.enumerated() { try await store.put(lease, UInt64(index), key) }
            func names(_ prefix: String, _ delimiter: String, after: String = "", limit: Int = 99) async throws
                -> [String]
            {
                let page = try await store.names(prefix: prefix, delimiter: delimiter, after: after, limit: limit)
                return page.names
            }
            try expect(try await names("", "/") == ["a", "a/", "b/", "b0", "c/"], "root")
            try expect(try await names("a/", "/") == ["a/1", "a/2/"], "folder")
            try expect(try await names("a", "/") == ["a", "a/"], "prefix without delimiter")
            try expect(try await names("", "//") == ["a", "a/1", "a/2/x", "a/2/y", "b/1", "b0", "c//"], "two bytes")
            try expect(try await names("", "/", after: "a/") == ["b/", "b0", "c/"], "after a group")
            try expect(try await names("", "/", after: "a/1") == ["b/", "b0", "c/"], "within a group")
            try expect(try await names("b0", "") == ["b0"], "the whole key")
            try expect(try await names("x", "/").isEmpty, "nothing")
            try expect(try await names("a/", "/", after: "0") == ["a/1", "a/2/"], "a marker before the prefix")
            try expect(try await names("a/", "/", after: "b").isEmpty, "a marker behind the prefix")
            let page = try await store.names(delimiter: "/", limit: 2)
            try expect(page.names == ["a", "a/"] && page.isTruncated, "truncated behind a group")
        },
    ]

    static let uploadChecks: [Check] = [
        Check("parts are replaced, listed by number, and completed into a version") { store in
            let lease = try await store.prepare()
            try await store.createUpload(Sample.upload("b", "k", "u"))
            let blobs = (1...4).map { Sample.blob(lease, UInt64($0), length: 100 * $0) }
            func put(_ number: Int, _ blob: BlobRecord, upload: String = "u") async -> StorageError.Code? {
                let part = Sample.part(upload, number, [Sample.extent(blob)], eTag: "e\(blob.id.sequence)")
                return await code {
                    _ = try await store.commit(
                        WriteTransaction(lease: lease, blobs: [blob], writes: [.part(part, bucket: "b", key: "k")])
                    )[0].get()
                }
            }
            try expect(await put(2, blobs[0]) == nil, "part 2")
            try expect(await put(1, blobs[1]) == nil, "part 1")
            try expect(await put(7, blobs[2]) == nil, "part 7")
            try expect(await put(2, blobs[3]) == nil, "part 2 again")
            try expect(await put(1, Sample.blob(lease, 9), upload: "other") == .noSuchUpload, "no upload")
            try expect(try await store.deadBlobs(after: nil, limit: 9).map(\.id) == [blobs[0].id], "replaced part")
            let parts = try await store.parts(of: UploadID("u"), after: 0, limit: 99)
            try expect(parts.map(\.summary.number) == [1, 2, 7], "order")
            try expect(
                try await store.parts(of: UploadID("u"), after: 2, limit: 1).map(\.summary.number) == [7],
                "after"
            )

            func complete(_ chosen: [PartRecord], eTag: String? = nil) -> CompleteTransaction {
                CompleteTransaction(
                    request: CompleteUploadRequest(
                        bucket: "b",
                        key: "k",
                        upload: UploadID("u"),
                        parts: chosen.map { .init(number: $0.summary.number, eTag: eTag ?? $0.summary.eTag) }
                    ),
                    modified: WallTime(milliseconds: 9),
                    eTag: "whole-2",
                    checksum: nil,
                    parts: chosen
                )
            }
            let chosen = Array(parts.prefix(2))
            try expect(await code { _ = try await store.complete(complete(chosen, eTag: "x")) } == .invalidPart, "ETag")
            try expect(await code { _ = try await store.complete(complete([])) } == .invalidPart, "no parts")
            var changed = chosen
            changed[0].summary.length += 1
            try expect(await code { _ = try await store.complete(complete(changed)) } == .invalidPart, "changed part")
            _ = try await store.complete(complete(chosen))
            let version = try await store.version(bucket: "b", key: "k")?.version
            try expect(version?.length == 600 && version?.extents.map(\.blob) == [blobs[1].id, blobs[3].id], "version")
            try expect(version?.parts == chosen.map(\.summary) && version?.eTag == "whole-2", "parts")
            try expect(version?.attributes.contentType == "a/b" && version?.tags.count == 1, "attributes")
            try await store.putTags(bucket: "b", key: "k", tags: [])
            try expect(try await store.version(bucket: "b", key: "k")?.version.madeBy == UploadID("u"), "made by")
            try expect(try await store.upload(bucket: "b", key: "k", id: UploadID("u")) == nil, "upload ended")
            try expect(
                try await store.deadBlobs(after: nil, limit: 9).map(\.id) == [blobs[0].id, blobs[2].id],
                "unused part"
            )
            try expect(await code { _ = try await store.complete(complete(chosen)) } == .noSuchUpload, "twice")
        },
        Check("a version has as many parts as an upload may have") { store in
            let lease = try await store.prepare()
            try await store.createUpload(Sample.upload("b", "k", "u"))
            var parts: [PartRecord] = []
            for first in stride(from: 1, through: Limits.partCount, by: 500) {
                let blobs = (first..<first + 500).map { Sample.blob(lease, UInt64($0), length: 5 << 20) }
                let added = zip(first..., blobs).map { number, blob in
                    Sample.part("u", number, [Sample.extent(blob)], eTag: "e\(number)")
                }
                let results = try await store.commit(
                    WriteTransaction(
                        lease: lease,
                        blobs: blobs,
                        writes: added.map { .part($0, bucket: "b", key: "k") }
                    )
                )
                for result in results { _ = try result.get() }
                parts += added
            }
            let listed = try await store.parts(of: UploadID("u"), after: 0, limit: Limits.partCount)
            try expect(listed == parts, "parts")
            _ = try await store.complete(
                CompleteTransaction(
                    request: CompleteUploadRequest(
                        bucket: "b",
                        key: "k",
                        upload: UploadID("u"),
                        parts: parts.map { .init(number: $0.summary.number, eTag: $0.summary.eTag) }
                    ),
                    modified: WallTime(milliseconds: 9),
                    eTag: "whole",
                    checksum: nil,
                    parts: parts
                )
            )
            let version = try await store.version(bucket: "b", key: "k")?.version
            try expect(version?.length == Limits.partCount * (5 << 20), "length")
            try expect(version?.parts == parts.map(\.summary), "its parts")
            try expect(version?.extents == parts.flatMap(\.extents), "its bytes")
        },
        Check("an aborted upload frees its parts") { store in
            let lease = try await store.prepare()
            try await store.createUpload(Sample.upload("b", "k", "u"))
            let blob = Sample.blob(lease, 1)
            let part = Sample.part("u", 1, [Sample.extent(blob)])
            _ = try await store.commit(
                WriteTransaction(lease: lease, blobs: [blob], writes: [.part(part, bucket: "b", key: "k")])
            )
            let wrong = await code { try await store.abortUpload(bucket: "b", key: "other", id: UploadID("u")) }
            try expect(wrong == .noSuchUpload, "another key")
            try await store.abortUpload(bucket: "b", key: "k", id: UploadID("u"))
            try expect(try await store.deadBlobs(after: nil, limit: 9) == [blob], "freed")
            try expect(try await store.parts(of: UploadID("u"), after: 0, limit: 9).isEmpty, "parts")
            try expect(try await store.statistics().uploads == 0, "count")
        },
        Check("uploads are listed by key and time, page by page, with groups") { store in
            _ = try await store.prepare()
            let uploads = [
                ("k", "u3", 1), ("k", "u1", 2), ("k", "u2", 2), ("a/1", "u4", 9), ("a/2", "u5", 3), ("k0", "u6", 0),
            ]
            for (key, id, time) in uploads {
                try await store.createUpload(Sample.upload("b", key, id, created: Int64(time)))
            }
            func page(_ request: ListUploadsRequest) async throws -> ListUploadsPage {
                try await store.listUploads(request)
            }
            let all = try await page(ListUploadsRequest(bucket: "b", limit: 99))
            try expect(all.uploads.map(\.id.text) == ["u4", "u5", "u3", "u1", "u2", "u6"], "order")
            let last = [all.nextKeyMarker, all.nextUploadMarker]
            try expect(!all.isTruncated && last == ["k0", "u6"], "end: \(last)")
            let none = try await page(ListUploadsRequest(bucket: "b", keyMarker: "k0", limit: 99))
            try expect(none.nextKeyMarker.isEmpty && none.nextUploadMarker.isEmpty, "nothing")
            for limit in 1...6 {
                var request = ListUploadsRequest(bucket: "b", limit: limit)
                var found: [String] = []
                while true {
                    let next = try await page(request)
                    found += next.uploads.map(\.id.text)
                    guard next.isTruncated else { break }
                    (request.keyMarker, request.uploadMarker) = (next.nextKeyMarker, next.nextUploadMarker)
                }
                try expect(found == all.uploads.map(\.id.text), "pages of \(limit): \(found)")
            }
            let grouped = try await page(ListUploadsRequest(bucket: "b", delimiter: "/", limit: 1))
            try expect(grouped.commonPrefixes == ["a/"] && grouped.isTruncated, "group")
            let behind = try await page(
                ListUploadsRequest(bucket: "b", delimiter: "/", keyMarker: grouped.nextKeyMarker, limit: 99)
            )
            try expect(behind.commonPrefixes.isEmpty && behind.uploads.count == 4, "behind the group")
            let keyOnly = try await page(ListUploadsRequest(bucket: "b", keyMarker: "k", limit: 99))
            try expect(keyOnly.uploads.map(\.id.text) == ["u6"], "key marker")
            let prefix = try await page(ListUploadsRequest(bucket: "b", prefix: "k", limit: 99))
            try expect(prefix.uploads.count == 4, "prefix")
            let old = try await store.uploads(createdBefore: WallTime(milliseconds: 3), limit: 3)
            try expect(old.map(\.id.text) == ["u6", "u3", "u1"], "old ones")
        },
    ]
}
