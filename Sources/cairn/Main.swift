import AdminGateway
import ArgumentParser
import LoadGenerator

/// The one program of Cairn: a subcommand for each of its parts.
@main
struct Cairn: AsyncParsableCommand {
    /// Raised with what operators or clients notice; formats have versions of their own (`Docs/DiskFormat.md`).
    private static let release = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "cairn",
        abstract: "An erasure-coded, S3-compatible object store for medical-imaging archives.",
        version: "cairn \(release)",
        subcommands: [
            ServeCommand.self, AdminCommand.self, BenchCommand.self, InspectCommand.self, SalvageCommand.self,
            MetadataCommand.self, ClusterCommand.self, CoordinatorCommand.self, NodeCommand.self,
        ]
    )
}
