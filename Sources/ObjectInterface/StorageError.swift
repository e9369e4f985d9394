/// The one error of the engine's edge: what an S3 gateway or an operator's command can meet.
///
/// A code exists only where some caller acts differently. `message` says what happened and what to do next; it holds
/// no secrets and no paths.
package struct StorageError: Error, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        // Names
        case noSuchBucket
        case bucketExists
        /// The bucket exists and belongs to the caller.
        case bucketOwnedByYou
        case bucketNotEmpty
        case tooManyBuckets
        case noSuchKey
        case noSuchVersion
        case noSuchUpload
        case noSuchUser
        case userExists
        // Conditions
        case preconditionFailed
        /// `If-None-Match` or `If-Modified-Since` of a read says the caller has it already.
        case notModified
        /// Another conditional write of the key was decided first; AWS: 409 ConditionalRequestConflict.
        case conditionalConflict
        // Input
        case invalidPart
        case invalidPartOrder
        case partTooSmall
        case entityTooLarge
        case badDigest
        case incompleteBody
        case invalidRange
        case invalidArgument
        /// Parts of the request contradict each other or what it refers to.
        case invalidRequest
        // State of the store
        /// Too few disks, keepers or shards right now; the same request may succeed later.
        case unavailable
        /// The write lease has ended: nothing was committed, and a write under a new lease may succeed.
        case leaseEnded
        /// No room for new data; reads and deletes go on.
        case full
        /// Fewer than k good shards: the bytes cannot be given now, and wrong ones never are.
        case unreadable
        /// Too many requests in flight.
        case busy
        /// The request may or may not have been carried out.
        case unknownOutcome
        case internalFailure
    }

    /// The part of an upload that was refused: which one to send again, or to name otherwise.
    package struct Part: Hashable, Sendable {
        package var number: Int
        /// As the request names it, without quotes.
        package var eTag: String
        /// nil when no such part is there.
        package var length: Int?

        package init(number: Int, eTag: String, length: Int? = nil) {
            self.number = number
            self.eTag = eTag
            self.length = length
        }
    }

    package var code: Code
    package var message: String
    /// With `invalidPart` and `partTooSmall`, where it is one part's.
    package var part: Part?

    package init(_ code: Code, _ message: String, part: Part? = nil) {
        self.code = code
        self.message = message
        self.part = part
    }

    package var description: String { "\(code): \(message)" }
}
