import Metadata

/// What every metadata store must do: each check runs on an empty store.
struct Check: Sendable, CustomStringConvertible {
    let description: String
    let run: @Sendable (any ReplicatedMetadata) async throws -> Void

    init(_ description: String, _ run: @escaping @Sendable (any ReplicatedMetadata) async throws -> Void) {
        self.description = description
        self.run = run
    }

    static let all = bucketChecks + objectChecks + listChecks + uploadChecks + blobChecks + clusterChecks
}
