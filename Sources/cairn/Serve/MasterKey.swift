import Checksums
import Crypto
import Foundation
import LinuxSystem
import ObjectModel
import SystemInterface

/// The key under which users' secrets are sealed before they reach metadata, and so the disks (DESIGN §10).
struct MasterKey: Sendable {
    /// 32 random bytes.
    private let key: SymmetricKey
    static let length = 32

    /// The key as a line of text, for the file and the recovery kit.
    var text: String { key.withUnsafeBytes { Base64.encode(Array($0)) } }

    init(_ bytes: [UInt8]) { key = SymmetricKey(data: bytes) }

    /// Reads `given`, else the data folder's key, else makes one there. `isExpected`: whether the folder has had one,
    /// so that a new one is told.
    static func load(
        given: String?,
        folder: DataFolder,
        files: LinuxFileSystem,
        isExpected: Bool
    ) async throws -> MasterKey {
        if let given {
            guard let text = try DataFolder.read(given) else { throw ServeError("--master-key: no file \(given)") }
            return try parse(text, source: given)
        }
        if let text = try DataFolder.read(folder.masterKey) { return try parse(text, source: folder.masterKey) }
        let made = MasterKey(LinuxRandom().bytes(length))
        try await DataFolder.writeSecret(made.text + "\n", name: "master.key", in: files)
        if isExpected { warnOfNew(in: folder) }
        return made
    }

    /// A store that had a key has another now: the kit that was taken holds the old one. It goes on, because the disks
    /// can be read with any; only users' secrets cannot.
    private static func warnOfNew(in folder: DataFolder) {
        try? FileManager.default.removeItem(atPath: folder.recoveryKitMark)
        let text = """
            warning: \(folder.masterKey) was missing, and a new key was made in its place. The secrets of users that \
            were made before cannot be opened with it: stop, put the key of the recovery kit back, or give it with \
            --master-key. If it is lost, make the users anew and take a new recovery kit.
            """
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    private static func parse(_ text: String, source: String) throws -> MasterKey {
        guard let bytes = Base64.decode(text.trimmingCharacters(in: .whitespacesAndNewlines)), bytes.count == length
        else {
            throw ServeError("\(source) is no master key: it must hold 32 bytes in base64")
        }
        return MasterKey(bytes)
    }

    /// AES-256-GCM with a random nonce; `purpose` binds the sealed bytes to what they are for.
    func seal(_ secret: String, purpose: String) throws -> [UInt8] {
        let box = try AES.GCM.seal(Array(secret.utf8), using: key, authenticating: Array(purpose.utf8))
        guard let combined = box.combined else { throw ServeError("a secret could not be sealed") }
        return Array(combined)
    }

    /// Throws when the bytes were changed, or sealed under another key or for another purpose.
    func open(_ sealed: [UInt8], purpose: String) throws -> String {
        let box = try AES.GCM.SealedBox(combined: sealed)
        let bytes = try AES.GCM.open(box, using: key, authenticating: Array(purpose.utf8))
        guard let text = String(validating: Array(bytes), as: UTF8.self) else {
            throw ServeError("a sealed secret is not text")
        }
        return text
    }
}
