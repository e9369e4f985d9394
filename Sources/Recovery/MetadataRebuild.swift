internal import DiskFormat
package import Metadata
package import ObjectModel
internal import ShardStorage
package import SystemInterface

/// A new metadata database from nothing but the disks: what `cairn metadata rebuild` does (DESIGN §9).
///
/// The disks are only read. A database that is behind the disks catches up; one that is not is left as it is; one that
/// holds what the disks do not is refused. May be run again after any interruption. Refuses while a server runs on the
/// disks.
package struct MetadataRebuild: Sendable {
    package var disks: [DiskSource]
    /// nil: the cluster that most of the disks belong to.
    package var cluster: ClusterID?
    /// The operator's word to go on with fewer journal keepers than an acknowledgement needed.
    package var isForced: Bool

    package init(disks: [DiskSource], cluster: ClusterID? = nil, isForced: Bool = false) {
        self.disks = disks
        self.cluster = cluster
        self.isForced = isForced
    }

    package struct Report: Sendable {
        package var cluster: ClusterID
        package var replay: ReplayReport
        package var disks: [RecoveryDisk]
        package var ignored: [IgnoredDisk]
        package var statistics: MetadataStatistics
    }

    private static let poolLimit = 96 << 20

    /// `open` opens or makes the database, only once the disks have been found fit.
    package func run(
        time: any TimeSource,
        random: any RandomSource,
        open: (any JournalWriter) async throws -> any ReplicatedMetadata
    ) async throws(RecoveryError) -> Report {
        try await lock()
        let pool = BufferPool(limit: Self.poolLimit)
        let opened = try await RecoveryDisks.open(disks, cluster: cluster, time: time, random: random, pool: pool)
        let recovery = RecoveryCluster(opened, time: time, random: random, pool: pool)
        let replay = MetadataReplay(recovery, BlobContents(store: recovery.blobs), isForced: isForced)
        guard !recovery.keepers.isEmpty else { throw .noJournal }
        do {
            let store = try await open(ReadOnlyJournal())
            try await checkOwner(of: store, opened)
            let report = try await replay.run(into: store)
            return Report(
                cluster: opened.cluster,
                replay: report,
                disks: opened.disks,
                ignored: opened.ignored,
                statistics: try await store.statistics()
            )
        } catch let error as RecoveryError {
            throw error
        } catch {
            throw .metadata("\(error)")
        }
    }

    /// A database that names other disks alone is another store's: its rows and these records are not to be mixed.
    private func checkOwner(
        of store: any ReplicatedMetadata,
        _ opened: RecoveryDisks
    ) async throws {
        // One that an import left half-way has no rows to ask for.
        guard let known = try? await Set(store.disks().map(\.id)), !known.isEmpty else { return }
        guard !opened.disks.contains(where: { known.contains($0.identity.disk) }) else { return }
        throw RecoveryError.metadata(
            "the database is another store's: it names none of these disks, which belong to \(opened.cluster). Nothing "
                + "was changed. Move the database aside, then run this again"
        )
    }

    /// A server that runs would write records that this one does not see.
    private func lock() async throws(RecoveryError) {
        for disk in disks {
            guard ((try? await disk.files.status(DiskFolder.identity)) ?? nil) != nil else { continue }
            if (try? await disk.files.lock(DiskFolder.lock)) == false {
                throw .metadata("a server is running on \(disk.path): stop it first")
            }
        }
    }
}

extension MetadataRebuild.Report {
    /// For people: what was found, and where the database now stands.
    package var text: String {
        var lines = ["cluster \(cluster)"]
        for disk in ignored { lines.append("ignored \(disk.path): \(disk.reason)") }
        lines.append(
            "journal: \(replay.found.count) of \(replay.keepers.count) keepers found, \(replay.needed) needed"
                + (replay.mayMissTail ? ": changes that were acknowledged last MAY BE MISSING" : "")
        )
        if replay.wasUpToDate {
            lines.append("the database stands at \(replay.position) as the disks do: nothing was done")
        } else {
            if let checkpoint = replay.checkpoint { lines.append("checkpoint read: \(checkpoint)") }
            lines.append("journal records applied: \(replay.records)")
            lines.append("the database now stands at \(replay.position)")
        }
        lines.append(
            "\(statistics.buckets) buckets, \(statistics.versions) objects, \(statistics.bytes) bytes, "
                + "\(statistics.uploads) uploads in progress"
        )
        return lines.joined(separator: "\n")
    }
}
