import ObjectInterface
import ObjectModel
import S3Protocol

extension S3Call {
    /// `GET /bucket?list-type=2`: continuation tokens and `start-after`.
    func listObjectsV2() async throws(S3Error) -> S3Response {
        let parameters = try ListParameters(query, limitName: "max-keys")
        let token = query.value("continuation-token")
        let startAfter = query.value("start-after")
        var after = startAfter ?? ""
        if let token, !token.isEmpty { after = try ContinuationToken.decode(token) }
        let page = try await page(parameters, after: after)
        let owner = query.value("fetch-owner")?.lowercased() == "true" ? await ownerName() : nil

        var xml = XMLWriter(capacity: 1_024 + page.entries.count * 512)
        let encoded = parameters.encodesNames
        xml.openRoot("ListBucketResult")
        xml.element("Name", target.bucket)
        xml.name("Prefix", parameters.prefix, encoded: encoded)
        if let token { xml.element("ContinuationToken", token) }
        if page.isTruncated, let last = page.entries.last {
            xml.element("NextContinuationToken", ContinuationToken.encode(after: last.name))
        }
        if let startAfter { xml.name("StartAfter", startAfter, encoded: encoded) }
        xml.element("KeyCount", page.entries.count)
        xml.element("MaxKeys", parameters.limit)
        xml.listOptions(parameters)
        xml.element("IsTruncated", page.isTruncated)
        xml.entries(page, encoded: encoded, owner: owner)
        xml.close("ListBucketResult")
        return inRegion(.xml(xml.bytes))
    }
}
