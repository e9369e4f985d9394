package import BlobStorage
package import ObjectInterface

extension StorageError {
    /// What a blob's failure means to a client.
    package init(_ error: BlobError) {
        switch error {
        case .tooFewDisks(let why):
            self.init(.unavailable, "Too few disks are usable: \(why). Look at `cairn admin status`.")
        case .leaseEnded:
            self.init(.leaseEnded, "The node's write lease has ended: write the object again.")
        case .full:
            self.init(.full, "The disks are full. Add disks or delete objects; reads and deletes go on.")
        case .unreadable(let blob, let good, let needed):
            self.init(
                .unreadable,
                "Blob \(blob) has \(good) good shards and needs \(needed). Bring back the disks that hold "
                    + "the others."
            )
        case .digestMismatch(let blob):
            self.init(.unreadable, "Blob \(blob) does not decode to the bytes that were stored; it is not served.")
        case .unknownGroup(let group):
            self.init(.internalFailure, "Placement group \(group) is not in the map.")
        case .unsupportedScheme(let name):
            self.init(
                .internalFailure,
                "This program cannot code \(name); use the version that wrote it, or a later one."
            )
        }
    }
}

/// Runs a blob operation with its error at the engine's edge.
func storageErrors<Value>(
    _ operation: () async throws(BlobError) -> Value
) async throws(StorageError) -> Value {
    do {
        return try await operation()
    } catch {
        throw StorageError(error)
    }
}
