import ArgumentParser
import LinuxSystem
import Metadata
import Recovery
import SystemInterface

/// `cairn metadata`: the database of a store that is not running.
struct MetadataCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metadata",
        abstract: "Work on the metadata database of a store that is not running.",
        subcommands: [Rebuild.self]
    )

    struct Rebuild: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rebuild",
            abstract: "Make the metadata database anew, or bring an old one up to date, from nothing but the disks.",
            discussion: """
                The disks are only read. A database that is not behind them is left as it is. Safe to run again after \
                any interruption. Start `cairn serve` with the same --data and --disk options afterwards.
                """
        )

        @Option(help: "The data folder, in which the database is made; its disks are read unless --disk is given.")
        var data: String
        @Option(help: "A disk's folder. Repeatable.")
        var disk: [DiskOption] = []
        @Option(help: "The cluster, where the disks belong to several.")
        var cluster: String?
        @Flag(help: "Go on with fewer journal keepers than needed; what only the missing ones have is lost.")
        var force = false

        func run() async throws {
            // Before the data folder, which is not made for nothing.
            let sources = try RecoveryDiskOptions.sources(disks: disk, data: disk.isEmpty ? data : nil)
            // One folder twice would be locked twice, as if a server ran on it.
            try DiskFolders.checkDistinct(sources.map(\.path))
            try RecoveryPlace.check(data, option: "--data", folders: ["metadata"], disks: sources)
            let folder = DataFolder(path: data)
            let files = try await folder.open()
            let rebuild = MetadataRebuild(
                disks: sources,
                cluster: try RecoveryDiskOptions.clusterID(cluster),
                isForced: force
            )
            let report = try await rebuild.run(time: LinuxTime(), random: LinuxRandom()) { journal in
                try await JournaledMetadataStore.openSQLite(path: folder.metadata, journal: journal)
            }
            print(report.text)
            // The lock of the data folder is held as long as its file system lives.
            withExtendedLifetime(files) {}
        }
    }
}
