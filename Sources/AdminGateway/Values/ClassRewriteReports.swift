/// Objects that are to be rewritten into another class.
package struct ClassApplication: Codable, Hashable, Sendable {
    package var bucket: String
    /// Of the keys; empty for all.
    package var prefix: String
    package var storageClass: String
    /// Bytes a second at most; nil for the usual rate.
    package var rate: Int?
    /// Only tell what it would take.
    package var isDryRun: Bool

    package init(
        bucket: String,
        prefix: String = "",
        storageClass: String,
        rate: Int? = nil,
        isDryRun: Bool = false
    ) {
        self.bucket = bucket
        self.prefix = prefix
        self.storageClass = storageClass
        self.rate = rate
        self.isDryRun = isDryRun
    }
}

/// What was begun, or would be.
package struct ClassApplicationReport: Codable, Hashable, Sendable {
    package var application: ClassApplication
    package var objects: Int
    /// Of these objects; then what they take on the disks now, and will.
    package var bytes: Int
    package var bytesOnDisks: Int
    package var bytesOnDisksThen: Int
    /// At the rate that is allowed; the disks may be slower.
    package var seconds: Int
    /// False when there are more objects than were counted.
    package var isComplete: Bool

    package init(
        application: ClassApplication,
        objects: Int,
        bytes: Int,
        bytesOnDisks: Int,
        bytesOnDisksThen: Int,
        seconds: Int,
        isComplete: Bool
    ) {
        self.application = application
        self.objects = objects
        self.bytes = bytes
        self.bytesOnDisks = bytesOnDisks
        self.bytesOnDisksThen = bytesOnDisksThen
        self.seconds = seconds
        self.isComplete = isComplete
    }
}

/// How the rewriting of a bucket goes.
package struct ClassRewriteReport: Codable, Hashable, Sendable {
    package var bucket: String
    package var prefix: String
    package var storageClass: String
    package var isPaused: Bool
    /// Bytes a second at most.
    package var rate: Int
    /// As counted; nil while they are being counted.
    package var objectsLeft: Int?
    package var bytesLeft: Int?
    /// Since the program started.
    package var objectsDone: Int
    package var bytesDone: Int
    /// Overwritten, deleted or moved while they were copied: left to what the client wrote.
    package var objectsChanged: Int
    /// At the pace of late; nil while that is not known.
    package var secondsLeft: Int?
    /// Why it does not go on; empty while it does.
    package var problem: String

    package init(
        bucket: String,
        prefix: String,
        storageClass: String,
        isPaused: Bool,
        rate: Int,
        objectsLeft: Int?,
        bytesLeft: Int?,
        objectsDone: Int,
        bytesDone: Int,
        objectsChanged: Int,
        secondsLeft: Int?,
        problem: String
    ) {
        self.bucket = bucket
        self.prefix = prefix
        self.storageClass = storageClass
        self.isPaused = isPaused
        self.rate = rate
        self.objectsLeft = objectsLeft
        self.bytesLeft = bytesLeft
        self.objectsDone = objectsDone
        self.bytesDone = bytesDone
        self.objectsChanged = objectsChanged
        self.secondsLeft = secondsLeft
        self.problem = problem
    }
}

/// All that are open, by bucket.
package struct ClassRewritesReport: Codable, Hashable, Sendable {
    package var rewrites: [ClassRewriteReport]
    /// Buckets whose last one was cancelled since the program started.
    @Added package var cancelled: [String]

    package init(rewrites: [ClassRewriteReport], cancelled: [String] = []) {
        self.rewrites = rewrites
        self.cancelled = cancelled
    }
}

/// What an operator may do to a rewrite: the same words as for moves.
package struct ClassRewriteControl: Codable, Hashable, Sendable {
    package var bucket: String
    package var action: MovesAction

    package init(bucket: String, action: MovesAction) {
        self.bucket = bucket
        self.action = action
    }
}
