import ArgumentParser

extension PlanCommand {
    /// `cairn admin plan add`.
    package struct Add: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Show what would change if disks, a node or a site of nodes were added.",
            discussion: """
                How many bytes would move to even the disks out, how long that takes, what room there would be, and \
                what each storage class would survive.
                """
        )

        private static let counts = 1...1_000

        @Option(help: "The site they stand in, there already or new.")
        var site: String
        @Option(help: "The node that has them, there already or new.")
        var node: String
        @Option(help: "So many new nodes, called NODE-1, NODE-2 and so on.")
        var nodes = 1
        @Option(help: "Disks of each node.")
        var disks: Int
        @Option(help: "Of each disk, such as 8TB, 960GB or 7.2TiB.")
        var size: String
        @Option(help: "Million bytes a second that each disk reads and writes for the moves.")
        var rate = Lose.usualRate
        @Flag(help: "Print everything as JSON.")
        var json = false
        @OptionGroup package var target: AdminTarget

        package init() {}

        package func validate() throws {
            guard DiskSize(size) != nil else { throw ValidationError("--size \(size): give such as 8TB") }
            for (name, value) in [("--nodes", nodes), ("--disks", disks)] where !Self.counts.contains(value) {
                throw ValidationError("\(name) \(value): give from 1 to \(Self.counts.upperBound)")
            }
            try Lose.validate(rate: rate)
            guard !site.isEmpty, !node.isEmpty else { throw ValidationError("--site and --node take names") }
        }

        package func perform(_ client: AdminClient) throws -> String {
            let question = GrowthQuestion(
                site: site,
                node: node,
                nodes: nodes,
                disks: disks,
                size: DiskSize(size)?.bytes ?? 0,
                megabytesPerSecond: rate
            )
            let report = try client.planGrowth(question)
            return json ? try JSONText.text(report) : GrowthPlanText.text(report)
        }
    }
}

/// The size of a disk as people write it: `8TB`, `8T`, `7.2 TiB`, or a number of bytes.
package struct DiskSize: Hashable {
    package let bytes: Int

    private static let units: [String: Int] = [
        "": 1, "B": 1, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000, "M": 1_000_000,
        "G": 1_000_000_000, "T": 1_000_000_000_000, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
    ]
    /// Far beyond any disk, and so many of a thousand nodes are still a number.
    private static let limit = 1e15

    /// nil when the text is none, or no disk is so large.
    package init?(_ text: String) {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }.uppercased()
        guard let value = Double(digits), let factor = Self.units[unit] else { return nil }
        let size = value * Double(factor)
        guard size >= 1, size <= Self.limit else { return nil }
        bytes = Int(size)
    }
}
