import ArgumentParser
import Foundation

/// Options of every command that moves shards.
package struct MoveOptions: ParsableArguments {
    @Flag(help: "Only tell how many bytes would move, how long that takes, and how full each disk is then.")
    var dryRun = false
    @Flag(help: "Show the progress until all is moved.")
    var watch = false
    @Option(help: "MiB a second to move at most, in all; of these moves alone. (default: 200)")
    var rate: Int?
    @Flag(help: "Print what is begun as JSON.")
    var json = false

    package init() {}

    package func validate() throws {
        try RateOption.check(rate)
        guard !(watch && json) else { throw ValidationError("give --watch or --json, not both") }
    }

    func run(_ request: MoveRequest, _ client: AdminClient) throws -> String {
        var request = request
        request.isDryRun = dryRun
        request.rate = RateOption.bytes(rate)
        let plan = try client.beginMoves(request)
        if json { return try JSONText.text(plan) }
        return try MovesWatch.told(plan, watching: watch && !dryRun, client)
    }
}

/// `cairn admin rebalance`.
package struct RebalanceCommand: AdminSubcommand {
    package static let configuration = CommandConfiguration(
        commandName: "rebalance",
        abstract: "Move shards so that every disk holds its share.",
        discussion: """
            Until a shard is proved at its new place the one before counts, so nothing is at risk meanwhile. \
            `cairn admin moves` shows, pauses and cancels it.
            """
    )

    @OptionGroup package var target: AdminTarget
    @OptionGroup var options: MoveOptions

    package init() {}

    package func perform(_ client: AdminClient) throws -> String { try options.run(MoveRequest(), client) }
}

/// `cairn admin moves …`.
package struct MovesCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "moves",
        abstract: "Show, pause, resume or cancel the moves of a drain or a rebalance.",
        subcommands: [Status.self, Pause.self, Resume.self, Cancel.self],
        defaultSubcommand: Status.self
    )

    package init() {}

    /// `cairn admin moves status`.
    package struct Status: AdminSubcommand {
        package static let configuration = CommandConfiguration(abstract: "Show how the moves go.")

        @OptionGroup package var target: AdminTarget
        @Flag(help: "Show the progress until all is moved.")
        var watch = false
        @Flag(help: "Print everything as JSON.")
        var json = false

        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            if watch { return try MovesWatch.run(client) }
            let report = try client.moves()
            return json ? try JSONText.text(report) : MovesText.text(report)
        }
    }

    /// `cairn admin moves pause`.
    package struct Pause: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Move nothing until `resume`, also over a restart."
        )

        @OptionGroup package var target: AdminTarget
        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            "Paused. \(MovesText.text(try client.control(.pause)))"
        }
    }

    /// `cairn admin moves resume`.
    package struct Resume: AdminSubcommand {
        package static let configuration = CommandConfiguration(abstract: "Go on with moves that were paused.")

        @OptionGroup package var target: AdminTarget
        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            "Going on. \(MovesText.text(try client.control(.resume)))"
        }
    }

    /// `cairn admin moves cancel`.
    package struct Cancel: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Put everything that is being moved back.",
            discussion: "Places of which all is moved stay where they are. Disks that were being emptied stay in use."
        )

        @OptionGroup package var target: AdminTarget
        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            "Cancelled: what was moved goes back. \(MovesText.text(try client.control(.cancel)))"
        }
    }
}

/// Progress, line by line, until nothing is moved any more. Ends with an error where what was watched was cancelled:
/// whoever waits for a disk to be empty must not go on as if it were.
package enum MovesWatch {
    /// Seconds between two looks.
    private static let interval = 1.0

    /// What has been begun; `watching`: shown at once, and followed to its end.
    static func told(_ plan: MovePlanReport, watching: Bool, _ client: AdminClient) throws -> String {
        guard watching else { return MovesText.plan(plan) }
        show(MovesText.plan(plan))
        return try run(client, hasBegun: plan.places > 0)
    }

    /// `hasBegun`: moves that this command began.
    static func run(_ client: AdminClient, hasBegun: Bool = false) throws -> String {
        try run(
            hasBegun: hasBegun,
            show: show,
            rest: { Thread.sleep(forTimeInterval: interval) },
            look: { try client.moves() }
        )
    }

    package static func run(
        hasBegun: Bool,
        show: (String) -> Void,
        rest: () -> Void,
        look: () throws -> MovesReport
    ) throws -> String {
        var last = ""
        // Those that go back already when they are first seen come to the end that is waited for.
        var wasOpen = hasBegun
        while true {
            let report = try look()
            if report.isDone {
                guard wasOpen, report.isCancelled else { return "Done: nothing is being moved." }
                show("Cancelled: what had been moved has gone back.")
                throw ExitCode.failure
            }
            wasOpen = wasOpen || !report.isCancelled
            let text = MovesText.text(report)
            if text != last { show(text) }
            last = text
            rest()
        }
    }

    /// At once, also into a pipe.
    static func show(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }
}

/// Moves in words.
package enum MovesText {
    package static func plan(_ plan: MovePlanReport) -> String {
        guard plan.places > 0 else {
            return plan.isDryRun ? "Nothing would be moved." : "Nothing is to be moved."
        }
        let verb = plan.isDryRun ? "Would move" : "Moving"
        var lines = [
            "\(verb) \(Words.plural(plan.places, "place")), \(Words.bytes(plan.bytes)): "
                + "\(Words.span(plan.seconds)) or more at the rate allowed."
        ]
        lines.append(risk(plan))
        lines += promises(plan)
        for disk in plan.disks where disk.before != disk.after {
            var line = "  \(disk.name): \(Words.bytes(disk.before)) -> \(Words.bytes(disk.after))"
            if disk.capacity > 0 {
                let (now, then) = (disk.used, disk.usedThen)
                line += ", \(Words.percent(now, of: disk.capacity)) -> \(Words.percent(then, of: disk.capacity)) full"
            }
            lines.append(line)
        }
        if plan.isPaused { lines.append("! Moves are paused, and nothing moves until: cairn admin moves resume") }
        if !plan.isDryRun { lines.append("Watch it with: cairn admin moves status --watch") }
        return lines.joined(separator: "\n")
    }

    /// What classes survive less of then.
    private static func promises(_ plan: MovePlanReport) -> [String] {
        let lower = plan.outlooks.filter { $0.then.isLess(than: $0.now) }
        guard plan.isDryRun || !lower.isEmpty, !plan.outlooks.isEmpty else { return [] }
        guard !lower.isEmpty else { return ["Every class survives then what it survives now."] }
        let advice = plan.isDryRun ? ["This is refused without --force: add disks first if you can."] : []
        return lower.map { "! " + promise($0) + "." } + advice
    }

    private static func promise(_ outlook: MovePlanReport.Outlook) -> String {
        "\(outlook.name) survives then \(ProtectionText.survives(outlook.then)) "
            + "(now: \(ProtectionText.survives(outlook.now)))"
            + (outlook.isOfShardsAlone ? " by its shards alone" : "")
    }

    /// Why disks are not emptied though others could take what they hold.
    package static func refusal(_ lower: [MovePlanReport.Outlook]) -> String {
        "refused: with that " + lower.map(promise).joined(separator: "; and ")
    }

    /// What goes on all the same.
    package static let refusalAdvice = "Add disks first; if the disks have to go all the same, repeat it with --force."

    /// What is at risk meanwhile, and then.
    private static func risk(_ plan: MovePlanReport) -> String {
        var text = "Nothing lacks a shard meanwhile: until one is proved at its new place the one before counts."
        if !plan.away.isEmpty {
            text =
                "Away: \(plan.away.joined(separator: ", ")). What lies there lacks a shard until that is made anew "
                + "from others; bring it back first if you can."
        }
        let full = plan.disks.filter {
            $0.after > $0.before && DiskReport.isNearlyFull(used: $0.usedThen, of: $0.capacity)
        }
        guard !full.isEmpty else { return text }
        return text + " Nearly full then: \(full.map(\.name).joined(separator: ", ")): add disks first."
    }

    static func text(_ report: MovesReport) -> String {
        let trouble = report.problem.flatMap { $0.isEmpty ? nil : "\n! \($0)" } ?? ""
        guard !report.isDone else {
            // A pause holds for what comes, too.
            return (report.isPaused ? "Nothing is being moved; paused." : "Nothing is being moved.") + trouble
        }
        var text = report.isCancelled ? "To move back: " : "To move: "
        text += "\(Words.plural(report.places, "place")), \(Words.plural(report.shardsLeft, "shard"))"
        if report.bytesLeft > 0 { text += ", about \(Words.bytes(report.bytesLeft))" }
        text += "; moved so far: \(Words.bytes(report.bytesDone))"
        let rate = report.rate.map { "; at most \(Words.bytes($0)) a second" } ?? ""
        text += report.isPaused ? "; paused" : rate
        if let seconds = report.secondsLeft { text += "; about \(Words.span(seconds)) left" }
        if !report.draining.isEmpty { text += "; being emptied: \(report.draining.joined(separator: ", "))" }
        if !report.away.isEmpty { text += "; away, so made anew from others: \(report.away.joined(separator: ", "))" }
        if !report.keeping.isEmpty { text += "; \(KeeperText.waiting(report.keeping)): \(KeeperText.standIn)" }
        return text + "." + trouble
    }
}
