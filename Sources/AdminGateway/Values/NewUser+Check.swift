extension NewUser {
    /// The name of the user whose keys are in the data folder.
    package static let rootName = "root"
    /// Hexadecimal digits of a canonical id, as AWS's has.
    package static let idLength = 64

    /// Refuses a second root, and an id that is none. Root is no row of the metadata, where names and ids are held
    /// apart; and whoever has root's id owns root's buckets.
    package func check(rootID: String) throws(AdminError) {
        guard name.lowercased() != Self.rootName else {
            throw AdminError(.conflict, "root is there already: its keys are in the data folder")
        }
        guard let id else { return }
        guard id.utf8.count == Self.idLength, id.utf8.allSatisfy(Self.isDigit) else {
            throw AdminError(
                .badRequest,
                "the id \(id) is none: a canonical id has \(Self.idLength) hexadecimal digits, in lower case",
                advice: "leave --id out, and the store makes one"
            )
        }
        guard id != rootID else {
            throw AdminError(.conflict, "the id \(id) is root's", advice: "give another --id, or none")
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
        default: false
        }
    }
}
