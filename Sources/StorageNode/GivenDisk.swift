internal import ClusterProtocol
package import DiskFormat
internal import ShardStorage
package import SystemInterface

/// A folder that was given for a disk, and what stands in it.
package struct GivenDisk: Sendable {
    package enum Finding: Hashable, Sendable {
        case disk(DiskIdentity)
        case empty
        case unusable(String)
    }

    package var path: String
    package var finding: Finding

    package init(path: String, finding: Finding) {
        self.path = path
        self.finding = finding
    }

    /// Looks without changing anything; `open` opens the folder's files.
    package static func look(
        _ path: String,
        _ open: @Sendable () throws(FileError) -> any FileSystem
    ) async -> GivenDisk {
        GivenDisk(path: path, finding: await finding(open))
    }

    private static func finding(_ open: @Sendable () throws(FileError) -> any FileSystem) async -> Finding {
        do {
            return .disk(try await ShardDisk.readIdentity(try open()))
        } catch ShardStorageError.notFormatted {
            return .empty
        } catch let error as ShardStorageError {
            return .unusable(error.description)
        } catch let error as FileError where error.code == .gone {
            return .unusable("its folder is not there")
        } catch {
            return .unusable("\(error)")
        }
    }

    package var identity: DiskIdentity? { if case .disk(let identity) = finding { identity } else { nil } }

    /// For a coordinator.
    var report: SlotReport.Finding {
        switch finding {
        case .disk(let identity): .disk(identity.cluster, identity.disk)
        case .empty: .empty
        case .unusable(let reason): .unusable(reason)
        }
    }
}
