package import ClusterProtocol
package import DiskFormat
package import JournalStorage
package import ObjectModel
package import ShardStorage
package import SystemInterface

/// A folder that is said to be a disk.
package struct DiskSource: Sendable {
    /// What an operator calls it.
    package var path: String
    package var files: any FileSystem

    package init(path: String, files: any FileSystem) {
        self.path = path
        self.files = files
    }
}

/// A disk that was opened without touching it.
package struct RecoveryDisk: Sendable {
    package var path: String
    package var identity: DiskIdentity
    package var shards: ShardDisk
    /// nil when the disk keeps no log, or one that cannot be read (`journalProblem`).
    package var journal: KeeperLog?
    package var journalState: KeeperState?
    package var journalProblem: String?
}

/// A folder that was not used, and why.
package struct IgnoredDisk: Hashable, Sendable {
    package var path: String
    package var reason: String
}

/// Why nothing can be recovered from the folders given.
package enum RecoveryError: Error, Sendable, CustomStringConvertible {
    /// No folder is a disk of Cairn's that can be read.
    case noDisks([IgnoredDisk])
    /// As many disks of one cluster as of another.
    case ambiguousCluster([ClusterID])
    /// No disk of the cluster that was asked for.
    case noSuchCluster(ClusterID)
    case noJournal
    case journal(String)
    case checkpoint(String)
    case metadata(String)
    /// Fewer keepers than an acknowledgement needed.
    case tooFewKeepers(found: Int, needed: Int)
    /// The database holds what the disks do not.
    case databaseAhead(database: JournalPosition, journal: JournalPosition)
    case output(String)
    case notFound(String)

    package var description: String {
        switch self {
        case .noDisks(let ignored):
            "none of the folders is a disk that can be read"
                + ignored.map { "; \($0.path): \($0.reason)" }.joined()
        case .ambiguousCluster(let clusters):
            "the disks belong to several clusters, as many to one as to another: choose one with --cluster: "
                + clusters.map(\.description).joined(separator: ", ")
        case .noSuchCluster(let cluster): "none of the disks belongs to cluster \(cluster)"
        case .noJournal:
            "none of the disks holds a journal: without one there is no metadata to rebuild. `cairn salvage` writes "
                + "out what the shards themselves tell"
        case .journal(let what): "the journal cannot be read: \(what)"
        case .checkpoint(let what):
            "the metadata checkpoint cannot be read: \(what). Give more of the disks, if there are any"
        case .metadata(let what): what
        case .tooFewKeepers(let found, let needed):
            "an acknowledged change lies on at least \(needed) of the journal's disks, and only \(found) are here: the "
                + "last changes may be missing. Give more of the disks, or say --force to go on without them"
        case .databaseAhead(let database, let journal):
            "the database is at \(database), newer than every journal on these disks (\(journal)): nothing was "
                + "changed. Keep a copy of the database, and give the disks with the newer journals, too. What is "
                + "rebuilt without it, once it is moved aside, lacks every change since"
        case .output(let what): "the output cannot be written: \(what)"
        case .notFound(let what): what
        }
    }
}

/// The disks of one cluster among the folders given, opened without touching them (DESIGN §9).
package struct RecoveryDisks: Sendable {
    package private(set) var cluster: ClusterID
    /// By path.
    package private(set) var disks: [RecoveryDisk]
    package private(set) var ignored: [IgnoredDisk]

    /// Opens the disks of `cluster`, or without one those of the cluster that most folders belong to. Folders that are
    /// none, foreign ones, and the older one of two with the same disk id are told in `ignored`.
    package static func open(
        _ sources: [DiskSource],
        cluster wanted: ClusterID? = nil,
        time: any TimeSource,
        random: any RandomSource,
        pool: BufferPool
    ) async throws(RecoveryError) -> RecoveryDisks {
        var found: [(source: DiskSource, identity: DiskIdentity)] = []
        var ignored: [IgnoredDisk] = []
        for source in sources {
            let scratch = ScratchFileSystem(over: source.files)
            do throws(ShardStorageError) {
                found.append((DiskSource(path: source.path, files: scratch), try await ShardDisk.readIdentity(scratch)))
            } catch {
                ignored.append(IgnoredDisk(path: source.path, reason: error.description))
            }
        }
        let cluster = try choose(found.map(\.identity.cluster), wanted: wanted, ignored: ignored)
        var opened: [DiskID: RecoveryDisk] = [:]
        for (source, identity) in found {
            guard identity.cluster == cluster else {
                ignored.append(IgnoredDisk(path: source.path, reason: "foreign: of cluster \(identity.cluster)"))
                continue
            }
            do throws(ShardStorageError) {
                let disk = try await open(source, identity, time: time, random: random, pool: pool)
                guard let other = opened[identity.disk] else {
                    opened[identity.disk] = disk
                    continue
                }
                let (newer, older) = disk.isNewer(than: other) ? (disk, other) : (other, disk)
                opened[identity.disk] = newer
                ignored.append(
                    IgnoredDisk(path: older.path, reason: "an older copy of the disk in \(newer.path)")
                )
            } catch {
                ignored.append(IgnoredDisk(path: source.path, reason: error.description))
            }
        }
        guard !opened.isEmpty else { throw .noDisks(ignored) }
        return RecoveryDisks(
            cluster: cluster,
            disks: opened.values.sorted { $0.path < $1.path },
            ignored: ignored.sorted { $0.path < $1.path }
        )
    }

    private static func choose(
        _ clusters: [ClusterID],
        wanted: ClusterID?,
        ignored: [IgnoredDisk]
    ) throws(RecoveryError) -> ClusterID {
        if let wanted {
            guard clusters.contains(wanted) else { throw .noSuchCluster(wanted) }
            return wanted
        }
        let counts = clusters.reduce(into: [ClusterID: Int]()) { $0[$1, default: 0] += 1 }
        guard let most = counts.values.max() else { throw .noDisks(ignored) }
        let best = counts.filter { $0.value == most }.keys.sorted { $0.value < $1.value }
        guard best.count == 1 else { throw .ambiguousCluster(best) }
        return best[0]
    }

    private static func open(
        _ source: DiskSource,
        _ identity: DiskIdentity,
        time: any TimeSource,
        random: any RandomSource,
        pool: BufferPool
    ) async throws(ShardStorageError) -> RecoveryDisk {
        let shards = try await ShardDisk.open(
            fileSystem: source.files,
            expecting: DiskExpectation(cluster: identity.cluster),
            time: time,
            random: random,
            pool: pool
        )
        var disk = RecoveryDisk(path: source.path, identity: identity, shards: shards)
        guard await hasLog(source.files) else { return disk }
        do throws(KeeperError) {
            let log = try await KeeperLog.open(source.files, random: random)
            disk.journalState = try await log.state()
            disk.journal = log
        } catch {
            disk.journalProblem = error.description
        }
        return disk
    }

    /// A disk without a log file keeps no journal; opening one would make it.
    static func hasLog(_ files: any FileSystem) async -> Bool {
        guard let names = try? await files.list(DiskFolder.journal) else { return false }
        return names.contains { $0.hasPrefix("log-") }
    }
}

extension RecoveryDisk {
    /// Of two copies of one disk: the higher epoch, then the later journal, then the later records.
    fileprivate func isNewer(than other: RecoveryDisk) -> Bool {
        guard identity.epoch == other.identity.epoch else { return identity.epoch > other.identity.epoch }
        // One that keeps no journal any more, or whose journal cannot be read, says nothing of its age by that.
        if let mine = journalState?.age, let others = other.journalState?.age, mine != others { return mine > others }
        return age > other.age
    }

    private var age: (UInt64, UInt64, Int) {
        (shards.recovery.lastSequence, shards.identity.segmentLimit, shards.recovery.sealed)
    }
}

extension KeeperState {
    /// Declared whole later, then longer.
    fileprivate var age: (UInt64, UInt64) { (UInt64(written), last.sequence) }
}
