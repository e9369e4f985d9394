import ArgumentParser
import Foundation

/// `cairn admin …`: what an operator does to a running store.
package struct AdminCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "admin",
        abstract: "Look after a running store.",
        discussion: "Every command speaks to the store that runs on the data folder, through the socket in it.",
        subcommands: [
            StatusCommand.self, DoctorCommand.self, PlanCommand.self, DiskCommand.self, UserCommand.self,
            RecoveryKitCommand.self, ScrubCommand.self, NodeCommand.self, ClusterCommand.self,
            RepairCommand.self, RebalanceCommand.self, MovesCommand.self, ClassCommand.self, BucketCommand.self,
            JournalCommand.self,
        ]
    )

    package init() {}
}

/// A command that asks the running store for something and prints what it says.
package protocol AdminSubcommand: ParsableCommand {
    var target: AdminTarget { get }
    /// Does it, and gives what standard output shall show.
    func perform(_ client: AdminClient) throws -> String
}

extension AdminSubcommand {
    /// An `AdminError` goes to standard error as its message and its advice, and the exit code is 1.
    package func run() throws {
        print(try perform(AdminClient(directory: try target.directory(ProcessInfo.processInfo.environment))))
    }
}

/// Which store is meant.
package struct AdminTarget: ParsableArguments {
    @Option(help: "The data folder of the store. (default: CAIRN_DATA of the environment)")
    var data: String?

    package init() {}

    /// The folder, from the option or the environment.
    package func directory(_ environment: [String: String]) throws(AdminError) -> String {
        if let directory = data ?? environment["CAIRN_DATA"], !directory.isEmpty { return directory }
        throw AdminError(
            .badRequest,
            "which store?",
            advice: "Name its data folder by --data DIR, or set CAIRN_DATA."
        )
    }
}
