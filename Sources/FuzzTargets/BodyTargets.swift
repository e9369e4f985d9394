import ObjectModel
import S3Protocol

/// Bodies of requests: aws-chunked, and the documents of S3.
extension FuzzTarget {
    static let bodyTargets: [FuzzTarget] =
        chunkedTargets + [
            FuzzTarget("xml", maximumLength: 2_048, seeds: { DocumentSeeds.all() }, run: { try xml($0) }),
            FuzzTarget("documents", maximumLength: 4_096, seeds: { DocumentSeeds.all() }, run: { try document($0) }),
        ]

    // MARK: XML

    private static func xml(_ bytes: [UInt8]) throws -> Bool {
        guard let root = try? XMLElement.document(bytes) else { return false }
        var text: [UInt8] = []
        write(root, to: &text)
        let again: XMLElement
        do {
            again = try XMLElement.document(text)
        } catch {
            throw FuzzFinding("a document that was read cannot be written and read again: \(error)")
        }
        try require(isSame(root, again), "another document comes back")
        return true
    }

    /// Recursion is bounded by `XMLReader.maximumDepth`.
    private static func write(_ element: XMLElement, to text: inout [UInt8]) {
        text += Array("<\(element.name)>".utf8)
        var writer = XMLWriter()
        writer.text(element.text)
        text += writer.bytes
        for child in element.children { write(child, to: &text) }
        text += Array("</\(element.name)>".utf8)
    }

    /// Byte by byte: texts that only look the same are not the same.
    private static func isSame(_ left: XMLElement, _ right: XMLElement) -> Bool {
        left.name.utf8.elementsEqual(right.name.utf8) && left.text.utf8.elementsEqual(right.text.utf8)
            && left.children.count == right.children.count
            && zip(left.children, right.children).allSatisfy { isSame($0, $1) }
    }

    // MARK: The documents of S3

    private static func document(_ bytes: [UInt8]) throws -> Bool {
        var isRead = false
        if let body = try? CompleteUploadBody(bytes) {
            try completion(body)
            isRead = true
        }
        if let body = try? DeleteObjectsBody(bytes) {
            try deletion(body)
            isRead = true
        }
        if let tags = try? Tagging.document(bytes) {
            try require(tags.count <= Limits.tagCount, "too many tags")
            try same(try Tagging.document(Tagging.write(tags)), tags)
            isRead = true
        }
        if (try? CreateBucketBody.check(bytes, region: "eu-west-1")) != nil { isRead = true }
        return isRead
    }

    private static func completion(_ body: CompleteUploadBody) throws {
        try require((1...Limits.partCount).contains(body.parts.count), "number of parts")
        try require(
            zip(body.parts, body.parts.dropFirst()).allSatisfy { $0.number < $1.number },
            "parts out of order"
        )
        var xml = XMLWriter()
        xml.openRoot("CompleteMultipartUpload")
        for part in body.parts {
            xml.open("Part")
            xml.element("PartNumber", part.number)
            xml.quotedETag("ETag", part.eTag)
            if let checksum = part.checksum {
                let value = ObjectChecksum(
                    algorithm: checksum.algorithm,
                    kind: .fullObject,
                    value: checksum.digest,
                    partCount: 0
                )
                let name = "Checksum" + ChecksumHeaders.name(checksum.algorithm)
                xml.dynamicElement(name, ChecksumHeaders.text(value))
            }
            xml.close("Part")
        }
        xml.close("CompleteMultipartUpload")
        let again = try CompleteUploadBody(xml.bytes)
        try require(
            again.parts.count == body.parts.count
                && zip(again.parts, body.parts).allSatisfy { left, right in
                    left.number == right.number && left.eTag.utf8.elementsEqual(right.eTag.utf8)
                        && left.checksum == right.checksum
                },
            "another completion comes back"
        )
    }

    private static func deletion(_ body: DeleteObjectsBody) throws {
        try require((1...Limits.pageSize).contains(body.entries.count), "number of keys")
        var xml = XMLWriter()
        xml.openRoot("Delete")
        xml.element("Quiet", body.isQuiet)
        for entry in body.entries {
            try require(!entry.key.isEmpty && entry.key.utf8.count <= Limits.keyLength, "length of a key")
            xml.open("Object")
            xml.element("Key", entry.key)
            if let version = entry.versionID { xml.element("VersionId", version) }
            if let eTag = entry.eTag { xml.quotedETag("ETag", eTag) }
            xml.close("Object")
        }
        xml.close("Delete")
        let again = try DeleteObjectsBody(xml.bytes)
        let texts = { (body: DeleteObjectsBody) in
            body.entries.flatMap { [Optional($0.key), $0.versionID, $0.eTag] }.map { $0.map { Array($0.utf8) } }
        }
        try require(
            again.isQuiet == body.isQuiet && texts(again) == texts(body),
            "another list of keys comes back"
        )
    }

    static func same(_ left: [ObjectTag], _ right: [ObjectTag]) throws {
        let bytes = { (tags: [ObjectTag]) in tags.map { [Array($0.key.utf8), Array($0.value.utf8)] } }
        try require(bytes(left) == bytes(right), "other tags come back")
    }
}

enum DocumentSeeds {
    static func all() -> [[UInt8]] {
        [
            "<?xml version=\"1.0\"?><CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part>"
                + "<PartNumber>1</PartNumber><ETag>&quot;ab&quot;</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>"
                + "<Part><ETag>cd</ETag><PartNumber>3</PartNumber></Part></CompleteMultipartUpload>",
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>ab</ETag>"
                + "<ChecksumXXHASH3>ctyxi2ehff8=</ChecksumXXHASH3></Part></CompleteMultipartUpload>",
            "<Delete><Quiet>true</Quiet><Object><Key>a&amp;b&#x9;&#228;</Key><VersionId>null</VersionId></Object>"
                + "<!-- c --><Object><ETag>\"x\"</ETag><Key><![CDATA[<k>]]></Key></Object></Delete>",
            "<a:Tagging xmlns:a='x'><TagSet><Tag><Key>k</Key><Value/></Tag></TagSet></a:Tagging>",
            "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>"
                + "</CreateBucketConfiguration>",
        ].map { Array($0.utf8) }
    }
}
