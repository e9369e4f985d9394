internal import Checksums
internal import ObjectModel

/// File names for keys: readable where the key is, and safe and unambiguous whatever the key is.
///
/// The key is cut at `/`; each piece is a name. Within a piece control characters (0 to 31, 127) and `%` are written
/// `%XX`; the names `.` and `..` are `%2E` and `%2E%2E`; an empty piece (of `//`, or of a `/` at either end) is `%2F`.
/// A piece of more than 200 bytes so written is cut into directories that end in `%+`. The object of a key that other
/// keys continue with `/` gets a file name that ends in `%=`. A key whose path would be longer than systems take is a
/// file `%~` with the key's SHA-256. Since no other name holds a `%` without two digits behind it, every name stands
/// for one key only. Docs/DisasterRecovery.md.
package enum SafeName {
    /// Bytes of one name before its mark: file systems take 255.
    package static let nameLimit = 200
    /// Bytes of a key's path: Linux takes 4,095 in all, with the folders above and what marks the file.
    package static let pathLimit = 3_000
    /// Begins the name that stands for a path above the limit.
    package static let shortened = "%~"
    /// Ends a directory whose name goes on in the next one.
    package static let continued = "%+"
    /// Ends the file of a key that is also a folder of other keys.
    package static let alsoFolder = "%="

    /// The path of an object's file below its bucket's folder.
    package static func path(_ key: String, isAlsoFolder: Bool = false) -> String {
        // By bytes: a `/` before a combining mark is no character of its own.
        let path = key.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { piece(String(decoding: $0, as: UTF8.self)) }.joined(separator: "/")
        // Keys that go on from this one have longer paths still: nobody needs a folder of this name.
        guard path.utf8.count <= pathLimit else { return short(key) }
        return path + (isAlsoFolder ? alsoFolder : "")
    }

    /// A name of fixed length that stands for a key or path: the SHA-256, so that nobody makes two that share it.
    static func short(_ text: String) -> String {
        shortened + Hexadecimal.text(MessageDigest.sha256.digest(Array(text.utf8)))
    }

    /// The key of a path that `path` gave; nil for any other, and for a short one, which does not hold it.
    package static func key(ofPath path: String) -> String? {
        var names = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { Array($0) }
        guard var last = names.popLast() else { return nil }
        if last.hasEnd(alsoFolder) { last.removeLast(alsoFolder.utf8.count) }
        names.append(last)
        var bytes: [UInt8] = []
        for (place, name) in names.enumerated() {
            let isContinued = place < names.count - 1 && name.hasEnd(continued)
            guard let piece = decoded(isContinued ? name.dropLast(continued.utf8.count) : name[...]) else { return nil }
            bytes += piece
            if place < names.count - 1, !isContinued { bytes.append(UInt8(ascii: "/")) }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// One piece of a key, or a bucket's name.
    package static func piece(_ text: some StringProtocol) -> String {
        switch text {
        case "": return "%2F"
        case ".": return "%2E"
        case "..": return "%2E%2E"
        default: break
        }
        var result = ""
        var length = 0
        for scalar in text.unicodeScalars {
            let written = escaped(scalar)
            if length + written.utf8.count > nameLimit {
                result += continued + "/"
                length = 0
            }
            result += written
            length += written.utf8.count
        }
        return result
    }

    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        guard scalar.value < 0x20 || scalar.value == 0x7F || scalar == "%" || scalar == "/" else {
            return String(Character(scalar))
        }
        let digits = String(scalar.value, radix: 16, uppercase: true)
        return "%" + (digits.count < 2 ? "0" : "") + digits
    }

    private static func decoded(_ name: ArraySlice<UInt8>) -> [UInt8]? {
        if name.elementsEqual("%2F".utf8) { return [] }
        var result: [UInt8] = []
        var rest = name
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                result.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            rest = rest.dropFirst(2)
            result.append(value)
        }
        return result
    }
}

extension Array<UInt8> {
    fileprivate func hasEnd(_ mark: String) -> Bool { suffix(mark.utf8.count).elementsEqual(mark.utf8) }
}
