import S3Gateway
import ShardStorage

/// How many files and connections a server may have open, and how many of them connections may take.
///
/// Who connects decides how many connections there are, and the last one would be at the cost of the disks: their files
/// could be opened no more, and they would count as lost.
struct OpenFileBudget: Equatable {
    /// For the database, the logs, event loops and what else is always open.
    private static let fixed = 96
    /// Of each disk: its lock, the journal's log, the segments that are written and those that are compacted.
    private static let ofDisk = 16
    /// Segments of a disk that stay open to be read from, at least; in two ways, through the page cache and past it.
    private static let fewestSegments = 4
    private static let waysToRead = 2
    private static let fewestConnections = 64

    /// Connections to each port.
    let connections: Int
    /// Segments of each disk that stay open in either way.
    let segments: Int

    /// `ports`: that take connections, of clients or of other nodes. Throws when the limit is too low.
    init(disks: Int, ports: Int, limit: Int) throws {
        let free = limit - Self.fixed - disks * Self.ofDisk
        let needed = disks * Self.waysToRead * Self.fewestSegments + ports * Self.fewestConnections
        guard free >= needed else {
            throw ServeError(
                "only \(limit) files may be open at once, and \(limit - free + needed) are needed for \(disks) disks: "
                    + "raise the limit (ulimit -n, or LimitNOFILE= of the unit)"
            )
        }
        let rest = free - needed
        connections = min(S3ServerConfiguration.connectionLimit, Self.fewestConnections + rest / 2 / max(1, ports))
        segments = min(
            ShardDiskConfiguration().openFileLimit,
            Self.fewestSegments + rest / 2 / max(1, disks * Self.waysToRead)
        )
    }

    /// Of a disk that is served under this budget.
    var disk: ShardDiskConfiguration {
        var configuration = ShardDiskConfiguration()
        configuration.openFileLimit = segments
        return configuration
    }
}
