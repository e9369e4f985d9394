import AdminGateway
import Foundation
import LinuxSystem
import ObjectModel
import SystemInterface

/// The keys of the root user: from the environment, else generated once, kept in `DIR/credentials`, and shown once.
struct RootCredentials: Sendable {
    var accessKey: String
    var secretKey: String
    /// Generated, and not shown to anybody yet: a start that failed on the way has not shown them.
    var isUnseen: Bool

    static let accessKeyVariable = "CAIRN_ROOT_ACCESS_KEY"
    static let secretKeyVariable = "CAIRN_ROOT_SECRET_KEY"

    static func load(folder: DataFolder, files: LinuxFileSystem, random: LinuxRandom) async throws -> RootCredentials {
        let environment = ProcessInfo.processInfo.environment
        switch (environment[accessKeyVariable], environment[secretKeyVariable]) {
        case (let access?, let secret?):
            guard !access.isEmpty, !secret.isEmpty else {
                throw ServeError("\(accessKeyVariable) and \(secretKeyVariable) must not be empty")
            }
            guard NewUser.isAccessKey(access) else {
                throw ServeError("\(accessKeyVariable) is no access key: give \(NewUser.accessKeyRule)")
            }
            // It is a line of the recovery kit.
            guard NewUser.isOneLine(secret) else {
                throw ServeError(
                    "\(secretKeyVariable) holds a line break or another control character: give one without"
                )
            }
            return RootCredentials(accessKey: access, secretKey: secret, isUnseen: false)
        case (nil, nil): break
        default: throw ServeError("give both \(accessKeyVariable) and \(secretKeyVariable), or neither")
        }
        if let text = try DataFolder.read(folder.credentials) {
            var known = try parse(text, path: folder.credentials)
            known.isUnseen = FileManager.default.fileExists(atPath: folder.unseenMark)
            return known
        }
        let made = RootCredentials(
            accessKey: KeyText.accessKey(random),
            secretKey: KeyText.secretKey(random),
            isUnseen: true
        )
        try await DataFolder.writeSecret("", name: DataFolder.unseenMarkName, in: files)
        let text = "access_key=\(made.accessKey)\nsecret_key=\(made.secretKey)\n"
        try await DataFolder.writeSecret(text, name: "credentials", in: files)
        return made
    }

    /// The lines that show keys which nobody has seen; nothing for others.
    func lines(folder: String) -> [String] {
        guard isUnseen else { return [] }
        return [
            "root access key: \(accessKey)", "root secret key: \(secretKey)",
            "(kept in \(folder)/credentials and not shown again)",
        ]
    }

    /// They have been shown. Where that cannot be noted they are shown once more.
    static func noteSeen(in folder: DataFolder) { try? FileManager.default.removeItem(atPath: folder.unseenMark) }

    private static func parse(_ text: String, path: String) throws -> RootCredentials {
        var fields: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { fields[String(parts[0])] = String(parts[1]) }
        }
        guard let access = fields["access_key"], let secret = fields["secret_key"] else {
            throw ServeError("\(path) holds no access_key and secret_key: restore it, or remove it to make new ones")
        }
        return RootCredentials(accessKey: access, secretKey: secret, isUnseen: false)
    }
}

/// Keys as AWS forms them: 20 capital letters and digits, and 40 characters.
enum KeyText {
    static func accessKey(_ random: some RandomSource) -> String {
        "AK" + text(18, of: Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8), random)
    }

    static func secretKey(_ random: some RandomSource) -> String {
        text(40, of: Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8), random)
    }

    /// `alphabet` has a power of two of characters, so that each is equally likely.
    private static func text(_ count: Int, of alphabet: [UInt8], _ random: some RandomSource) -> String {
        String(decoding: random.bytes(count).map { alphabet[Int($0) % alphabet.count] }, as: UTF8.self)
    }
}
