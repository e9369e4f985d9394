import ArgumentParser
import Foundation

/// `cairn admin doctor`.
package struct DoctorCommand: AdminSubcommand {
    package static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what is wrong, why, and which command is safe to run next.",
        discussion: "The exit code is 0 when nothing is wrong, and 1 when something is; hints do not count."
    )

    @OptionGroup package var target: AdminTarget
    @Flag(help: "Print everything as JSON.")
    var json = false

    package init() {}

    /// Unlike other commands it has an answer when no store gives one.
    package func run() throws {
        let directory = try target.directory(ProcessInfo.processInfo.environment)
        let checkup = Self.checkup(AdminClient(directory: directory), directory)
        print(try text(checkup))
        if !checkup.isHealthy { throw ExitCode.failure }
    }

    package func perform(_ client: AdminClient) throws -> String { try text(Checkup(client.examine())) }

    private func text(_ checkup: Checkup) throws -> String {
        json ? try JSONText.text(checkup) : CheckupText.text(checkup)
    }

    /// An error is a finding too: of the store that does not answer on `directory`.
    package static func checkup(_ client: AdminClient, _ directory: String) -> Checkup {
        do throws(AdminError) { return Checkup(try client.examine()) } catch {
            return Checkup(error, folder: FolderMarks(of: directory), path: directory)
        }
    }
}

extension FolderMarks {
    /// What lies there; reads names alone.
    package init(of directory: String) {
        let files = FileManager.default
        guard let names = try? files.contentsOfDirectory(atPath: directory) else {
            self.init(role: .none)
            return
        }
        // As `DataFolder` and `ClusterFiles` name them.
        let role: Role =
            if names.contains("cluster.json") { .coordinator } else if names.contains("node.json") { .node } else {
                names.contains("metadata") || names.contains("credentials") ? .store : .empty
            }
        self.init(role: role, isSuperseded: names.contains("superseded"))
    }

    /// The program that runs on such a folder; nil where none does.
    package var program: String? {
        switch role {
        case .none, .empty: nil
        case .store: "cairn serve"
        case .coordinator: "cairn coordinator"
        case .node: "cairn node"
        }
    }

    /// What to do when nothing answers there.
    func adviceToStart(_ directory: String) -> String {
        if isSuperseded {
            return "Leave it stopped: another coordinator has taken over from this folder. Run the command there."
        }
        switch role {
        case .none, .empty:
            return "Name the store's folder by --data or CAIRN_DATA; `cairn serve --data \(directory)` makes a new one."
        case .node: return "It is a node's folder: run the command at the coordinator, with its folder by --data."
        case .store, .coordinator:
            let program = program ?? "cairn serve"
            return "Start it with `\(program) --data \(directory)`, or name another folder by --data or CAIRN_DATA."
        }
    }
}
