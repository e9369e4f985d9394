import ArgumentParser
import Foundation
import Glibc
import LinuxSystem
import Metadata
import ObjectModel
import Recovery
import SystemInterface

/// The folders that a recovery command reads.
struct RecoveryDiskOptions: ParsableArguments {
    @Option(help: "A disk's folder. Repeatable.")
    var disk: [DiskOption] = []
    @Option(help: "A data folder: all the disks in it.")
    var data: String?
    @Option(help: "The cluster, where the disks belong to several; else the one that most of them belong to.")
    var cluster: String?

    func sources() throws -> [DiskSource] { try Self.sources(disks: disk, data: data) }

    func clusterID() throws -> ClusterID? { try Self.clusterID(cluster) }

    /// Opens every folder; one that is not there is told on standard error and left out.
    static func sources(disks given: [DiskOption], data: String?) throws -> [DiskSource] {
        let paths = given.map(\.path) + (try data.map(disks) ?? [])
        guard !paths.isEmpty else { throw ValidationError("give the disks' folders with --disk PATH, or --data DIR") }
        let sources = paths.compactMap { path -> DiskSource? in
            do {
                return try source(path)
            } catch {
                RecoveryConsole.tell("\(error); it is left out")
                return nil
            }
        }
        guard !sources.isEmpty else { throw ServeError("none of the disks' folders can be opened: nothing was done") }
        return sources
    }

    static func clusterID(_ text: String?) throws -> ClusterID? {
        guard let text else { return nil }
        guard let id = Identifier128(text: text) else {
            throw ValidationError("--cluster \(text): a cluster id has 32 hexadecimal digits")
        }
        return ClusterID(id)
    }

    static func source(_ path: String) throws -> DiskSource {
        do throws(FileError) {
            return DiskSource(path: path, files: try LinuxFileSystem(root: path, name: name(path)))
        } catch  where error.code == .gone {
            throw ServeError("\(path): there is no such folder")
        } catch {
            throw ServeError("\(path) cannot be opened: \(error)")
        }
    }

    private static func name(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? "disk" }

    /// `DIR/sites/SITE/nodes/NODE/disks/DISK`, sorted.
    private static func disks(in data: String) throws -> [String] {
        func below(_ path: String) -> [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted().map { path + "/" + $0 }
        }
        let found = below(data + "/sites").flatMap { below($0 + "/nodes") }.flatMap { below($0 + "/disks") }
        guard !found.isEmpty else {
            throw ValidationError(
                "\(data) holds no disks (sites/SITE/nodes/NODE/disks/DISK): give them with --disk PATH"
            )
        }
        return found
    }
}

/// Words for the person at the terminal.
enum RecoveryConsole {
    static func tell(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    /// Whether somebody sees how far it has come: in a file or a pipe lines do not replace each other.
    private static let showsProgress = isatty(STDERR_FILENO) == 1

    /// One line that the next one replaces.
    static func tellProgress(_ text: String) {
        guard showsProgress else { return }
        FileHandle.standardError.write(Data(("\r\u{1B}[K" + text).utf8))
    }

    static func show(_ report: InspectionReport, asJSON: Bool) {
        print(asJSON ? report.json.encoded(indent: 2) : report.text)
    }
}

/// A metadata database for the time of one command: on disk, so that memory stays bounded.
struct TemporaryMetadata {
    private let folder: String

    /// Below `parent`, or the system's temporary folder, which must not lie on one of the disks.
    init(in parent: String?, disks: [DiskSource]) throws {
        let name = ".cairn-metadata-\(ProcessInfo.processInfo.processIdentifier)"
        if parent == nil {
            try RecoveryPlace.check(NSTemporaryDirectory(), option: "the temporary folder TMPDIR", disks: disks)
        }
        folder = (parent ?? NSTemporaryDirectory()) + "/" + name
        remove()
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
    }

    func open(_ journal: any JournalWriter) async throws -> any ReplicatedMetadata {
        try await JournaledMetadataStore.openSQLite(path: folder + "/metadata.sqlite", journal: journal)
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }
}
