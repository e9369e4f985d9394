import HTTPTypes

/// The canonical request of SigV4 ("Create a signed AWS API request", AWS General Reference), for S3: the path is
/// neither normalized nor encoded twice.
enum CanonicalRequest {
    static func bytes(of request: SignedRequest, claim: SignatureClaim) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(1_024)
        output.append(contentsOf: request.method.rawValue.utf8)
        output.append(newline)
        PercentCoding.append(request.target.path, keepsSlash: true, to: &output)
        output.append(newline)
        appendQuery(request.query, to: &output)
        output.append(newline)
        for name in claim.signedHeaders { appendHeader(name, of: request, to: &output) }
        output.append(newline)
        var isFirst = true
        for name in claim.signedHeaders {
            if !isFirst { output.append(UInt8(ascii: ";")) }
            isFirst = false
            output.append(contentsOf: name.utf8)
        }
        output.append(newline)
        output.append(contentsOf: claim.payloadHash.utf8)
        return output
    }

    private static let newline = UInt8(ascii: "\n")

    /// Sorted by encoded name, then value; the signature itself is left out.
    private static func appendQuery(_ query: QueryParameters, to output: inout [UInt8]) {
        guard !query.isEmpty else { return }
        var pairs: [[UInt8]] = []
        for parameter in query.parameters where parameter.name != "X-Amz-Signature" {
            var pair: [UInt8] = []
            PercentCoding.append(parameter.name.utf8, keepsSlash: false, to: &pair)
            // NUL sorts before all that an encoded name or value can hold, so that a shorter name comes first.
            pair.append(0)
            PercentCoding.append(parameter.value.utf8, keepsSlash: false, to: &pair)
            pairs.append(pair)
        }
        pairs.sort { $0.lexicographicallyPrecedes($1) }
        var isFirst = true
        for pair in pairs {
            if !isFirst { output.append(UInt8(ascii: "&")) }
            isFirst = false
            for byte in pair { output.append(byte == 0 ? UInt8(ascii: "=") : byte) }
        }
    }

    /// `name:value` with white space trimmed and runs of it made one space; several fields joined by commas.
    private static func appendHeader(_ name: Substring, of request: SignedRequest, to output: inout [UInt8]) {
        output.append(contentsOf: name.utf8)
        output.append(UInt8(ascii: ":"))
        if name == "host" {
            appendTrimmed(request.host.utf8, to: &output)
        } else {
            var isFirst = true
            for field in request.fields where field.name.canonicalName == name {
                if !isFirst { output.append(UInt8(ascii: ",")) }
                isFirst = false
                field.withUnsafeBytesOfValue { appendTrimmed($0, to: &output) }
            }
        }
        output.append(newline)
    }

    private static func appendTrimmed(_ value: some Sequence<UInt8>, to output: inout [UInt8]) {
        let start = output.count
        var pendingSpace = false
        for byte in value {
            if byte == 0x20 || byte == 0x09 {
                pendingSpace = output.count > start
            } else {
                if pendingSpace { output.append(0x20) }
                pendingSpace = false
                output.append(byte)
            }
        }
    }
}
