import ObjectInterface
import ObjectModel
import S3Protocol
internal import SystemInterface

extension S3Call {
    /// `GET /bucket?versions` of a bucket that was never versioned: each key has the one version `null`.
    func listObjectVersions() async throws(S3Error) -> S3Response {
        let parameters = try ListParameters(query, limitName: "max-keys")
        let keyMarker = query.value("key-marker") ?? ""
        let versionMarker = query.value("version-id-marker") ?? ""
        guard versionMarker.isEmpty || !keyMarker.isEmpty else {
            throw .invalidArgument(
                "A version-id marker cannot be specified without a key marker.",
                name: "version-id-marker",
                value: versionMarker
            )
        }
        if !versionMarker.isEmpty {
            try ObjectParameters.check(versionID: versionMarker, name: "version-id-marker")
        }
        let page = try await page(parameters, after: keyMarker)
        let owner = await ownerName()

        var xml = XMLWriter(capacity: 1_024 + page.entries.count * 512)
        let encoded = parameters.encodesNames
        xml.openRoot("ListVersionsResult")
        xml.element("Name", target.bucket)
        xml.name("Prefix", parameters.prefix, encoded: encoded)
        xml.name("KeyMarker", keyMarker, encoded: encoded)
        xml.element("VersionIdMarker", versionMarker)
        if page.isTruncated, let last = page.entries.last {
            xml.name("NextKeyMarker", last.name, encoded: encoded)
            if case .object = last { xml.element("NextVersionIdMarker", "null") }
        }
        xml.element("MaxKeys", parameters.limit)
        xml.listOptions(parameters)
        xml.element("IsTruncated", page.isTruncated)
        for entry in page.entries {
            guard case .object(let object) = entry else { continue }
            xml.open("Version")
            xml.name("Key", object.key, encoded: encoded)
            xml.element("VersionId", "null")
            xml.element("IsLatest", true)
            xml.summary(object)
            xml.owner("Owner", id: owner.id, displayName: owner.displayName)
            xml.element("StorageClass", object.attributes.storageClass)
            xml.close("Version")
        }
        xml.commonPrefixes(page, encoded: encoded)
        xml.close("ListVersionsResult")
        return .xml(xml.bytes)
    }
}
