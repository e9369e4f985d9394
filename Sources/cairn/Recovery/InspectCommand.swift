import ArgumentParser
import LinuxSystem
import ObjectModel
import Recovery
import SystemInterface

/// `cairn inspect`: what lies where, read-only, also while a server runs and offline.
struct InspectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what lies where on the disks: read-only, also while a server runs.",
        subcommands: [OneDisk.self, OneShard.self, OneObject.self, OneJournal.self]
    )

    static var inspection: Inspection { Inspection(time: LinuxTime(), random: LinuxRandom()) }

    struct OneDisk: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "disk",
            abstract: "Whose disk a folder is, what it holds and what of it is damaged."
        )

        @Argument(help: "The disk's folder.") var path: String
        @Flag(help: "List every shard.") var shards = false
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let source = try RecoveryDiskOptions.source(path)
            let report = try await InspectCommand.inspection.disk(source, listsShards: shards)
            RecoveryConsole.show(report, asJSON: json)
        }
    }

    struct OneShard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "shard",
            abstract: "What a shard's record says, and whether every byte of it is good."
        )

        @Argument(help: "The disk's folder.") var path: String
        @Argument(help: "The shard: BLOB/INDEX, as `inspect object` and `inspect disk --shards` show it.")
        var shard: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let parts = shard.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, let blob = BlobID(text: parts[0]), let index = UInt8(parts[1]) else {
                throw ValidationError("\(shard) is no shard: give BLOB/INDEX, such as 1-1-2a/0")
            }
            let source = try RecoveryDiskOptions.source(path)
            let report = try await InspectCommand.inspection.shard(source, ShardID(blob: blob, index: index))
            RecoveryConsole.show(report, asJSON: json)
        }
    }

    struct OneObject: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "object",
            abstract: "Where each shard of an object lies, and whether it is good."
        )

        @OptionGroup var disks: RecoveryDiskOptions
        @Argument(help: "The bucket.") var bucket: String
        @Argument(help: "The key.") var key: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let sources = try disks.sources()
            let metadata = try TemporaryMetadata(in: nil, disks: sources)
            defer { metadata.remove() }
            let report = try await InspectCommand.inspection.object(
                sources,
                bucket: bucket,
                key: key,
                cluster: try disks.clusterID(),
                open: metadata.open
            )
            RecoveryConsole.show(report, asJSON: json)
        }
    }

    struct OneJournal: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "journal",
            abstract: "Where the journal on a disk begins and ends, its keepers; checkpoint."
        )

        @Argument(help: "The disk's folder.") var path: String
        @Option(help: "Also show so many of the last records.") var records = 0
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let source = try RecoveryDiskOptions.source(path)
            let report = try await InspectCommand.inspection.journal(source, records: max(0, records))
            RecoveryConsole.show(report, asJSON: json)
        }
    }
}
