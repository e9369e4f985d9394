import ArgumentParser

/// `cairn admin node maintenance …`.
struct MaintenanceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "maintenance",
        abstract: "Take a node down for a while without its disks being given up.",
        subcommands: [Status.self, Begin.self, End.self],
        defaultSubcommand: Status.self
    )

    /// `cairn admin node maintenance status`.
    struct Status: AdminSubcommand {
        static let configuration = CommandConfiguration(abstract: "Show the nodes in maintenance.")

        @OptionGroup var target: AdminTarget
        @Flag(help: "Print everything as JSON.")
        var json = false

        func perform(_ client: AdminClient) throws -> String {
            let report = try client.maintenances()
            return json ? try JSONText.text(report) : MaintenanceText.text(report)
        }
    }

    /// `cairn admin node maintenance begin NODE --for TIME`.
    struct Begin: AdminSubcommand {
        static let configuration = CommandConfiguration(
            abstract: "Wait for a node's disks for so long, and show what is at risk meanwhile.",
            discussion: """
                A disk that stays away is given up after an hour (`--out-after`) and its shards are made anew on \
                others. Those of a node in maintenance are waited for instead. The command stops nothing.
                """
        )

        /// Longer than that is not maintenance: drain the node.
        private static let longest = Duration.seconds(30 * 86_400)

        @Argument(help: "The node's name, or SITE/NODE.")
        var node: String
        @Option(name: .customLong("for"), help: "How long: a number with s, m, h or d.")
        var time: String
        @Flag(help: "Only show what is at risk while the node is down.")
        var dryRun = false
        @OptionGroup var target: AdminTarget

        func validate() throws {
            guard duration != nil else { throw ValidationError("--for \(time): give from 1s to 30d") }
        }

        private var duration: Duration? { DurationText.parse(time).flatMap { $0 <= Self.longest ? $0 : nil } }

        func perform(_ client: AdminClient) throws -> String {
            let question = LossQuestion(targets: ["node:\(node)"], megabytesPerSecond: PlanCommand.Lose.usualRate)
            let risk = LossPlanText.meanwhile(try client.planLoss(question))
            guard !dryRun, let seconds = duration?.components.seconds else { return risk }
            let report = try client.setMaintenance(MaintenanceRequest(node: node, seconds: Int(seconds)))
            return risk + "\n\n" + MaintenanceText.begun(report, of: node)
        }
    }

    /// `cairn admin node maintenance end NODE`.
    struct End: AdminSubcommand {
        static let configuration = CommandConfiguration(
            abstract: "Say that a node is back: from here on its disks are given up as others are."
        )

        @Argument(help: "The node's name, or SITE/NODE.")
        var node: String
        @OptionGroup var target: AdminTarget

        func perform(_ client: AdminClient) throws -> String {
            MaintenanceText.text(try client.setMaintenance(MaintenanceRequest(node: node, seconds: nil)))
        }
    }
}
