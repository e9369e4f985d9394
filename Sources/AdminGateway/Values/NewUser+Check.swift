extension NewUser {
    /// The name of the user whose keys are in the data folder.
    package static let rootName = "root"
    /// Characters of an id. AWS's canonical ids have 64 hexadecimal digits; test suites and directories that bring
    /// their users along have shorter ones.
    package static let idLimit = 128

    /// Characters of an access key, as AWS limits them.
    package static let accessKeyLimit = 128
    /// What an access key may be, in a sentence's end.
    package static let accessKeyRule =
        "1 to \(accessKeyLimit) printable ASCII characters other than the space, comma, = and /"

    /// Whether requests can name it: in their `Authorization` a comma ends the field, and a slash the key.
    package static func isAccessKey(_ text: String) -> Bool {
        (1...accessKeyLimit).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && !Array(",=/".utf8).contains($0) }
    }

    /// Whether it stays on one line, and changes nothing on a terminal.
    package static func isOneLine(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: false
            default: true
            }
        }
    }

    /// Refuses a second root, what breaks the lines that users are listed in, an access key that no request can name,
    /// and an id that is none. Root is no row of the metadata, where names and ids are held
    /// apart; and whoever has root's id owns root's buckets.
    package func check(rootID: String) throws(AdminError) {
        guard name.lowercased() != Self.rootName else {
            throw AdminError(.conflict, "root is there already: its keys are in the data folder")
        }
        try checkTexts()
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

    private func checkTexts() throws(AdminError) {
        let texts = [("name", name), ("display name", displayName), ("email", email), ("secret key", secretKey)]
        for (what, text) in texts {
            guard let text, !Self.isOneLine(text) else { continue }
            throw AdminError(
                .badRequest,
                "the \(what) holds a line break or another control character",
                advice: "give one without"
            )
        }
        guard let accessKey, !Self.isAccessKey(accessKey) else { return }
        throw AdminError(
            .badRequest,
            "no request can name the access key that was given: it must be \(Self.accessKeyRule)",
            advice: "give another --access-key, or none, and the store makes one"
        )
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
