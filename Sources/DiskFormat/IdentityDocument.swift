internal import ObjectModel

/// The readable evidence in a trailer's identity block: which objects' bytes the blob holds (DESIGN §6).
///
/// `{"v":1,"objects":[{"bucket":…,"key":…,"type":…,"offset":…,"length":…,"start":…,"upload":…,"part":…}]}`, `upload`
/// and `part` only for parts. Evidence, not authority: names, order, deletes and tags are in the journal.
package struct IdentityDocument: Hashable, Sendable {
    package struct Object: Hashable, Sendable {
        package var bucket: String
        package var key: String
        package var contentType: String
        /// Where the bytes stand in the object or part.
        package var offset: Int
        package var length: Int
        /// Where they begin in the logical bytes of the blob.
        package var start: Int
        /// Of a part: its upload and number.
        package var upload: String?
        package var part: Int?

        package init(
            bucket: String,
            key: String,
            contentType: String,
            offset: Int,
            length: Int,
            start: Int,
            upload: String? = nil,
            part: Int? = nil
        ) {
            self.bucket = bucket
            self.key = key
            self.contentType = contentType
            self.offset = offset
            self.length = length
            self.start = start
            self.upload = upload
            self.part = part
        }
    }

    package var objects: [Object]

    package init(objects: [Object]) { self.objects = objects }

    package func encoded() -> IdentityBlock {
        var text = JSONText()
        text.raw("{\"v\":1,\"objects\":[")
        for (place, object) in objects.enumerated() {
            text.raw(place == 0 ? "{\"bucket\":" : ",{\"bucket\":")
            text.string(object.bucket)
            text.raw(",\"key\":")
            text.string(object.key)
            text.raw(",\"type\":")
            text.string(object.contentType)
            text.raw(",\"offset\":\(object.offset),\"length\":\(object.length),\"start\":\(object.start)")
            if let upload = object.upload, let part = object.part {
                text.raw(",\"upload\":")
                text.string(upload)
                text.raw(",\"part\":\(part)")
            }
            text.raw("}")
        }
        text.raw("]}")
        return IdentityBlock(encoding: .json, bytes: text.bytes)
    }
}

/// JSON text in the making (RFC 8259): strings escaped, nothing else interpreted.
private struct JSONText {
    private(set) var bytes: [UInt8] = []

    mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                raw("\\u00" + Hexadecimal.text(CollectionOfOne(byte)))
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
