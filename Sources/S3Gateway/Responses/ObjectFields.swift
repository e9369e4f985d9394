import HTTPTypes
import ObjectInterface
import ObjectModel
import S3Protocol
internal import SystemInterface

/// The headers that describe an object version.
enum ObjectFields {
    /// Everything GET and HEAD say of the version, but for length and range.
    static func append(_ object: ObjectSummary, to fields: inout HTTPFields) {
        let attributes = object.attributes
        fields.reserveCapacity(16 + attributes.headers.count + attributes.metadata.count)
        fields.append(HTTPField(name: .lastModified, value: S3Date.http(object.modified.milliseconds)))
        fields.append(HTTPField(name: .eTag, value: quoted(object.eTag)))
        fields.append(HTTPField(name: .acceptRanges, value: "bytes"))
        fields.append(HTTPField(name: .contentType, value: attributes.contentType))
        for header in attributes.headers {
            if let name = S3FieldName.dynamic(header.name) { fields.append(HTTPField(name: name, value: header.value)) }
        }
        for header in attributes.metadata {
            guard let name = S3FieldName.dynamic("x-amz-meta-" + header.name) else { continue }
            fields.append(HTTPField(name: name, value: header.value))
        }
        if attributes.storageClass != ObjectAttributes.defaultStorageClass {
            fields.append(HTTPField(name: S3FieldName.storageClass, value: attributes.storageClass))
        }
        if !object.tags.isEmpty {
            fields.append(HTTPField(name: S3FieldName.taggingCount, value: String(object.tags.count)))
        }
    }

    static func append(_ checksum: ObjectChecksum?, to fields: inout HTTPFields) {
        guard let checksum, let name = S3FieldName.dynamic(ChecksumHeaders.headerName(checksum.algorithm)) else {
            return
        }
        fields.append(HTTPField(name: name, value: ChecksumHeaders.text(checksum)))
        fields.append(HTTPField(name: S3FieldName.checksumType, value: ChecksumHeaders.name(checksum.kind)))
    }

    /// `x-amz-version-id: null` where the client asked for that version by name.
    static func append(_ version: VersionSelector, to fields: inout HTTPFields) {
        if version == .null { fields.append(HTTPField(name: S3FieldName.versionID, value: "null")) }
    }

    static func quoted(_ eTag: String) -> String { "\"" + eTag + "\"" }
}

extension XMLWriter {
    /// `ChecksumCRC32` and so on, and with `withType` its `ChecksumType`.
    mutating func checksum(_ checksum: ObjectChecksum?, withType: Bool) {
        guard let checksum else { return }
        dynamicElement("Checksum" + ChecksumHeaders.name(checksum.algorithm), ChecksumHeaders.text(checksum))
        if withType { element("ChecksumType", ChecksumHeaders.name(checksum.kind)) }
    }

    mutating func date(_ name: StaticString, _ milliseconds: Int64) {
        element(name) { S3Date.appendISO8601(milliseconds, to: &$0) }
    }

    /// A name, encoded when the client asked for `encoding-type=url`.
    mutating func name(_ element: StaticString, _ text: String, encoded: Bool) {
        if encoded {
            self.element(element) { PercentCoding.append(text.utf8, keepsSlash: true, to: &$0) }
        } else {
            self.element(element, text)
        }
    }
}
