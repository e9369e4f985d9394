import AdminGateway
import ArgumentParser
import LoadGenerator

/// The one program of Cairn: a subcommand for each of its parts.
@main
struct Cairn: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cairn",
        abstract: "An erasure-coded, S3-compatible object store for medical-imaging archives.",
        subcommands: [
            ServeCommand.self, AdminCommand.self, BenchCommand.self, InspectCommand.self, SalvageCommand.self,
            MetadataCommand.self, ClusterCommand.self, CoordinatorCommand.self, NodeCommand.self,
        ]
    )
}
