import ArgumentParser

/// `cairn admin plan …`.
package struct PlanCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Ask what would be, without changing anything.",
        subcommands: [Lose.self, Add.self]
    )

    package init() {}

    /// `cairn admin plan lose TARGET …`.
    package struct Lose: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Show what would remain if disks, nodes or sites were lost at once.",
            discussion: """
                Read, written, rebuilt, and for how long; what is away already counts as lost with them. Ask before \
                a disk is taken out, a node is stopped or a site goes dark.
                """
        )

        /// 10 to 60 MB/s a disk are what a rebuild may take beside clients.
        static let usualRate = 30
        static let rates = 1...100_000

        @Argument(help: "disk:SITE/NODE/SLOT, node:NAME or site:NAME. Repeatable.")
        var targets: [String]
        @Option(help: "Million bytes a second that each disk reads and writes for the rebuild.")
        var rate = Lose.usualRate
        @Flag(help: "Print everything as JSON.")
        var json = false
        @OptionGroup package var target: AdminTarget

        package init() {}

        package func validate() throws {
            for text in targets where LossTarget(text) == nil {
                throw ValidationError("\(text): give disk:SITE/NODE/SLOT, node:NAME or site:NAME")
            }
            try Self.validate(rate: rate)
        }

        /// Of every question that asks for a rate.
        static func validate(rate: Int) throws {
            guard rates.contains(rate) else {
                throw ValidationError("--rate \(rate): give from \(rates.lowerBound) to \(rates.upperBound)")
            }
        }

        package func perform(_ client: AdminClient) throws -> String {
            let report = try client.planLoss(LossQuestion(targets: targets, megabytesPerSecond: rate))
            return json ? try JSONText.text(report) : LossPlanText.text(report)
        }
    }
}
