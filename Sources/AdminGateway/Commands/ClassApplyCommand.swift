import ArgumentParser
import Foundation

extension ClassCommand {
    /// `cairn admin class apply`.
    package struct Apply: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Rewrite the objects of a bucket into another class, in the background.",
            discussion: """
                Their versions, ETags, dates and metadata stay; what clients overwrite or delete meanwhile stays as \
                they left it, and so does what they write from now on: set the bucket's class first. \
                `cairn admin class rewrites` shows, pauses and cancels it.
                """
        )

        @Option(help: "The bucket.")
        var bucket: String
        @Option(help: "A class, as `cairn admin class list` shows it.")
        var to: String
        @Option(help: "Only objects whose keys begin so.")
        var prefix = ""
        @Option(help: "MiB a second to rewrite at most.")
        var rate: Int?
        @Flag(help: "Only tell how many objects and bytes would be rewritten, and how long that takes.")
        var dryRun = false
        @Flag(help: "Show the progress until all are rewritten.")
        var watch = false
        @Flag(help: "Print what is begun as JSON.")
        var json = false
        @OptionGroup package var target: AdminTarget

        package init() {}

        package func validate() throws {
            try RateOption.check(rate)
            guard !(watch && json) else { throw ValidationError("give --watch or --json, not both") }
        }

        package func perform(_ client: AdminClient) throws -> String {
            let report = try client.applyClass(
                ClassApplication(
                    bucket: bucket,
                    prefix: prefix,
                    storageClass: to,
                    rate: RateOption.bytes(rate),
                    isDryRun: dryRun
                )
            )
            if json { return try JSONText.text(report) }
            guard watch, !dryRun else { return ClassRewriteText.application(report) }
            MovesWatch.show(ClassRewriteText.application(report))
            return try ClassRewritesWatch.run(client, bucket: bucket, hasBegun: true)
        }
    }

    /// `cairn admin class rewrites …`.
    package struct Rewrites: ParsableCommand {
        package static let configuration = CommandConfiguration(
            commandName: "rewrites",
            abstract: "Show, pause, resume or cancel what `class apply` has begun.",
            subcommands: [Status.self, Pause.self, Resume.self, Cancel.self],
            defaultSubcommand: Status.self
        )

        package init() {}

        /// `cairn admin class rewrites status`.
        package struct Status: AdminSubcommand {
            package static let configuration = CommandConfiguration(abstract: "Show how the rewriting goes.")

            @Flag(help: "Show the progress until all is rewritten.")
            var watch = false
            @Flag(help: "Print everything as JSON.")
            var json = false
            @OptionGroup package var target: AdminTarget

            package init() {}

            package func perform(_ client: AdminClient) throws -> String {
                if watch { return try ClassRewritesWatch.run(client, bucket: nil) }
                let report = try client.classRewrites()
                return json ? try JSONText.text(report) : ClassRewriteText.list(report)
            }
        }

        /// `cairn admin class rewrites pause`.
        package struct Pause: AdminSubcommand {
            package static let configuration = CommandConfiguration(
                abstract: "Rewrite no more of a bucket until `resume`, over restarts too."
            )

            @Option(help: "The bucket.")
            var bucket: String
            @OptionGroup package var target: AdminTarget
            package init() {}

            package func perform(_ client: AdminClient) throws -> String {
                let report = try client.control(ClassRewriteControl(bucket: bucket, action: .pause))
                return "Paused. \(ClassRewriteText.list(report))"
            }
        }

        /// `cairn admin class rewrites resume`.
        package struct Resume: AdminSubcommand {
            package static let configuration = CommandConfiguration(abstract: "Go on with a bucket that was paused.")

            @Option(help: "The bucket.")
            var bucket: String
            @OptionGroup package var target: AdminTarget
            package init() {}

            package func perform(_ client: AdminClient) throws -> String {
                let report = try client.control(ClassRewriteControl(bucket: bucket, action: .resume))
                return "Going on. \(ClassRewriteText.list(report))"
            }
        }

        /// `cairn admin class rewrites cancel`.
        package struct Cancel: AdminSubcommand {
            package static let configuration = CommandConfiguration(
                abstract: "End the rewriting of a bucket where it is.",
                discussion: "What was rewritten stays in the new class, the rest in the old one: all of it is whole."
            )

            @Option(help: "The bucket.")
            var bucket: String
            @OptionGroup package var target: AdminTarget
            package init() {}

            package func perform(_ client: AdminClient) throws -> String {
                let report = try client.control(ClassRewriteControl(bucket: bucket, action: .cancel))
                return "Cancelled: what was rewritten stays so. \(ClassRewriteText.list(report))"
            }
        }
    }
}

/// Progress, line by line, until nothing is rewritten any more. Ends with an error where what was watched was
/// cancelled.
package enum ClassRewritesWatch {
    /// Seconds between two looks.
    private static let interval = 1.0

    /// Of one bucket, or of all. `hasBegun`: a rewrite of that bucket, which this command began.
    static func run(_ client: AdminClient, bucket: String?, hasBegun: Bool = false) throws -> String {
        try run(
            bucket: bucket,
            hasBegun: hasBegun,
            show: MovesWatch.show,
            rest: { Thread.sleep(forTimeInterval: interval) },
            look: { try client.classRewrites() }
        )
    }

    package static func run(
        bucket: String?,
        hasBegun: Bool,
        show: (String) -> Void,
        rest: () -> Void,
        look: () throws -> ClassRewritesReport
    ) throws -> String {
        var last = ""
        var seen = Set(hasBegun ? [bucket].compactMap(\.self) : [])
        while true {
            let report = try look()
            let open = report.rewrites.filter { bucket == nil || $0.bucket == bucket }
            guard !open.isEmpty else {
                let cancelled = seen.intersection(report.cancelled).sorted()
                guard !cancelled.isEmpty else { return "Done: nothing is being rewritten." }
                show("Cancelled: \(cancelled.joined(separator: ", ")); what was rewritten stays so.")
                throw ExitCode.failure
            }
            seen.formUnion(open.map(\.bucket))
            let text = open.map(ClassRewriteText.line).joined(separator: "\n")
            if text != last { show(text) }
            last = text
            rest()
        }
    }
}
