import ArgumentParser

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

        package init() {}

        package func validate() throws {
            guard bucket == nil || disks.target.isEverything else {
                throw ValidationError("give one of --disk, --node and --bucket")
            }
        }

        package func perform(_ client: AdminClient) throws -> String {
            var chosen = disks.target
            chosen.bucket = bucket
            guard chosen.isEverything else {
                return try client.startScrub(chosen).text + " Watch it with: cairn admin scrub status"
            }
            let start = try client.startScrub()
            let work = "\(Words.plural(start.shardsToVerify, "shard")), \(Words.bytes(start.bytesToVerify))"
            let text =
                start.wasRunning ? "A verification is running already: \(work) left." : "Verification begun: \(work)."
            return text + " Watch it with: cairn admin status"
        }
    }

    /// `cairn admin scrub status`.
    package struct Status: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Show how long ago each disk was verified, and how far the passes under way are."
        )

        @OptionGroup package var target: AdminTarget
        @Flag(help: "Print everything as JSON.")
        var json = false

        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
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
