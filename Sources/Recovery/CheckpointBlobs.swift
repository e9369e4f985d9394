internal import Coordination
internal import DiskFormat
internal import ObjectModel

/// Reads a checkpoint's blobs from the disks at hand.
struct CheckpointBlobs: CheckpointStore {
    let cluster: RecoveryCluster
    let contents: BlobContents

    func read(_ reference: [UInt8]) async throws -> [UInt8] {
        guard let id = CheckpointBlobReference.decode(reference) else {
            throw RecoveryError.checkpoint("a reference of \(reference.count) bytes names no blob")
        }
        guard let blob = await cluster.find(id) else {
            throw RecoveryError.checkpoint("no shard of its blob \(id) is on these disks")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(blob.logicalLength)
        try await contents.read(blob, range: 0..<blob.logicalLength) { bytes.append(contentsOf: $0) }
        return bytes
    }
}
