internal import ClusterProtocol
package import DiskFormat
internal import ShardStorage
package import SystemInterface

/// A folder that was given for a disk, and what stands in it.
package struct GivenDisk: Sendable {
    package enum Finding: Hashable, Sendable {
        case disk(DiskIdentity)
        case empty
        /// No disk, and something that is never formatted over.
        case occupied(String)
        case unusable(String)
    }

    package var path: String
    package var finding: Finding

    package init(path: String, finding: Finding) {
        self.path = path
        self.finding = finding
    }

    /// How long a look may take: a disk that slept needs some seconds.
    static let patience = Duration.seconds(20)
    /// What is told of a folder that takes longer.
    static let silent = "it does not answer"
    /// What is told of one that is not there.
    package static let noFolder = "its folder is not there"

    /// Looks without changing anything; `open` opens the folder's files.
    static func look(
        _ path: String,
        _ open: @Sendable () async throws(FileError) -> any FileSystem
    ) async -> GivenDisk {
        GivenDisk(path: path, finding: await finding(open))
    }

    /// The same, once: a folder that hangs is told as unusable, and what hangs on it is left behind.
    package static func lookPatiently(
        _ path: String,
        time: any TimeSource,
        _ open: @escaping @Sendable () async throws(FileError) -> any FileSystem
    ) async -> GivenDisk {
        let looks = PatientLooks<String, GivenDisk>(patience: patience, time: time)
        let found = await looks.look(at: path) { await look(path, open) }
        return found ?? GivenDisk(path: path, finding: .unusable(silent))
    }

    private static func finding(_ open: @Sendable () async throws(FileError) -> any FileSystem) async -> Finding {
        do {
            return try await finding(in: try await open())
        } catch let error as ShardStorageError {
            return .unusable(error.description)
        } catch let error as FileError where error.code == .gone {
            return .unusable(noFolder)
        } catch {
            return .unusable("\(error)")
        }
    }

    private static func finding(in files: any FileSystem) async throws -> Finding {
        if let identity = try await identity(of: files) { return .disk(identity) }
        // As formatting would: a question is to be refused where the command would be.
        return try await ShardDisk.content(of: files).map { .occupied($0) } ?? .empty
    }

    /// Nil when it is no disk.
    private static func identity(of files: any FileSystem) async throws(ShardStorageError) -> DiskIdentity? {
        do {
            return try await ShardDisk.readIdentity(files)
        } catch .notFormatted {
            return nil
        }
    }

    package var identity: DiskIdentity? { if case .disk(let identity) = finding { identity } else { nil } }

    /// For a coordinator.
    var report: SlotReport.Finding {
        switch finding {
        case .disk(let identity): .disk(identity.cluster, identity.disk)
        case .empty: .empty
        case .occupied(let what): .occupied(what)
        case .unusable(let reason): .unusable(reason)
        }
    }
}
