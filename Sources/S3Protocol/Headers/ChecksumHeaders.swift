import Checksums
import ObjectModel

/// The checksum headers of a request and their names.
package enum ChecksumHeaders {
    package static func headerName(_ algorithm: ObjectChecksum.Algorithm) -> String {
        switch algorithm {
        case .crc32: "x-amz-checksum-crc32"
        case .crc32c: "x-amz-checksum-crc32c"
        case .crc64nvme: "x-amz-checksum-crc64nvme"
        case .sha1: "x-amz-checksum-sha1"
        case .sha256: "x-amz-checksum-sha256"
        case .sha512: "x-amz-checksum-sha512"
        case .md5: "x-amz-checksum-md5"
        case .xxhash64: "x-amz-checksum-xxhash64"
        case .xxhash3: "x-amz-checksum-xxhash3"
        case .xxhash128: "x-amz-checksum-xxhash128"
        }
    }

    /// As in XML and in `x-amz-checksum-algorithm`.
    package static func name(_ algorithm: ObjectChecksum.Algorithm) -> String {
        switch algorithm {
        case .crc32: "CRC32"
        case .crc32c: "CRC32C"
        case .crc64nvme: "CRC64NVME"
        case .sha1: "SHA1"
        case .sha256: "SHA256"
        case .sha512: "SHA512"
        case .md5: "MD5"
        case .xxhash64: "XXHASH64"
        case .xxhash3: "XXHASH3"
        case .xxhash128: "XXHASH128"
        }
    }

    package static func digestLength(_ algorithm: ObjectChecksum.Algorithm) -> Int {
        switch algorithm {
        case .crc32, .crc32c: 4
        case .crc64nvme, .xxhash64, .xxhash3: 8
        case .md5, .xxhash128: 16
        case .sha1: 20
        case .sha256: 32
        case .sha512: 64
        }
    }

    package static func name(_ kind: ObjectChecksum.Kind) -> String {
        switch kind {
        case .fullObject: "FULL_OBJECT"
        case .composite: "COMPOSITE"
        }
    }

    /// The text of a checksum: base64, and `-N` for one over N parts.
    package static func text(_ checksum: ObjectChecksum) -> String {
        let base = Base64.encode(checksum.value)
        return checksum.kind == .composite && checksum.partCount > 0 ? "\(base)-\(checksum.partCount)" : base
    }

    package static func algorithm(named text: String) -> ObjectChecksum.Algorithm? {
        ObjectChecksum.Algorithm.allCases.first { name($0) == text.uppercased() }
    }

    private static func algorithm(header: String) -> ObjectChecksum.Algorithm? {
        ObjectChecksum.Algorithm.allCases.first { headerName($0) == header }
    }

    /// A digest stated by a client.
    package struct Value: Hashable, Sendable {
        package var algorithm: ObjectChecksum.Algorithm
        package var digest: [UInt8]

        package init(algorithm: ObjectChecksum.Algorithm, digest: [UInt8]) {
            self.algorithm = algorithm
            self.digest = digest
        }

        /// The digest of base64 text; nil unless it has the algorithm's length.
        package init?(algorithm: ObjectChecksum.Algorithm, text: String) {
            guard let digest = Base64.decode(text), digest.count == digestLength(algorithm) else { return nil }
            self.init(algorithm: algorithm, digest: digest)
        }
    }

    /// What an upload's headers say of its checksum.
    package enum Declaration: Hashable, Sendable {
        case none
        case value(Value)
        /// `x-amz-trailer` announces it.
        case trailer(ObjectChecksum.Algorithm)
    }

    /// Reads an upload's headers; `hasTrailer` says whether the payload mode has one.
    package static func declaration(_ headers: S3Headers, hasTrailer: Bool) throws(S3Error) -> Declaration {
        // Nothing is made of it here, but what is stated is refused where it means nothing.
        _ = try kind(headers)
        var declared = Declaration.none
        if let stated = try onlyStated(headers) {
            guard let value = Value(algorithm: stated.algorithm, text: stated.text) else {
                throw invalid(stated.algorithm)
            }
            declared = .value(value)
        }
        if let announced = try trailerAlgorithm(headers) {
            guard case .none = declared else { throw several() }
            // A body without a trailer cannot keep what was announced.
            guard hasTrailer else { throw S3Error(.malformedTrailer) }
            declared = .trailer(announced)
        }
        try checkSDKAlgorithm(headers, declared)
        return declared
    }

    /// The one header that states a digest, whatever its value is: several are several even where none can be one.
    private static func onlyStated(
        _ headers: S3Headers
    ) throws(S3Error) -> (algorithm: ObjectChecksum.Algorithm, text: String)? {
        var found: (algorithm: ObjectChecksum.Algorithm, text: String)?
        try headers.forEach(prefix: "x-amz-checksum-") { (name, text) throws(S3Error) in
            guard let algorithm = algorithm(header: name) else { return try checkSetting(name) }
            guard found == nil else { throw several() }
            found = (algorithm, text)
        }
        return found
    }

    private static func invalid(_ algorithm: ObjectChecksum.Algorithm) -> S3Error {
        S3Error(.invalidRequest, "Value for \(headerName(algorithm)) header is invalid.")
    }

    /// Headers of this family that state no digest. Any other name states one by an algorithm that is not built: it
    /// cannot be compared, so it is refused.
    private static let settings: Set<String> = [
        "x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-checksum-mode",
    ]

    private static func checkSetting(_ name: String) throws(S3Error) {
        guard settings.contains(name) else {
            throw S3Error(
                .invalidRequest,
                "The algorithm type you specified in x-amz-checksum- header is invalid.",
                details: [("Header", name)]
            )
        }
    }

    /// The digest of a whole multipart object that a completion states; `-N`, the number of parts, may follow it.
    package static func ofObject(_ headers: S3Headers) throws(S3Error) -> (value: Value, partCount: Int?)? {
        guard let stated = try onlyStated(headers) else { return nil }
        let halves = stated.text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let count = halves.count == 2 ? DecimalText.value(halves[1]) : nil
        guard let value = Value(algorithm: stated.algorithm, text: String(halves[0])),
            halves.count == 1 || count != nil
        else { throw invalid(stated.algorithm) }
        return (value, count)
    }

    /// The lower-case names that `x-amz-trailer` announces.
    package static func announcedTrailers(_ headers: S3Headers) -> [String] {
        guard let text = headers.value("x-amz-trailer") else { return [] }
        return text.split(separator: ",").map { $0.filter { $0 != " " }.lowercased() }
    }

    private static func trailerAlgorithm(_ headers: S3Headers) throws(S3Error) -> ObjectChecksum.Algorithm? {
        let names = announcedTrailers(headers)
        guard !names.isEmpty else { return nil }
        guard names.count == 1, let algorithm = algorithm(header: names[0]) else {
            throw S3Error(.invalidRequest, "The value specified in the x-amz-trailer header is not supported")
        }
        return algorithm
    }

    /// `x-amz-sdk-checksum-algorithm` must agree with what comes.
    private static func checkSDKAlgorithm(_ headers: S3Headers, _ declared: Declaration) throws(S3Error) {
        guard let text = headers.value("x-amz-sdk-checksum-algorithm"), !text.isEmpty else { return }
        guard let algorithm = algorithm(named: text) else {
            throw S3Error(.invalidRequest, "Value for x-amz-sdk-checksum-algorithm header is invalid.")
        }
        switch declared {
        case .value(let value) where value.algorithm == algorithm: return
        case .trailer(let trailing) where trailing == algorithm: return
        case .none:
            throw S3Error(
                .invalidRequest,
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
                    + "headers were found."
            )
        default: throw S3Error(.invalidRequest, "Value for x-amz-sdk-checksum-algorithm header is invalid.")
        }
    }

    private static func several() -> S3Error {
        S3Error(
            .invalidRequest,
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    }

    /// `x-amz-checksum-algorithm` and `x-amz-checksum-type` of a new multipart upload or a copy.
    package static func algorithm(
        _ headers: S3Headers
    ) throws(S3Error) -> (algorithm: ObjectChecksum.Algorithm?, kind: ObjectChecksum.Kind?) {
        let kind = try self.kind(headers)
        guard let text = headers.value("x-amz-checksum-algorithm"), !text.isEmpty else {
            guard kind == nil else {
                throw S3Error(
                    .invalidRequest,
                    "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
                )
            }
            return (nil, nil)
        }
        guard let algorithm = algorithm(named: text) else {
            throw S3Error(
                .invalidRequest,
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
                    + "[CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]"
            )
        }
        let fallback: ObjectChecksum.Kind = algorithm == .crc64nvme ? .fullObject : .composite
        let chosen = kind ?? fallback
        let isPossible =
            switch algorithm {
            case .crc32, .crc32c: true
            case .crc64nvme: chosen == .fullObject
            case .sha1, .sha256, .sha512, .md5, .xxhash64, .xxhash3, .xxhash128: chosen == .composite
            }
        guard isPossible else {
            throw S3Error(
                .invalidRequest,
                "The \(name(chosen)) checksum type cannot be used with the \(name(algorithm).lowercased()) checksum "
                    + "algorithm."
            )
        }
        return (algorithm, chosen)
    }

    package static func kind(_ headers: S3Headers) throws(S3Error) -> ObjectChecksum.Kind? {
        switch headers.value("x-amz-checksum-type")?.uppercased() {
        case nil: return nil
        case "FULL_OBJECT": return .fullObject
        case "COMPOSITE": return .composite
        default: throw S3Error(.invalidRequest, "Value for x-amz-checksum-type header is invalid.")
        }
    }

    /// `x-amz-checksum-mode: ENABLED` of a GET or HEAD.
    package static func isModeEnabled(_ headers: S3Headers) -> Bool {
        headers.value("x-amz-checksum-mode")?.uppercased() == "ENABLED"
    }

    /// The 16 bytes of `Content-MD5`; nil when there is none.
    package static func contentMD5(_ headers: S3Headers) throws(S3Error) -> [UInt8]? {
        guard let text = headers.value("content-md5") else { return nil }
        guard let digest = Base64.decode(text), digest.count == 16 else {
            throw S3Error(.invalidDigest, details: [("Content-MD5", text)])
        }
        return digest
    }
}
