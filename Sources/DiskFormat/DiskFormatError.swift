/// Why bytes are not what the disk format says. Bytes are input: nothing here is a programmer's error.
package enum DiskFormatError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Fewer bytes than the structure says it has.
    case truncated
    /// The magic number of the structure is not there.
    case notFound
    /// The checksum does not match: the bytes rotted, or belong to another place or time.
    case badChecksum
    /// Written by a later version, with something this one must not overlook.
    case unsupported(String)
    /// The checksum matches, but a field says what cannot be.
    case inconsistent(String)

    package var description: String {
        switch self {
        case .truncated: "cut short"
        case .notFound: "not there"
        case .badChecksum: "checksum does not match"
        case .unsupported(let what): "needs a later version of Cairn: \(what)"
        case .inconsistent(let what): "inconsistent: \(what)"
        }
    }
}
