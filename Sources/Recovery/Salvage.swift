internal import Coordination
package import Metadata
package import ObjectModel
package import SystemInterface

/// What to take out.
package struct SalvageOptions: Sendable {
    package enum Mode: Sendable {
        /// Writes everything out.
        case extract
        /// Reads and verifies every byte, writes nothing.
        case verify
        /// Only looks for the shards.
        case list
    }

    package var mode = Mode.extract
    /// nil: the cluster that most of the disks belong to.
    package var cluster: ClusterID?
    package var bucket: String?
    package var prefix = ""
    /// Only versions written at this time or later. What is unconfirmed has no time and comes out all the same.
    package var since: WallTime?
    /// By time of writing, the latest first; keeps the names of all objects in memory.
    package var newestFirst = false
    /// Objects at the same time: memory grows with it, some stripes each.
    package var parallelism = 6

    package init(mode: Mode = .extract) { self.mode = mode }
}

/// Reads objects straight off raw disks: no database, no running store (DESIGN §9).
///
/// The journal on the disks is the authority: which objects there are, their names, current versions and what was
/// deleted. Without one, what the shards say of themselves comes out apart, as unconfirmed. The disks are only read.
package struct Salvage: Sendable {
    package var disks: [DiskSource]
    package var options: SalvageOptions

    /// The folders below its output that it writes to.
    package static let writtenFolders = SalvageOutput.writtenFolders

    private static let poolLimit = 128 << 20

    package init(disks: [DiskSource], options: SalvageOptions = SalvageOptions()) {
        self.disks = disks
        self.options = options
    }

    /// `output` is the root of what is written (nil unless the mode is `extract`). `open` makes an empty metadata store
    /// for the time of the salvage. `onEntry` gets every object as it is done, `progress` the report so far, about once
    /// a second.
    package func run(
        output: (any FileSystem)?,
        time: any TimeSource,
        random: any RandomSource,
        open: (any JournalWriter) async throws -> any ReplicatedMetadata,
        onEntry: (SalvageEntry) -> Void = { _ in },
        progress: (SalvageReport) -> Void = { _ in }
    ) async throws(RecoveryError) -> SalvageReport {
        let pool = BufferPool(limit: Self.poolLimit)
        let opened = try await RecoveryDisks.open(
            disks,
            cluster: options.cluster,
            time: time,
            random: random,
            pool: pool
        )
        let cluster = RecoveryCluster(opened, time: time, random: random, pool: pool)
        let contents = BlobContents(store: cluster.blobs)
        var report = SalvageReport(opened, mode: options.mode)
        do {
            var metadata: (any ReplicatedMetadata)? = try await open(ReadOnlyJournal())
            do throws(RecoveryError) {
                guard let store = metadata else { throw .noJournal }
                let replay = MetadataReplay(cluster, contents, isForced: true)
                report.replay = try await replay.run(into: store)
            } catch {
                // The report says why; what the shards know comes out all the same.
                report.journalProblem = error.description
                metadata = nil
            }
            var run = try await SalvageRun(
                options: options,
                cluster: cluster,
                contents: contents,
                output: output,
                metadata: metadata,
                report: report
            )
            try await run.run(onEntry: onEntry, progress: progress)
            return run.report
        } catch let error as RecoveryError {
            throw error
        } catch let error as FileError {
            throw .output(error.description)
        } catch {
            throw .metadata("\(error)")
        }
    }
}
