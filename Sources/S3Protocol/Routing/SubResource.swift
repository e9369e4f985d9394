/// Query parameters that choose another operation than the plain one: all that S3 knows, built or not.
package enum SubResource: String, CaseIterable, Sendable {
    case abac
    case accelerate
    case acl
    case analytics
    case annotation
    case annotations
    case attributes
    case cors
    case delete
    case encryption
    case intelligentTiering = "intelligent-tiering"
    case inventory
    case legalHold = "legal-hold"
    case lifecycle
    case location
    case logging
    case metadataConfiguration
    case metadataInventoryTable
    case metadataJournalTable
    case metadataTable
    case metrics
    case notification
    case objectLock = "object-lock"
    case ownershipControls
    case policy
    case policyStatus
    case publicAccessBlock
    case renameObject
    case replication
    case requestPayment
    case restore
    case retention
    case select
    case session
    case tagging
    case torrent
    case uploadId
    case uploads
    case versioning
    case versions
    case website

    private static let byName: [String: SubResource] = {
        var table = Dictionary(uniqueKeysWithValues: allCases.map { ($0.rawValue, $0) })
        // Old or alternative spellings of the same things.
        table["policystatus"] = .policyStatus
        table["requestpayment"] = .requestPayment
        return table
    }()

    package static func named(_ name: String) -> SubResource? { byName[name] }
}

/// Parameters that do not choose an operation but refine one; everything else is refused or, on reads, ignored.
enum KnownParameter {
    private static let names: Set<String> = [
        "bucket-region", "continuation-token", "delimiter", "encoding-type", "fetch-owner", "id", "key-marker",
        "list-type", "marker", "max-buckets", "max-keys", "max-parts", "max-uploads", "part-number-marker",
        "partNumber", "prefix", "response-cache-control", "response-content-disposition",
        "response-content-encoding", "response-content-language", "response-content-type", "response-expires",
        "select-type", "start-after", "upload-id-marker", "version-id-marker", "versionId",
    ]

    static func contains(_ name: String) -> Bool { names.contains(name) }

    /// `x-id`, `X-Amz-…` of presigned URLs, `x-amz-…` that stand for headers.
    static func isExtension(_ name: String) -> Bool {
        guard let first = name.utf8.first else { return false }
        return (first == UInt8(ascii: "x") || first == UInt8(ascii: "X"))
            && name.utf8.dropFirst().first == UInt8(ascii: "-")
    }
}
