internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import SystemInterface
internal import X509

/// Why a connection did not come about, or ended, in words for a log: the libraries tell it by places in their sources.
enum ConnectionTrouble {
    /// Of an attempt that ended before anything was said.
    static let nobody = "nobody takes calls there, or hangs up at once"
    /// What goes before the library's name of a reason, in what it says of an error.
    private static let reasonMark = "OPENSSL_internal:"

    /// Names of the library's reasons; `verification` is said of the certificate itself.
    private static let verification = "CERTIFICATE_VERIFY_FAILED"
    private static let words = [
        "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate",
        "HTTP_REQUEST": "it speaks HTTP, not the cluster's TLS",
        "HTTPS_PROXY_REQUEST": "it speaks HTTP, not the cluster's TLS",
        "WRONG_VERSION_NUMBER": "what it speaks is not TLS",
        "UNSUPPORTED_PROTOCOL": "it speaks an older TLS than 1.3",
        "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks an older TLS than 1.3",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it refuses this process's certificate, which has expired by its clock",
        "TLSV1_ALERT_UNKNOWN_CA": "it refuses this process's certificate, as of another cluster",
        "SSLV3_ALERT_BAD_CERTIFICATE": "it refuses this process's certificate",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it refuses this process's certificate",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it refuses this process's certificate",
        "TLSV1_CERTIFICATE_REQUIRED": "it wants a certificate",
        "TLSV1_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate",
    ]

    /// nil for what is no error of TLS. `certificate` is asked for the peer's only where it was refused.
    static func ofTLS(_ error: any Error, now: WallTime, certificate: () -> [UInt8]?) -> String? {
        let failure: BoringSSLError
        switch error {
        case NIOSSLError.handshakeFailed(let cause): failure = cause
        case let cause as BoringSSLError: failure = cause
        default: return nil
        }
        guard case .sslError(let stack) = failure else { return "TLS failed" }
        guard !stack.contains(.eofDuringHandshake) else { return "it hung up before the end of the handshake" }
        let reasons = stack.compactMap { reason(in: $0.description) }
        guard !reasons.contains(verification) else { return objection(to: certificate(), now: now) }
        return reasons.compactMap { words[$0] }.first
            ?? (["TLS failed"] + reasons.map { $0.lowercased().replacing("_", with: " ") }).joined(separator: ": ")
    }

    /// Of whatever ended a connection, or an attempt at one.
    static func text(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            let failures = error.connectionErrors.map { text($0.error) }
            return failures.isEmpty ? "no address is known for \(error.host)" : failures.joined(separator: "; ")
        case let error as IOError: return words(error.errnoCode) ?? "\(error)"
        case ChannelError.connectTimeout: return "there is no answer from there"
        case NIOSSLError.uncleanShutdown: return "it hung up in the middle"
        default: return "\(error)"
        }
    }

    private static func words(_ number: CInt) -> String? {
        switch number {
        case ECONNREFUSED: "nobody listens there"
        case EHOSTUNREACH, ENETUNREACH: "there is no way there"
        case ETIMEDOUT: "there is no answer from there"
        case ECONNRESET, EPIPE: "it was cut off"
        default: nil
        }
    }

    /// `ADDRESS:PORT`.
    static func address(_ address: SocketAddress?) -> String {
        guard let address, let host = address.ipAddress, let port = address.port else { return "unknown" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    private static func reason(in text: String) -> String? {
        guard let mark = text.firstRange(of: reasonMark) else { return nil }
        return String(text[mark.upperBound...].prefix { $0 == "_" || $0.isASCII && ($0.isLetter || $0.isNumber) })
    }

    /// What is wrong with a certificate that TLS has refused. What it says of itself is a stranger's word.
    private static func objection(to der: [UInt8]?, now: WallTime) -> String {
        guard let der, let leaf = try? CertificateReading.parse(der: der),
            let subject = try? CertificateReading.subject(leaf), CertificateReading.isValidName(subject.cluster)
        else { return "its certificate is no cluster member's" }
        let what = "its certificate (\(subject.role.rawValue) \(subject.name) of cluster \(subject.cluster))"
        do {
            try CertificateReading.checkDates(leaf, now: now)
            return "\(what) was not made by this cluster's authority"
        } catch {
            return "\(what) has expired, or is not valid yet: are both clocks right?"
        }
    }
}
