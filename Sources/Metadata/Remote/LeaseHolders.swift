internal import ObjectInterface
internal import ObjectModel
import Synchronization

/// Which node holds which write lease, as the coordinator's metadata says.
///
/// A lease is granted once, to one holder, and never again: what was read of it stays true, also when it has ended.
final class LeaseHolders: Sendable {
    private let metadata: any MetadataStore
    private let known = Mutex<[WriteLease: NodeName]>([:])

    init(_ metadata: any MetadataStore) { self.metadata = metadata }

    /// nil when the lease has ended or was never granted.
    func holder(of lease: WriteLease) async throws(StorageError) -> NodeName? {
        if let holder = known.withLock({ $0[lease] }) { return holder }
        let active = try await metadata.activeLeases()
        let holders = Dictionary(active.map { ($0.lease, $0.holder) }) { first, _ in first }
        // Those that have ended are dropped: what is kept is bounded by what is active.
        known.withLock { $0 = holders }
        return holders[lease]
    }
}
