internal import BlobStorage
package import Checksums
internal import ClusterProtocol
internal import DiskFormat
internal import JournalStorage
package import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import Placement
internal import ShardStorage
internal import StorageNode
package import SystemInterface

extension Store {
    /// Opens the metadata database with the journal it is to write to.
    package typealias MetadataOpener =
        @Sendable (any JournalWriter) async throws(MetadataError) -> any ReplicatedMetadata

    /// Starts a store: makes a new one on empty disks, or takes up the one that is there (DESIGN §7, Start).
    ///
    /// Never formats a disk that holds anything, never starts an empty or older database over disks that have seen
    /// more.
    package static func open(
        _ configuration: StoreConfiguration,
        time: any TimeSource,
        random: any RandomSource,
        md5: MD5Engine,
        metadata openMetadata: MetadataOpener
    ) async throws(StoreStartError) -> Store {
        let late = LateJournal()
        let metadata: any ReplicatedMetadata
        do {
            metadata = try await openMetadata(late)
        } catch {
            throw .database("\(error)")
        }
        var opening = StoreOpening(
            configuration: configuration,
            time: time,
            random: random,
            metadata: metadata
        )
        try await opening.takeDisks()
        let (journal, running) = try await opening.startJournal(late)
        do {
            try await opening.settle(journal)
            let store = Store(opening.parts(journal: journal, running: running, md5: md5))
            await store.mover.load()
            await store.repairer.hold.load()
            try await store.reloadMap()
            try await store.finishReplacements()
            try await store.letGoOfRetired()
            await store.watchDisks()
            return store
        } catch let error as StoreStartError {
            running.cancel()
            throw error
        } catch {
            running.cancel()
            throw .database("\(error)")
        }
    }
}
