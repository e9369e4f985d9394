import HTTPTypes
import ObjectInterface
import ObjectModel
import S3Protocol

extension S3Error {
    /// The store's error as S3 says it. What a client did wrong gets AWS's words; what the store lacks keeps the
    /// store's, which tell the operator what to do.
    init(_ error: StorageError, of call: S3Call) {
        switch error.code {
        case .noSuchBucket: self.init(.noSuchBucket, details: [("BucketName", call.target.bucket)])
        case .bucketExists: self.init(.bucketAlreadyExists, details: [("BucketName", call.target.bucket)])
        case .bucketOwnedByYou: self.init(.bucketAlreadyOwnedByYou, details: [("BucketName", call.target.bucket)])
        case .bucketNotEmpty: self.init(.bucketNotEmpty, details: [("BucketName", call.target.bucket)])
        case .tooManyBuckets: self.init(.tooManyBuckets)
        case .noSuchKey: self.init(.noSuchKey, details: [("Key", call.target.key)])
        case .noSuchVersion:
            self.init(
                .noSuchVersion,
                details: [("Key", call.target.key), ("VersionId", call.query.value("versionId") ?? "")]
            )
        case .noSuchUpload: self.init(.noSuchUpload, details: [("UploadId", call.uploadID.text)])
        case .preconditionFailed: self.init(.preconditionFailed, details: [("Condition", Self.condition(of: call))])
        case .notModified: self.init(.notModified)
        case .conditionalConflict: self.init(.conditionalRequestConflict, details: [("Key", call.target.key)])
        case .invalidPart:
            self.init(.invalidPart, details: [("UploadId", call.uploadID.text)] + Self.details(of: error.part))
        case .invalidPartOrder: self.init(.invalidPartOrder, error.message.isEmpty ? nil : error.message)
        case .partTooSmall: self.init(.entityTooSmall, details: Self.details(of: error.part))
        case .entityTooLarge: self.init(.entityTooLarge)
        case .badDigest: self.init(.badDigest, error.message.isEmpty ? nil : error.message)
        case .incompleteBody: self.init(.incompleteBody)
        case .invalidRange: self.init(call.query.contains("partNumber") ? .invalidPartNumber : .invalidRange)
        case .invalidArgument: self.init(.invalidArgument, error.message)
        case .invalidRequest: self.init(.invalidRequest, error.message)
        case .unavailable, .leaseEnded, .unreadable, .unknownOutcome: self.init(.serviceUnavailable, error.message)
        case .full: self.init(.insufficientStorage, error.message)
        case .busy: self.init(.slowDown, error.message)
        case .noSuchUser, .userExists, .internalFailure: self.init(.internalError)
        }
    }

    /// Which part it is, and how long it is where that is what is wrong.
    private static func details(of part: StorageError.Part?) -> [(String, String)] {
        guard let part else { return [] }
        let name = [("PartNumber", String(part.number)), ("ETag", part.eTag)]
        guard let length = part.length else { return name }
        return [("ProposedSize", String(length)), ("MinSizeAllowed", String(Limits.minimumPartLength))] + name
    }

    private static func condition(of call: S3Call) -> String {
        for (name, label) in [
            ("if-match", "If-Match"), ("if-unmodified-since", "If-Unmodified-Since"),
            ("if-none-match", "If-None-Match"), ("x-amz-copy-source-if-match", "x-amz-copy-source-If-Match"),
            ("x-amz-copy-source-if-unmodified-since", "x-amz-copy-source-If-Unmodified-Since"),
            ("x-amz-copy-source-if-none-match", "x-amz-copy-source-If-None-Match"),
            ("x-amz-copy-source-if-modified-since", "x-amz-copy-source-If-Modified-Since"),
        ] where call.headers.contains(name) {
            return label
        }
        return "If-Match"
    }
}

extension S3Error {
    /// The `Allow` that an answer with 405 must have (RFC 9110 §15.5.6); nil for every other error.
    var allowField: HTTPField? {
        code == .methodNotAllowed ? HTTPField(name: .allow, value: allowed.joined(separator: ", ")) : nil
    }
}
