import ArgumentParser
import Foundation

/// `cairn admin repair …`.
package struct RepairCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Show how missing shards are put back, set what that may take of disks and lines, or hold it.",
        subcommands: [Status.self, Rate.self, Pause.self, Resume.self],
        defaultSubcommand: Status.self
    )

    package init() {}

    /// `cairn admin repair status`.
    package struct Status: AdminSubcommand {
        package static let configuration = CommandConfiguration(abstract: "Show how repair goes.")

        @OptionGroup package var target: AdminTarget
        @Flag(help: "Show the progress until nothing is missing.")
        var watch = false
        @Flag(help: "Print everything as JSON.")
        var json = false

        package init() {}

        package func validate() throws {
            guard !(watch && json) else { throw ValidationError("give --watch or --json, not both") }
        }

        package func perform(_ client: AdminClient) throws -> String {
            if watch { return try RepairWatch.run(client) }
            let report = try client.status().repair
            return json ? try JSONText.text(report) : RepairText.text(report)
        }
    }

    /// `cairn admin repair rate`.
    package struct Rate: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Set what repair may take, until the program starts again.",
            discussion: """
                The rates of every start are --repair-rate and --wan-rate of `cairn serve` and `cairn coordinator`. \
                Blobs without a spare shard are held to neither.
                """
        )

        @OptionGroup package var target: AdminTarget
        @Option(help: "MiB a second of each disk at most, reads and writes together, while clients ask for something.")
        var disk: Int?
        @Option(help: "MiB a second of all lines between sites at most, moves included; 0 for no limit.")
        var wan: Int?

        /// What every start is given comes first: a rate that outlived it would make its options mean nothing.
        private static let isUntilStart = """
            That holds until the program starts again, with its --repair-rate and --wan-rate: change those for good.
            """

        package init() {}

        package func validate() throws {
            guard disk != nil || wan != nil else { throw ValidationError("give --disk, --wan or both") }
            try RateOption.check(disk, "--disk")
            try RateOption.check(wan, "--wan", from: 0)
        }

        package func perform(_ client: AdminClient) throws -> String {
            let change = RepairRateChange(disk: RateOption.bytes(disk), wan: RateOption.bytes(wan))
            return RepairText.text(try client.setRepairRate(change)) + "\n" + Self.isUntilStart
        }
    }
}

extension RepairCommand {
    /// `cairn admin repair pause`.
    package struct Pause: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Repair only blobs without a spare shard, also over a restart, for a time or until `resume`.",
            discussion: """
                What is lost meanwhile stays lost, so status and doctor warn of it all the time. What is being made is \
                finished, and objects are read as before. Disks are given up after `--out-after` all the same: for a \
                node that is taken down see `cairn admin node maintenance`.
                """
        )

        /// Longer than that is no pause.
        private static let longest = Duration.seconds(30 * 86_400)

        @Option(name: .customLong("for"), help: "How long: a number with s, m, h or d. (default: until `resume`)")
        var time: String?
        @OptionGroup package var target: AdminTarget

        package init() {}

        package func validate() throws {
            if let time, duration == nil { throw ValidationError("--for \(time): give from 1s to 30d") }
        }

        private var duration: Duration? {
            time.flatMap(DurationText.parse).flatMap { $0 <= Self.longest ? $0 : nil }
        }

        package func perform(_ client: AdminClient) throws -> String {
            RepairText.paused(try client.pauseRepair(for: duration.map { Int($0.components.seconds) }))
        }
    }

    /// `cairn admin repair resume`.
    package struct Resume: AdminSubcommand {
        package static let configuration = CommandConfiguration(abstract: "Repair everything again, from now on.")

        @OptionGroup package var target: AdminTarget
        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            "Going on. \(RepairText.text(try client.resumeRepair()))"
        }
    }
}

/// Progress, line by line, until nothing is missing any more.
package enum RepairWatch {
    /// Seconds between two looks.
    private static let interval = 1.0

    static func run(_ client: AdminClient) throws -> String {
        try run(
            show: MovesWatch.show,
            rest: { Thread.sleep(forTimeInterval: interval) },
            look: { try client.status().repair }
        )
    }

    package static func run(
        show: (String) -> Void,
        rest: () -> Void,
        look: () throws -> RepairReport
    ) rethrows -> String {
        var last = ""
        while true {
            let repair = try look()
            if repair.isDone { return "Done: nothing is missing." }
            let text = RepairText.line(repair)
            if text != last { show("Repair: \(text).") }
            last = text
            rest()
        }
    }
}
