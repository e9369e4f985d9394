import ObjectStorage

/// A store as its clients reach it.
protocol ObjectServer: Sendable {
    /// Whether parts of it may not reach one another right now: then reads may be refused too, and what came out of a
    /// write that nobody answered may be decided later.
    var mayBeUnavailable: Bool { get }

    /// Runs `body` in a server's process; nil when that dies before the answer.
    func use<Value: Sendable>(_ body: @escaping @Sendable (ObjectStore) async -> Value) async -> Value?

    /// What each shard of an object's blobs is like, for the report of a failure.
    func describeShards(of key: String) async -> [String]
}
