internal import Metadata
package import ObjectInterface
internal import ObjectModel
internal import ObjectStorage
import Synchronization

/// What the scrub has of the rest of the store.
extension Store {
    func connectScrub() {
        var helpers = Scrubber.Helpers()
        helpers.mend = { [weak self] disk in await self?.mendSegments(of: disk) }
        helpers.rewrite = { [weak self] blob in await self?.rewrite(blob) ?? false }
        helpers.found = { [badShards] in await badShards.note($0) }
        scrubber.use(helpers)
        let scrubber = scrubber
        verifier.onEnd { [weak scrubber] in scrubber?.note($0) }
    }

    private func mendSegments(of disk: DiskID) async {
        guard let node = served.withLock({ $0[disk]?.place.node }) else { return }
        _ = try? await calls.mend(node)
    }

    /// Moves all that lives in a blob to a new one; false when that was not possible.
    private func rewrite(_ blob: BlobID) async -> Bool {
        do {
            guard let repack = try await objects.repack([blob]) else { return false }
            _ = try await objects.commit(repack)
            return true
        } catch {
            return false
        }
    }

    /// The objects of blobs that the scrub found not to be what came in, as `BUCKET/KEY`, without repetition.
    package func damagedObjects() async throws(StorageError) -> [String] {
        var names: Set<String> = []
        for blob in scrubber.status.damaged where try await metadata.blob(blob) != nil {
            for owner in try await metadata.owners(of: blob) { names.insert("\(owner.bucket)/\(owner.key)") }
        }
        return names.sorted()
    }
}
