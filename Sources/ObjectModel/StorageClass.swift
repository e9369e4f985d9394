/// A storage class: the name by which clients and buckets choose a scheme (`x-amz-storage-class`).
///
/// A class is a name and nothing else: placement groups belong to schemes, and all classes of one scheme share its
/// groups. `STANDARD` always exists, is the scheme that the store was made with, and is nowhere recorded.
package struct StorageClass: Hashable, Sendable {
    package var name: String
    package var scheme: Scheme

    package init(name: String, scheme: Scheme) {
        self.name = name
        self.scheme = scheme
    }

    package static let standard = ObjectAttributes.defaultStorageClass
    /// Bytes of a name at most.
    package static let nameLimit = 32
    /// Classes of a store at most, `STANDARD` not counted: each scheme in use has packs and groups of its own.
    package static let limit = 32

    /// Whether a class may be called so: upper-case letters, digits, `_` and `-`.
    package static func isName(_ text: String) -> Bool {
        (1...nameLimit).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
