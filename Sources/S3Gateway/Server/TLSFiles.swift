internal import NIOSSL

/// Why the files of TLS cannot be used, in words for their operator.
package struct TLSFileError: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

extension S3ServerConfiguration.TLSFiles {
    /// Reads both files and holds the key against the certificate: what a server would refuse is said before it starts.
    package func check() throws(TLSFileError) { _ = try configuration() }

    func configuration() throws(TLSFileError) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try certificates().map { .certificate($0) },
            privateKey: .privateKey(try privateKey())
        )
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        do {
            _ = try NIOSSLContext(configuration: configuration)
        } catch {
            throw TLSFileError("\(key) is not the key of the certificate in \(certificate): give both of one pair")
        }
        return configuration
    }

    private func certificates() throws(TLSFileError) -> [NIOSSLCertificate] {
        do {
            let found = try NIOSSLCertificate.fromPEMFile(certificate)
            if !found.isEmpty { return found }
        } catch {
            // What it says names neither the file nor what is wrong with it.
        }
        throw TLSFileError("\(certificate) cannot be read or holds no certificate: give a PEM file of the chain")
    }

    private func privateKey() throws(TLSFileError) -> NIOSSLPrivateKey {
        do {
            return try NIOSSLPrivateKey(file: key, format: .pem)
        } catch {
            throw TLSFileError("\(key) cannot be read or holds no key: give a PEM file of the certificate's key")
        }
    }
}
