import Crypto
import Synchronization

/// The signing keys derived lately: four HMACs saved on each request.
///
/// A key is used again only when the secret it was made from is still the user's secret.
package final class SigningKeyCache: Sendable {
    private struct Name: Hashable {
        var accessKey: String
        var date: String
    }

    private struct Entry {
        var secret: String
        var key: SymmetricKey
    }

    /// Access keys times days in use at once; beyond it all are dropped, which costs microseconds.
    private static let limit = 1_024

    private let region: String
    private let entries = Mutex<[Name: Entry]>([:])

    package init(region: String) { self.region = region }

    /// The key for one access key and day. `remember` is false for keys of nobody.
    package func key(accessKey: String, secret: String, date: String, remember: Bool = true) -> SymmetricKey {
        let name = Name(accessKey: accessKey, date: date)
        if remember, let entry = entries.withLock({ $0[name] }), entry.secret == secret { return entry.key }
        let key = Self.derive(secret: secret, date: date, region: region)
        if remember {
            entries.withLock { entries in
                if entries.count >= Self.limit { entries.removeAll(keepingCapacity: true) }
                entries[name] = Entry(secret: secret, key: key)
            }
        }
        return key
    }

    package static func derive(secret: String, date: String, region: String) -> SymmetricKey {
        var key = SymmetricKey(data: Array(("AWS4" + secret).utf8))
        for part in [date, region, CredentialScope.service, CredentialScope.terminator] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
        }
        return key
    }
}
