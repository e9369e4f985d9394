import AdminGateway
import ArgumentParser
import LoadGenerator
import ObjectModel

struct CoordinatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator",
        abstract: "Run a cluster's coordinator: metadata, membership, placement, repair, scrub.",
        discussion: """
            One line `ready: …` is printed when nodes may call. With --take-over it begins anew from a recovery kit \
            and the nodes, wherever it is started and also while the old one still runs.
            """
    )

    @Option(help: "The data folder that `cairn cluster init` made; an empty one with --take-over.")
    var data: String
    @Option(help: "Address and port for the nodes' calls, in place of the one given to `cairn cluster init`.")
    var listen: String?
    @Option(help: "Address under which nodes reach this coordinator, where that is not the one it listens on.")
    var advertise: String?
    @Option(help: "Address and port of /-/ready and /-/metrics, which need no credentials; off unless given.")
    var metrics: String?
    @Option(help: "The site where this coordinator stands: repair reads what is near, and counts what crosses lines.")
    var site: String?
    @Flag(help: "Take the place of the cluster's coordinator.")
    var takeOver = false
    @Option(help: "The recovery kit, for --take-over.")
    var kit: String?
    @Option(help: "A node that runs, as NAME=ADDRESS:PORT, for --take-over. Repeatable.")
    var node: [String] = []
    @Option(help: "Abort uploads older than this: a number with s, m, h or d.")
    var abortUploadsAfter = "7d"
    @OptionGroup var scrub: ScrubOptions
    @OptionGroup var out: OutOptions
    @OptionGroup var repair: RepairOptions
    @Flag(help: "Go on with fewer journal keepers than needed; what only the missing ones have is lost.")
    var forceJournal = false

    func run() async throws {
        guard let age = DurationText.parse(abortUploadsAfter) else {
            throw ValidationError("--abort-uploads-after \(abortUploadsAfter): give a number with s, m, h or d")
        }
        _ = try (out.patience(), repair.rates(), metrics.map { try ListenAddress($0, option: "--metrics") })
        try await CoordinatorProgram(options: self, uploadAge: age, scrub: try scrub.settings()).run()
    }
}
