/// An S3 error code with its HTTP status and AWS's default message.
///
/// Only codes that Cairn gives. Source: "Error responses", Amazon S3 API Reference, and what AWS answers in practice.
package struct S3ErrorCode: Hashable, Sendable {
    /// The text of `<Code>`.
    package let name: String
    package let status: Int
    package let message: String

    private init(_ name: String, _ status: Int, _ message: String) {
        self.name = name
        self.status = status
        self.message = message
    }

    package static func == (left: Self, right: Self) -> Bool { left.name == right.name }
    package func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

// MARK: Who asks

extension S3ErrorCode {
    package static let accessDenied = Self("AccessDenied", 403, "Access Denied")
    /// Of cross-origin requests only.
    package static let accessForbidden = Self("AccessForbidden", 403, "Access Forbidden")
    package static let authorizationHeaderMalformed = Self(
        "AuthorizationHeaderMalformed",
        400,
        "The authorization header that you provided is not valid."
    )
    package static let authorizationQueryParametersError = Self(
        "AuthorizationQueryParametersError",
        400,
        "The authorization query parameters that you provided are not valid."
    )
    package static let invalidAccessKeyID = Self(
        "InvalidAccessKeyId",
        403,
        "The AWS Access Key Id you provided does not exist in our records."
    )
    package static let invalidToken = Self(
        "InvalidToken",
        400,
        "The provided token is malformed or otherwise invalid."
    )
    package static let requestTimeTooSkewed = Self(
        "RequestTimeTooSkewed",
        403,
        "The difference between the request time and the current time is too large."
    )
    package static let signatureDoesNotMatch = Self(
        "SignatureDoesNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. "
            + "Check your key and signing method."
    )
}

// MARK: What is named

extension S3ErrorCode {
    package static let bucketAlreadyExists = Self(
        "BucketAlreadyExists",
        409,
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            + "Please select a different name and try again."
    )
    package static let bucketAlreadyOwnedByYou = Self(
        "BucketAlreadyOwnedByYou",
        409,
        "Your previous request to create the named bucket succeeded and you already own it."
    )
    package static let bucketNotEmpty = Self("BucketNotEmpty", 409, "The bucket you tried to delete is not empty")
    package static let invalidBucketName = Self("InvalidBucketName", 400, "The specified bucket is not valid.")
    package static let invalidURI = Self("InvalidURI", 400, "Couldn't parse the specified URI.")
    package static let keyTooLong = Self("KeyTooLongError", 400, "Your key is too long")
    package static let noSuchBucket = Self("NoSuchBucket", 404, "The specified bucket does not exist")
    package static let noSuchKey = Self("NoSuchKey", 404, "The specified key does not exist.")
    package static let noSuchUpload = Self(
        "NoSuchUpload",
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
            + "completed."
    )
    package static let noSuchVersion = Self("NoSuchVersion", 404, "The specified version does not exist.")
    package static let tooManyBuckets = Self(
        "TooManyBuckets",
        400,
        "You have attempted to create more buckets than allowed"
    )
}

// MARK: What is asked

extension S3ErrorCode {
    package static let badDigest = Self(
        "BadDigest",
        400,
        "The Content-MD5 you specified did not match what we received."
    )
    package static let badRequest = Self("BadRequest", 400, "Bad Request")
    package static let requestHeaderSectionTooLarge = Self(
        "RequestHeaderSectionTooLarge",
        400,
        "Your request header section exceeds the maximum allowed size."
    )
    package static let conditionalRequestConflict = Self(
        "ConditionalRequestConflict",
        409,
        "The conditional request cannot succeed due to a conflicting operation against this resource."
    )
    package static let entityTooLarge = Self(
        "EntityTooLarge",
        400,
        "Your proposed upload exceeds the maximum allowed size"
    )
    package static let entityTooSmall = Self(
        "EntityTooSmall",
        400,
        "Your proposed upload is smaller than the minimum allowed size"
    )
    package static let illegalLocationConstraint = Self(
        "IllegalLocationConstraintException",
        400,
        "The location constraint is incompatible for the region specific endpoint this request was sent to."
    )
    package static let invalidLocationConstraint = Self(
        "InvalidLocationConstraint",
        400,
        "The specified location-constraint is not valid"
    )
    package static let incompleteBody = Self("IncompleteBody", 400, "The request body terminated unexpectedly")
    package static let invalidArgument = Self("InvalidArgument", 400, "Invalid Argument")
    package static let invalidDigest = Self("InvalidDigest", 400, "The Content-MD5 you specified was invalid.")
    package static let invalidPart = Self(
        "InvalidPart",
        400,
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
            + "entity tag may not match the part's entity tag."
    )
    package static let invalidPartNumber = Self(
        "InvalidPartNumber",
        416,
        "The requested partnumber is not satisfiable"
    )
    package static let invalidPartOrder = Self(
        "InvalidPartOrder",
        400,
        "The list of parts was not in ascending order. The parts list must be specified in order by part number."
    )
    package static let invalidRange = Self("InvalidRange", 416, "The requested range is not satisfiable")
    package static let invalidRequest = Self("InvalidRequest", 400, "Invalid Request")
    package static let invalidStorageClass = Self(
        "InvalidStorageClass",
        400,
        "The storage class you specified is not valid"
    )
    package static let invalidTag = Self("InvalidTag", 400, "The tag provided was not a valid tag.")
    package static let malformedTrailer = Self(
        "MalformedTrailerError",
        400,
        "The request contained trailing data that was not well-formed or did not conform to our published schema."
    )
    package static let malformedXML = Self(
        "MalformedXML",
        400,
        "The XML you provided was not well-formed or did not validate against our published schema"
    )
    package static let maxMessageLengthExceeded = Self(
        "MaxMessageLengthExceeded",
        400,
        "Your request was too big."
    )
    package static let metadataTooLarge = Self(
        "MetadataTooLarge",
        400,
        "Your metadata headers exceed the maximum allowed metadata size"
    )
    package static let methodNotAllowed = Self(
        "MethodNotAllowed",
        405,
        "The specified method is not allowed against this resource."
    )
    package static let missingContentLength = Self(
        "MissingContentLength",
        411,
        "You must provide the Content-Length HTTP header."
    )
    package static let missingRequestBody = Self("MissingRequestBodyError", 400, "Request Body is empty")
    package static let notImplemented = Self(
        "NotImplemented",
        501,
        "A header you provided implies functionality that is not implemented"
    )
    package static let notModified = Self("NotModified", 304, "Not Modified")
    package static let preconditionFailed = Self(
        "PreconditionFailed",
        412,
        "At least one of the pre-conditions you specified did not hold"
    )
    package static let requestTimeout = Self(
        "RequestTimeout",
        400,
        "Your socket connection to the server was not read from or written to within the timeout period. Idle "
            + "connections will be closed."
    )
    package static let contentSHA256Mismatch = Self(
        "XAmzContentSHA256Mismatch",
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed."
    )
}

// MARK: What a bucket never had

extension S3ErrorCode {
    package static let noSuchBucketPolicy = Self("NoSuchBucketPolicy", 404, "The bucket policy does not exist")
    package static let noSuchConfiguration = Self(
        "NoSuchConfiguration",
        404,
        "The specified configuration does not exist."
    )
    package static let noSuchCORSConfiguration = Self(
        "NoSuchCORSConfiguration",
        404,
        "The CORS configuration does not exist"
    )
    package static let noSuchEncryption = Self(
        "ServerSideEncryptionConfigurationNotFoundError",
        404,
        "The server side encryption configuration was not found"
    )
    package static let noSuchLifecycle = Self(
        "NoSuchLifecycleConfiguration",
        404,
        "The lifecycle configuration does not exist"
    )
    package static let noSuchObjectLock = Self(
        "ObjectLockConfigurationNotFoundError",
        404,
        "Object Lock configuration does not exist for this bucket"
    )
    package static let noSuchOwnershipControls = Self(
        "OwnershipControlsNotFoundError",
        404,
        "The bucket ownership controls were not found"
    )
    package static let noSuchPublicAccessBlock = Self(
        "NoSuchPublicAccessBlockConfiguration",
        404,
        "The public access block configuration was not found"
    )
    package static let noSuchReplication = Self(
        "ReplicationConfigurationNotFoundError",
        404,
        "The replication configuration was not found"
    )
    package static let noSuchTagSet = Self("NoSuchTagSet", 404, "The TagSet does not exist")
    package static let noSuchWebsite = Self(
        "NoSuchWebsiteConfiguration",
        404,
        "The specified bucket does not have a website configuration"
    )
}

// MARK: State of the store

extension S3ErrorCode {
    package static let internalError = Self(
        "InternalError",
        500,
        "We encountered an internal error. Please try again."
    )
    /// Not AWS's: a store of one's own can run out of room. 507 as WebDAV defines it (RFC 4918).
    package static let insufficientStorage = Self(
        "InsufficientStorage",
        507,
        "There is no room for new data. Reads and deletes go on."
    )
    package static let serviceUnavailable = Self(
        "ServiceUnavailable",
        503,
        "Service is unable to handle request."
    )
    package static let slowDown = Self("SlowDown", 503, "Please reduce your request rate.")
}
