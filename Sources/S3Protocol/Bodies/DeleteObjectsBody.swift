import ObjectModel

/// The `Delete` document of a multi-object delete.
package struct DeleteObjectsBody: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package var key: String
        /// nil also where the element is empty, as serializers write what has no value.
        package var versionID: String?
        /// Without quotes.
        package var eTag: String?
    }

    package var entries: [Entry]
    package var isQuiet: Bool

    package init(_ bytes: [UInt8]) throws(S3Error) {
        self = try S3Body.parse(bytes) { (root) throws(XMLError) in try Self(root) }
        for entry in entries where entry.key.utf8.count > Limits.keyLength { throw S3Error(.keyTooLong) }
    }

    private init(_ root: XMLElement) throws(XMLError) {
        guard root.name == "Delete" else { throw .unexpected }
        try root.requireChildren(["Object", "Quiet"])
        isQuiet = try S3Body.flag(root.onlyText("Quiet"))
        entries = []
        for element in root.children where element.name == "Object" {
            // Size and time conditions exist for directory buckets only; they are not to be ignored.
            try element.requireChildren(["Key", "VersionId", "ETag"])
            guard let key = try element.onlyText("Key"), !key.isEmpty, !key.utf8.contains(0) else {
                throw .unexpected
            }
            let eTag = try element.onlyText("ETag").map(ConditionHeaders.unquoted)
            let version = try element.onlyText("VersionId")
            entries.append(Entry(key: key, versionID: version == "" ? nil : version, eTag: eTag))
        }
        guard (1...Limits.pageSize).contains(entries.count) else { throw .unexpected }
    }
}
