internal import ObjectInterface

extension StorageError.Code {
    /// The code's number in messages; given once, never again.
    var number: UInt32 {
        switch self {
        case .noSuchBucket: 1
        case .bucketExists: 2
        case .bucketOwnedByYou: 3
        case .bucketNotEmpty: 4
        case .tooManyBuckets: 5
        case .noSuchKey: 6
        case .noSuchVersion: 7
        case .noSuchUpload: 8
        case .noSuchUser: 9
        case .userExists: 10
        case .preconditionFailed: 11
        case .notModified: 12
        case .conditionalConflict: 13
        case .invalidPart: 14
        case .invalidPartOrder: 15
        case .partTooSmall: 16
        case .entityTooLarge: 17
        case .badDigest: 18
        case .incompleteBody: 19
        case .invalidRange: 20
        case .invalidArgument: 21
        case .invalidRequest: 22
        case .unavailable: 23
        case .full: 24
        case .unreadable: 25
        case .busy: 26
        case .unknownOutcome: 27
        case .internalFailure: 28
        case .leaseEnded: 29
        }
    }

    /// All that have a number: a new code gets its number above and its place here.
    static let numbered: [StorageError.Code] = [
        .noSuchBucket, .bucketExists, .bucketOwnedByYou, .bucketNotEmpty, .tooManyBuckets, .noSuchKey, .noSuchVersion,
        .noSuchUpload, .noSuchUser, .userExists, .preconditionFailed, .notModified, .conditionalConflict, .invalidPart,
        .invalidPartOrder, .partTooSmall, .entityTooLarge, .badDigest, .incompleteBody, .invalidRange,
        .invalidArgument, .invalidRequest, .unavailable, .full, .unreadable, .busy, .unknownOutcome, .internalFailure,
        .leaseEnded,
    ]

    private static let byNumber = Dictionary(numbered.map { ($0.number, $0) }) { first, _ in first }

    /// A number this program does not know is a later one's refusal: `.internalFailure`.
    init(number: UInt32) { self = Self.byNumber[number] ?? .internalFailure }
}

extension ByteWriter {
    mutating func put(_ error: StorageError) {
        put(error.code.number)
        let limit = MetadataMessage.reasonLimit
        let message = error.message
        // Words cut within a character end in a replacement character: still text.
        put(message.utf8.count <= limit ? message : String(decoding: message.utf8.prefix(limit), as: UTF8.self))
    }
}

extension ByteReader {
    mutating func getStorageError() throws(MetadataError) -> StorageError {
        let code = StorageError.Code(number: try getUInt32())
        return StorageError(code, try getText())
    }
}
