import ObjectInterface
import ObjectModel
import S3Protocol
internal import SystemInterface

extension S3Call {
    /// `GET /`: the caller's buckets by name, paged when `max-buckets` is given.
    func listBuckets() async throws(S3Error) -> S3Response {
        let prefix = query.value("prefix") ?? ""
        let isPaged = query.contains("max-buckets")
        let limit = try bucketLimit()
        let after = try query.value("continuation-token").map { (token) throws(S3Error) in
            try ContinuationToken.decode(token)
        }
        if let region = query.value("bucket-region"), region != environment.region {
            return .xml(document([], next: nil, prefix: prefix))
        }
        var buckets = try await store { () throws(StorageError) in
            try await objects.listBuckets(owner: principal.user)
        }
        if !prefix.isEmpty { buckets.removeAll { !$0.name.utf8.starts(with: prefix.utf8) } }
        if let after { buckets.removeAll { !after.utf8.lexicographicallyPrecedes($0.name.utf8) } }
        var next: String?
        if isPaged, buckets.count > limit {
            buckets.removeSubrange(limit...)
            next = buckets.last.map { ContinuationToken.encode(after: $0.name) }
        }
        return .xml(document(buckets, next: next, prefix: prefix))
    }

    /// 1 … 10,000 (AWS).
    private func bucketLimit() throws(S3Error) -> Int {
        guard let text = query.value("max-buckets") else { return .max }
        guard let number = DecimalText.value(text), (1...10_000).contains(number) else {
            throw .invalidArgument(
                "Argument max-buckets must be an integer between 1 and 10000",
                name: "max-buckets",
                value: text
            )
        }
        return number
    }

    private func document(_ buckets: [Bucket], next: String?, prefix: String) -> [UInt8] {
        var xml = XMLWriter(capacity: 512 + buckets.count * 128)
        xml.openRoot("ListAllMyBucketsResult")
        xml.owner("Owner", id: principal.user.text, displayName: principal.displayName)
        xml.open("Buckets")
        for bucket in buckets {
            xml.open("Bucket")
            xml.element("Name", bucket.name)
            xml.date("CreationDate", bucket.created.milliseconds)
            if ["max-buckets", "prefix", "bucket-region"].contains(where: query.contains) {
                xml.element("BucketRegion", environment.region)
            }
            xml.close("Bucket")
        }
        xml.close("Buckets")
        if let next { xml.element("ContinuationToken", next) }
        if !prefix.isEmpty { xml.element("Prefix", prefix) }
        xml.close("ListAllMyBucketsResult")
        return xml.bytes
    }
}
