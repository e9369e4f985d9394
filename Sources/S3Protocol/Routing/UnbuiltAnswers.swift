/// What a GET of a sub-resource that is not built answers: what AWS says of a bucket that never had it.
package enum UnbuiltAnswer: Sendable {
    /// A 200 with this document.
    case document([UInt8])
    case error(S3Error)
    /// The access-control list in which the owner alone has full control.
    case ownerACL

    package static func bucket(_ subResource: SubResource, bucket: String, configurationID: String?) -> UnbuiltAnswer {
        switch subResource {
        case .acl: .ownerACL
        case .versioning: .empty("VersioningConfiguration")
        case .logging: .empty("BucketLoggingStatus")
        case .notification: .empty("NotificationConfiguration")
        case .accelerate: .empty("AccelerateConfiguration")
        case .requestPayment: .document(requestPayment())
        case .policy, .policyStatus: .error(S3Error(.noSuchBucketPolicy, details: [("BucketName", bucket)]))
        case .lifecycle: .missing(.noSuchLifecycle, bucket)
        case .cors: .missing(.noSuchCORSConfiguration, bucket)
        case .encryption: .missing(.noSuchEncryption, bucket)
        case .objectLock: .missing(.noSuchObjectLock, bucket)
        case .tagging: .missing(.noSuchTagSet, bucket)
        case .replication: .missing(.noSuchReplication, bucket)
        case .website: .missing(.noSuchWebsite, bucket)
        case .ownershipControls: .missing(.noSuchOwnershipControls, bucket)
        case .publicAccessBlock: .missing(.noSuchPublicAccessBlock, bucket)
        case .analytics: .configurations("ListBucketAnalyticsConfigurationResult", configurationID)
        case .inventory: .configurations("ListInventoryConfigurationsResult", configurationID)
        case .metrics: .configurations("ListMetricsConfigurationsResult", configurationID)
        case .intelligentTiering:
            .configurations("ListBucketIntelligentTieringConfigurationsResult", configurationID)
        default: .error(S3Error(.notImplemented, "The sub-resource \(subResource.rawValue) is not implemented."))
        }
    }

    package static func object(_ subResource: SubResource) -> UnbuiltAnswer {
        switch subResource {
        case .acl: .ownerACL
        case .retention, .legalHold:
            .error(S3Error(.invalidRequest, "Bucket is missing Object Lock Configuration"))
        default: .error(S3Error(.notImplemented, "The sub-resource \(subResource.rawValue) is not implemented."))
        }
    }

    private static func missing(_ code: S3ErrorCode, _ bucket: String) -> UnbuiltAnswer {
        .error(S3Error(code, details: [("BucketName", bucket)]))
    }

    private static func empty(_ root: StaticString) -> UnbuiltAnswer {
        var xml = XMLWriter(capacity: 128)
        xml.openRoot(root)
        xml.close(root)
        return .document(xml.bytes)
    }

    private static func requestPayment() -> [UInt8] {
        var xml = XMLWriter(capacity: 192)
        xml.openRoot("RequestPaymentConfiguration")
        xml.element("Payer", "BucketOwner")
        xml.close("RequestPaymentConfiguration")
        return xml.bytes
    }

    /// A list of none, or the error for one that is asked for by its id.
    private static func configurations(_ root: StaticString, _ id: String?) -> UnbuiltAnswer {
        guard id == nil else { return .error(S3Error(.noSuchConfiguration)) }
        var xml = XMLWriter(capacity: 192)
        xml.openRoot(root)
        xml.element("IsTruncated", false)
        xml.close(root)
        return .document(xml.bytes)
    }
}

/// The document of `?acl`: the owner has full control and nobody else anything.
package enum AccessControlDocument {
    package static func document(ownerID: String, displayName: String) -> [UInt8] {
        var xml = XMLWriter(capacity: 512)
        xml.openRoot("AccessControlPolicy")
        xml.owner("Owner", id: ownerID, displayName: displayName)
        xml.open("AccessControlList")
        xml.open("Grant")
        xml.raw("<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\">")
        xml.element("ID", ownerID)
        xml.element("DisplayName", displayName)
        xml.close("Grantee")
        xml.element("Permission", "FULL_CONTROL")
        xml.close("Grant")
        xml.close("AccessControlList")
        xml.close("AccessControlPolicy")
        return xml.bytes
    }
}

extension XMLWriter {
    /// `Owner`, `Initiator`: an id and a name.
    package mutating func owner(_ name: StaticString, id: String, displayName: String) {
        open(name)
        element("ID", id)
        element("DisplayName", displayName)
        close(name)
    }
}
