import ArgumentParser
import Foundation

/// `cairn admin scrub …`.
package struct ScrubCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "scrub",
        abstract: "Verify what is stored: see how it goes, pause, resume, or read now.",
        discussion: """
            By itself every byte is read and compared within the server's `--scrub-days`, and every stripe coded again \
            within its `--re-encode-days`.
            """,
        subcommands: [Now.self, Status.self, Pause.self, Resume.self],
        defaultSubcommand: Now.self
    )

    package init() {}

    /// Which disks are meant.
    package struct DiskTarget: ParsableArguments {
        @Option(help: "Only this disk: SITE/NODE/SLOT, NODE/SLOT, its path, or the beginning of its id.")
        var disk: String?
        @Option(help: "Only the disks of this node.")
        var node: String?

        package init() {}

        package func validate() throws {
            guard disk == nil || node == nil else { throw ValidationError("give --disk or --node, not both") }
        }

        var target: ScrubTarget { ScrubTarget(disk: disk, node: node) }
    }

    /// `cairn admin scrub now`.
    package struct Now: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Read and verify now, as fast as the disks go: everything, or a disk, a node, a bucket."
        )

        @OptionGroup package var target: AdminTarget
        @OptionGroup var disks: DiskTarget
        @Option(help: "Only what the objects of this bucket have on any disk.")
        var bucket: String?
        @Flag(help: "Show the progress until all that was asked for is read.")
        var watch = false

        package init() {}

        package func validate() throws {
            guard bucket == nil || disks.target.isEverything else {
                throw ValidationError("give one of --disk, --node and --bucket")
            }
        }

        package func perform(_ client: AdminClient) throws -> String {
            var chosen = disks.target
            chosen.bucket = bucket
            let begun = chosen.isEverything ? try startAll(client) : try client.startScrub(chosen).text
            guard watch else { return begun + " Watch it with: cairn admin scrub status --watch" }
            MovesWatch.show(begun)
            return try ScrubWatch.run(client)
        }

        private func startAll(_ client: AdminClient) throws -> String {
            let start = try client.startScrub()
            let work = "\(Words.plural(start.shardsToVerify, "shard")), \(Words.bytes(start.bytesToVerify))"
            return
                start.wasRunning ? "A verification is running already: \(work) left." : "Verification begun: \(work)."
        }
    }

    /// `cairn admin scrub status`.
    package struct Status: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Show how long ago each disk was verified, and how far the passes under way are."
        )

        @OptionGroup package var target: AdminTarget
        @Flag(help: "Show the progress until what was asked for is read; with nothing asked for, of passes by date.")
        var watch = false
        @Flag(help: "Print everything as JSON.")
        var json = false

        package init() {}

        package func validate() throws {
            guard !(watch && json) else { throw ValidationError("give --watch or --json, not both") }
        }

        package func perform(_ client: AdminClient) throws -> String {
            if watch { return try ScrubWatch.run(client) }
            let report = try client.scrub()
            return json ? try JSONText.text(report) : ScrubText.text(report)
        }
    }

    /// `cairn admin scrub pause`.
    package struct Pause: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Read no more, also over a restart, until `resume`: everywhere, or on a disk or node."
        )

        @OptionGroup package var target: AdminTarget
        @OptionGroup var disks: DiskTarget

        package init() {}

        package func perform(_ client: AdminClient) throws -> String { try client.pauseScrub(disks.target).text }
    }

    /// `cairn admin scrub resume`.
    package struct Resume: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Go on where it was: everywhere, or on a disk or node."
        )

        @OptionGroup package var target: AdminTarget
        @OptionGroup var disks: DiskTarget

        package init() {}

        package func perform(_ client: AdminClient) throws -> String { try client.resumeScrub(disks.target).text }
    }
}

/// Progress, line by line, until what somebody asked for is read: disks, a bucket, a count of everything. Where nothing
/// was asked for, until no disk is being read by date either.
package enum ScrubWatch {
    /// Seconds between two looks.
    private static let interval = 1.0

    static func run(_ client: AdminClient) throws -> String {
        try run(
            show: MovesWatch.show,
            rest: { Thread.sleep(forTimeInterval: interval) },
            look: { try client.status() }
        )
    }

    package static func run(
        show: (String) -> Void,
        rest: () -> Void,
        look: () throws -> StatusReport
    ) rethrows -> String {
        var last = ""
        var wasAsked = false
        while true {
            let report = try look()
            let isAsked = report.isReadAsAsked
            wasAsked = wasAsked || isAsked
            guard isAsked || !wasAsked && report.scrub.disks.contains(where: \.active) else {
                return "Done: \(wasAsked ? "what was asked for is read" : "no disk is being read"); "
                    + ScrubText.summary(report.scrub) + "."
            }
            let text = ScrubText.progress(report)
            if text != last { show("Scrub: \(text).") }
            last = text
            rest()
        }
    }
}

extension StatusReport {
    /// Something that somebody asked for is not read through yet.
    fileprivate var isReadAsAsked: Bool {
        verification.active || scrub.bucket?.active ?? false || scrub.disks.contains { $0.active && $0.asked }
    }
}
