import Checksums
import ClusterTransport
import Foundation

/// The lines of a recovery kit: `name: value`, one a line; certificates and keys in base64.
enum RecoveryKitText {
    static func lines(authority: ClusterAuthority, scheme: String, region: String, root: RootCredentials) -> [String] {
        [
            "scheme: \(scheme)", "region: \(region)",
            "authority-certificate: \(Base64.encode(Array(authority.certificatePEM.utf8)))",
            "authority-key: \(Base64.encode(Array(authority.keyPEM.utf8)))",
            "root-access-key: \(root.accessKey)", "root-secret-key: \(root.secretKey)",
        ]
    }

    /// What a kit says; throws when a line that a take-over needs is missing.
    struct Kit {
        var cluster: String
        var masterKey: String
        var scheme: String
        var region: String
        var authorityCertificate: String
        var authorityKey: String
        var accessKey: String
        var secretKey: String

        init(_ text: String, file: String) throws {
            var fields: [String: String] = [:]
            for line in text.split(separator: "\n") {
                guard let colon = line.firstIndex(of: ":") else { continue }
                let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
                fields[String(line[..<colon])] = value
            }
            func field(_ name: String) throws -> String {
                guard let value = fields[name], !value.isEmpty else {
                    throw ServeError("\(file) is no recovery kit of a cluster: it has no line `\(name): …`")
                }
                return value
            }
            func decoded(_ name: String) throws -> String {
                guard let bytes = Base64.decode(try field(name)), let text = String(validating: bytes, as: UTF8.self)
                else { throw ServeError("\(file): the line `\(name)` is damaged") }
                return text
            }
            cluster = try field("cluster-id")
            masterKey = try field("master-key")
            scheme = try field("scheme")
            region = try field("region")
            authorityCertificate = try decoded("authority-certificate")
            authorityKey = try decoded("authority-key")
            accessKey = try field("root-access-key")
            secretKey = try field("root-secret-key")
        }
    }
}
