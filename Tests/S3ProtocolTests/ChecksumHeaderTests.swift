import Checksums
import HTTPTypes
import ObjectModel
import S3Protocol
import Testing

@Suite("Checksum headers")
struct ChecksumHeaderTests {
    private static func headers(_ fields: [(String, String)]) throws -> S3Headers {
        var all = HTTPFields()
        for (name, value) in fields { all.append(HTTPField(name: try #require(HTTPField.Name(name)), value: value)) }
        return S3Headers(fields: all, query: try QueryParameters(""))
    }

    private static func code(_ body: () throws -> Void) -> S3ErrorCode? {
        do {
            try body()
            return nil
        } catch {
            return (error as? S3Error)?.code
        }
    }

    @Test("Each algorithm is known by its name, and a digest has the length of what is computed")
    func names() throws {
        #expect(ObjectChecksum.Algorithm.allCases.count == ChecksumAlgorithm.allCases.count)
        for algorithm in ObjectChecksum.Algorithm.allCases {
            let name = ChecksumHeaders.name(algorithm)
            let computed = try #require(ChecksumAlgorithm(rawValue: name))
            #expect(ChecksumHeaders.headerName(algorithm) == "x-amz-checksum-\(name.lowercased())")
            #expect(ChecksumHeaders.digestLength(algorithm) == computed.digestLength)
            #expect(ChecksumHeaders.algorithm(named: name.lowercased()) == algorithm)
        }
    }

    @Test("Each algorithm is taken in a header and in a trailer", arguments: ObjectChecksum.Algorithm.allCases)
    func declarations(algorithm: ObjectChecksum.Algorithm) throws {
        let name = ChecksumHeaders.headerName(algorithm)
        let digest = [UInt8](repeating: 7, count: ChecksumHeaders.digestLength(algorithm))
        let stated = (name, Base64.encode(digest))
        let sdk = ("x-amz-sdk-checksum-algorithm", ChecksumHeaders.name(algorithm))
        let value = ChecksumHeaders.Declaration.value(.init(algorithm: algorithm, digest: digest))
        #expect(try ChecksumHeaders.declaration(Self.headers([stated, sdk]), hasTrailer: false) == value)
        let announced = try Self.headers([("x-amz-trailer", name), sdk])
        #expect(try ChecksumHeaders.declaration(announced, hasTrailer: true) == .trailer(algorithm))
        let short = try Self.headers([(name, Base64.encode(digest.dropLast()))])
        #expect(Self.code { _ = try ChecksumHeaders.declaration(short, hasTrailer: false) } == .invalidRequest)
        let whole = try ChecksumHeaders.ofObject(Self.headers([(name, stated.1 + "-3")]))
        #expect(whole?.value.digest == digest && whole?.partCount == 3)
    }

    @Test("Two checksum headers are two, also where neither has a value that can be one")
    func several() throws {
        let two = try Self.headers([("x-amz-checksum-crc32", ""), ("x-amz-checksum-sha1", "")])
        for read in [
            { _ = try ChecksumHeaders.declaration(two, hasTrailer: false) }, { _ = try ChecksumHeaders.ofObject(two) },
        ] as [() throws -> Void] {
            #expect {
                try read()
            } throws: { error in
                (error as? S3Error)?.message
                    == "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
            }
        }
    }

    @Test("The type of an upload's checksum is refused where it is none")
    func unknownType() throws {
        let stated = ("x-amz-checksum-crc32", "NSRBwg==")
        let types: [(String, S3ErrorCode?)] = [("JUNK", .invalidRequest), ("FULL_OBJECT", nil)]
        for (type, refusal) in types {
            let headers = try Self.headers([stated, ("x-amz-checksum-type", type)])
            #expect(Self.code { _ = try ChecksumHeaders.declaration(headers, hasTrailer: false) } == refusal)
        }
    }

    @Test("Uploads: a CRC may be of the whole, all but CRC64NVME may be of the parts' checksums, and are unless asked")
    func kinds() throws {
        for algorithm in ObjectChecksum.Algorithm.allCases {
            let computed = try #require(ChecksumAlgorithm(rawValue: ChecksumHeaders.name(algorithm)))
            let named = ("x-amz-checksum-algorithm", ChecksumHeaders.name(algorithm))
            let isComposite = algorithm != .crc64nvme
            let chosen = try ChecksumHeaders.algorithm(Self.headers([named]))
            #expect(chosen.algorithm == algorithm && chosen.kind == (isComposite ? .composite : .fullObject))
            for (kind, isPossible) in [("FULL_OBJECT", computed.isCombinable), ("COMPOSITE", isComposite)] {
                let both = try Self.headers([named, ("x-amz-checksum-type", kind)])
                let refusal = Self.code { _ = try ChecksumHeaders.algorithm(both) }
                #expect(refusal == (isPossible ? nil : .invalidRequest), "\(algorithm) \(kind)")
            }
        }
    }
}
