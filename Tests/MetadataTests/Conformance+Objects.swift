import Metadata
import ObjectInterface
import ObjectModel
import SystemInterface

extension Check {
    static let bucketChecks: [Check] = [
        Check("buckets have one owner, are listed by name, and go only when empty") { store in
            let lease = try await store.prepare()
            try await store.createBucket(Sample.bucket("a", owner: UserID("other")))
            try expect(try await store.buckets(owner: nil).map(\.name) == ["a", "b"], "all buckets")
            try expect(try await store.buckets(owner: Sample.owner).map(\.name) == ["b"], "one owner's")
            try expect(await code { try await store.createBucket(Sample.bucket("b")) } == .bucketOwnedByYou, "own")
            try expect(await code { try await store.createBucket(Sample.bucket("a")) } == .bucketExists, "other's")
            try await store.put(lease, 1, "k")
            try expect(await code { try await store.deleteBucket("b") } == .bucketNotEmpty, "with a version")
            try await store.delete("k")
            try await store.createUpload(Sample.upload("b", "k", "u"))
            try expect(await code { try await store.deleteBucket("b") } == .bucketNotEmpty, "with an upload")
            try await store.abortUpload(bucket: "b", key: "k", id: UploadID("u"))
            try await store.deleteBucket("b")
            try expect(try await store.bucket("b") == nil, "still there")
            try expect(await code { try await store.deleteBucket("b") } == .noSuchBucket, "twice")
            try expect(await code { _ = try await store.version(bucket: "b", key: "k") } == .noSuchBucket, "read")
        },
        Check("a bucket made again is another: the old one's keys are not in it") { store in
            let lease = try await store.prepare()
            try await store.put(lease, 1, "k")
            _ = try await store.version(bucket: "b", key: "k")
            try await store.delete("k")
            try await store.deleteBucket("b")
            try await store.createBucket(Sample.bucket("b"))
            try expect(try await store.version(bucket: "b", key: "k") == nil, "old key")
            try expect(try await store.names().names.isEmpty, "old list")
        },
        Check("users have one name, id and access key") { store in
            try await store.addUser(Sample.user("u2"))
            try await store.addUser(Sample.user("u1"))
            try expect(await code { try await store.addUser(Sample.user("u1")) } == .userExists, "twice")
            var thief = Sample.user("u3")
            thief.accessKey = "AKu1"
            try expect(await code { try await store.addUser(thief) } == .userExists, "same access key")
            try expect(try await store.users() == [Sample.user("u1"), Sample.user("u2")], "list")
            try await store.removeUser(name: "u1")
            try expect(await code { try await store.removeUser(name: "u1") } == .noSuchUser, "twice removed")
        },
    ]

    static let objectChecks: [Check] = [
        Check("a version comes back as it was written") { store in
            let lease = try await store.prepare()
            let blob = Sample.blob(lease, 1, missing: [5])
            var version = Sample.version(
                "b",
                "k\u{e9}y/\u{0}x",
                [Sample.extent(blob)],
                eTag: "0123456789abcdef0123456789abcdef-17",
                owner: UserID("x")
            )
            version.checksum = ObjectChecksum(algorithm: .crc32c, kind: .composite, value: [1, 2, 3, 4], partCount: 17)
            version.tags = [ObjectTag(key: "a", value: "b")]
            version.attributes = ObjectAttributes(
                contentType: "application/dicom",
                headers: [.init(name: "expires", value: "never")],
                metadata: [.init(name: "m", value: "\u{e4}")],
                storageClass: "GLACIER"
            )
            version.parts = [
                PartSummary(number: 3, eTag: "ABC", length: 1_000, modified: WallTime(milliseconds: -4), checksum: nil)
            ]
            _ = try await store.commit(
                WriteTransaction(lease: lease, blobs: [blob], writes: [.version(version, .none)])
            )
            guard let detail = try await store.version(bucket: "b", key: version.key) else {
                throw Violation(description: "not there")
            }
            version.number = detail.version.number
            try expect(detail.version == version, "\(detail.version)")
            try expect(detail.blobs == [blob.id: blob], "\(detail.blobs)")
            let again = try await store.version(bucket: "b", key: version.key)
            try expect(again?.version == version && again?.blobs == [blob.id: blob], "read again")
        },
        Check("numbers of a key rise, also over its deletion") { store in
            let lease = try await store.prepare()
            var last: UInt64 = 0
            for sequence in 1...4 as ClosedRange<UInt64> {
                try await store.put(lease, sequence, "k")
                let number = try await store.version(bucket: "b", key: "k")?.version.number ?? 0
                try expect(number > last, "\(number) after \(last)")
                last = number
                if sequence % 2 == 0 { try await store.delete("k") }
            }
        },
        Check("of two writes of a key the one committed last stays, whatever the clocks say") { store in
            let lease = try await store.prepare()
            for (sequence, clock) in [(1, 9_000), (2, 100), (3, 5_000)] as [(UInt64, Int64)] {
                let blob = Sample.blob(lease, sequence)
                var version = Sample.version("b", "k", [Sample.extent(blob)])
                version.modified = WallTime(milliseconds: clock)
                _ = try await store.commit(
                    WriteTransaction(lease: lease, blobs: [blob], writes: [.version(version, .none)])
                )
                let stored = try await store.version(bucket: "b", key: "k")?.version
                try expect(stored?.extents.first?.blob == blob.id, "write \(sequence), whatever the clocks say")
            }
        },
        Check("write conditions hold inside the commit, one by one") { store in
            let lease = try await store.prepare()
            let (one, two) = (Sample.blob(lease, 1), Sample.blob(lease, 2))
            let first = Sample.version("b", "k", [Sample.extent(one)], eTag: "one")
            let second = Sample.version("b", "k", [Sample.extent(two)], eTag: "two")
            let outcomes = try await store.commit(
                WriteTransaction(
                    lease: lease,
                    blobs: [one, two],
                    writes: [.version(first, .isAbsent), .version(second, .isAbsent)]
                )
            )
            try expect(outcomes.count == 2 && (try? outcomes[0].get()) != nil, "first")
            try expect(await code { _ = try outcomes[1].get() } == .preconditionFailed, "second")
            try expect(try await store.blob(two.id) == nil, "a blob that nothing names")
            func write(_ sequence: UInt64, _ condition: WriteCondition, _ key: String = "k") async -> StorageError.Code?
            {
                await code { try await store.put(lease, sequence, key, condition: condition) }
            }
            try expect(await write(3, .matches("two")) == .preconditionFailed, "wrong ETag")
            try expect(await write(4, .matches("one")) == nil, "right ETag")
            try expect(await write(5, .matches("*")) == nil, "any ETag")
            try expect(await write(6, .matches("*"), "none") == .noSuchKey, "no key")
            try expect(await write(7, .isAbsent) == .preconditionFailed, "there")
            try expect(try await store.version(bucket: "b", key: "k")?.version.extents.first?.blob.sequence == 5, "now")
            let tag = try await store.version(bucket: "b", key: "k")?.version.eTag ?? ""
            try expect(await write(8, .differs(tag)) == .preconditionFailed, "this ETag")
            try expect(await write(9, .differs("two")) == nil, "another ETag")
            try expect(await write(10, .differs(tag), "new") == nil, "no key, so no such ETag")
        },
        Check("a commit without its lease, bucket or blobs is refused and changes nothing") { store in
            let lease = try await store.prepare()
            let blob = try await store.put(lease, 1, "k")
            let before = try await store.statistics()
            try expect(await code { try await store.put(lease, 1, "k2") } == .internalFailure, "id used twice")
            try expect(await code { try await store.put(lease, 2, "k", bucket: "none") } == .noSuchBucket, "bucket")
            let stale = Extent(
                blob: BlobID(incarnation: 1, lease: 1, sequence: 99),
                firstFrame: 0,
                offset: 0,
                length: 5
            )
            for (extent, expected) in [
                (stale, StorageError.Code.noSuchKey), (Sample.extent(blob, length: 1_001), .internalFailure),
            ] {
                let outcomes = try await store.commit(
                    WriteTransaction(
                        lease: nil,
                        blobs: [],
                        writes: [.version(Sample.version("b", "x", [extent]), .none)]
                    )
                )
                try expect(await code { _ = try outcomes[0].get() } == expected, "extent")
            }
            try await store.endLease(lease)
            try expect(await code { try await store.put(lease, 3, "k3") } == .leaseEnded, "ended lease")
            try expect(try await store.statistics() == before, "something changed")
        },
        Check("deletes answer one by one and free what nothing names") { store in
            let lease = try await store.prepare()
            let blob = try await store.put(lease, 1, "k")
            let requests = [
                DeleteRequest(bucket: "b", key: "k", condition: .matches("other")),
                DeleteRequest(bucket: "b", key: "k", version: .id("x")), DeleteRequest(bucket: "b", key: "none"),
                DeleteRequest(bucket: "b", key: "k", version: .null), DeleteRequest(bucket: "b", key: "k"),
            ]
            let results = try await store.delete(bucket: "b", requests)
            try expect(await code { _ = try results[0].get() } == .preconditionFailed, "condition")
            try expect(try results.dropFirst().map { try $0.get().existed } == [false, false, true, false], "existed")
            try expect(try await store.version(bucket: "b", key: "k") == nil, "still there")
            try expect(try await store.blob(blob.id) == nil, "still live")
            try expect(try await store.deadBlobs(after: nil, limit: 9) == [blob], "not dead")
            try await store.forgetBlobs([blob.id])
            try expect(try await store.deadBlobs(after: nil, limit: 9).isEmpty, "not forgotten")
        },
        Check("tags replace tags and nothing else") { store in
            let lease = try await store.prepare()
            try await store.put(lease, 1, "k")
            let before = try await store.version(bucket: "b", key: "k")?.version
            let tags = [ObjectTag(key: "x", value: "y")]
            try await store.putTags(bucket: "b", key: "k", tags: tags)
            var expected = before
            expected?.tags = tags
            try expect(try await store.version(bucket: "b", key: "k")?.version == expected, "tags")
            try expect(await code { try await store.putTags(bucket: "b", key: "n", tags: tags) } == .noSuchKey, "none")
        },
        Check("keys that Unicode calls equivalent are different keys") { store in
            let lease = try await store.prepare()
            try await store.put(lease, 1, "\u{e9}")
            try await store.put(lease, 2, "e\u{301}")
            try expect(try await store.version(bucket: "b", key: "\u{e9}")?.version.extents[0].blob.sequence == 1, "é")
            try expect(
                try await store.version(bucket: "b", key: "e\u{301}")?.version.extents[0].blob.sequence == 2,
                "e"
            )
            try expect(try await store.names().names.count == 2, "list")
        },
    ]
}
