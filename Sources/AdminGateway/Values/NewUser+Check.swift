extension NewUser {
    /// The name of the user whose keys are in the data folder.
    package static let rootName = "root"
    /// Characters of an id. AWS's canonical ids have 64 hexadecimal digits; test suites and directories that bring
    /// their users along have shorter ones.
    package static let idLimit = 128

    /// Refuses a second root, and an id that is none. Root is no row of the metadata, where names and ids are held
    /// apart; and whoever has root's id owns root's buckets.
    package func check(rootID: String) throws(AdminError) {
        guard name.lowercased() != Self.rootName else {
            throw AdminError(.conflict, "root is there already: its keys are in the data folder")
        }
        guard let id else { return }
        guard (1...Self.idLimit).contains(id.utf8.count), id.utf8.allSatisfy(Self.isOfAnID) else {
            throw AdminError(
                .badRequest,
                "the id \(id) is none: give 1 to \(Self.idLimit) letters, digits and . _ - @ $",
                advice: "leave --id out, and the store makes one of 64 hexadecimal digits"
            )
        }
        guard id != rootID else {
            throw AdminError(.conflict, "the id \(id) is root's", advice: "give another --id, or none")
        }
    }

    private static func isOfAnID(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: Array("._-@$".utf8).contains(byte)
        }
    }
}
