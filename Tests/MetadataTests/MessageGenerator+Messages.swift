import Metadata
import ObjectInterface
import ObjectModel
import SystemInterface

extension MessageGenerator {
    /// One of every request.
    mutating func requests() -> [MetadataRequest] {
        [
            .createBucket(bucket()), .deleteBucket(text()), .bucket(text()), .buckets(owner: optional { $0.user() }),
            .commit(transaction()), .version(bucket: text(), key: text()), deletion(),
            .putTags(bucket: text(), key: text(), tags: tags()),
            .list(ListRequest(bucket: text(), prefix: text(), delimiter: text(), after: text(), limit: any())),
            .createUpload(uploadRecord()), .upload(bucket: text(), key: text(), id: uploadID()),
            .listUploads(
                ListUploadsRequest(
                    bucket: text(),
                    prefix: text(),
                    delimiter: text(),
                    keyMarker: text(),
                    uploadMarker: text(),
                    limit: any()
                )
            ),
            .parts(of: uploadID(), after: any(), limit: any()),
            .complete(completion()), .abortUpload(bucket: text(), key: text(), id: uploadID()), .grantLease,
            .endLease(lease()), .activeLeases,
        ]
    }

    /// One of every response; of those that may be empty also the empty one.
    mutating func responses() -> [MetadataResponse] {
        [
            .failed(error()), .done, .bucket(nil), .bucket(bucket()), .buckets(list { $0.bucket() }),
            .outcomes(list { $0.result { CommitOutcome(number: $0.id()) } }), .version(nil), .version(detail()),
            .deletions(list { $0.result { DeleteResult(existed: $0.flag()) } }), .list(page()), .upload(nil),
            .upload(uploadRecord()), .listUploads(uploadsPage()),
            .parts(list { $0.partRecord() }, isTruncated: flag()), .completed(CommitOutcome(number: id())),
            .lease(lease()), .leases(list { (lease: $0.lease(), holder: NodeName($0.text())) }),
        ]
    }

    private mutating func transaction() -> WriteTransaction {
        WriteTransaction(
            lease: optional { $0.lease() },
            blobs: list { $0.blob() },
            writes: list {
                $0.flag()
                    ? .version($0.version(), $0.condition())
                    : .part($0.partRecord(), bucket: $0.text(), key: $0.text())
            }
        )
    }

    private mutating func deletion() -> MetadataRequest {
        let bucket = text()
        let requests = list {
            DeleteRequest(
                bucket: bucket,
                key: $0.text(),
                version: $0.pick(.current, .null, .id($0.text())),
                condition: $0.condition()
            )
        }
        return .delete(bucket: bucket, requests)
    }

    private mutating func completion() -> CompleteTransaction {
        CompleteTransaction(
            request: CompleteUploadRequest(
                bucket: text(),
                key: text(),
                upload: uploadID(),
                parts: list { .init(number: $0.any(), eTag: $0.eTag(), checksum: $0.optional { $0.declared() }) },
                condition: condition(),
                checksum: optional { $0.declared() },
                checksumParts: optional { $0.any() },
                checksumKind: pick(nil, .fullObject, .composite),
                objectLength: optional { $0.any() }
            ),
            modified: time(),
            eTag: eTag(),
            checksum: optional { $0.checksum() },
            parts: list { $0.partRecord() }
        )
    }

    private mutating func page() -> ListPage {
        ListPage(
            entries: list { $0.flag() ? .object($0.version().summary) : .commonPrefix($0.text()) },
            isTruncated: flag()
        )
    }

    private mutating func uploadsPage() -> ListUploadsPage {
        ListUploadsPage(
            uploads: list { $0.upload() },
            commonPrefixes: list { $0.text() },
            isTruncated: flag(),
            nextKeyMarker: text(),
            nextUploadMarker: text()
        )
    }
}
