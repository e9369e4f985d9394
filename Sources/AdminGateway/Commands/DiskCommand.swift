import ArgumentParser

/// `cairn admin disk …`.
package struct DiskCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "disk",
        abstract: "List, add, replace, empty and retire disks.",
        subcommands: [List.self, Add.self, Replace.self, Drain.self, Retire.self]
    )

    package init() {}

    /// `cairn admin disk list`.
    package struct List: AdminSubcommand {
        package static let configuration = CommandConfiguration(abstract: "Show every disk.")

        @OptionGroup package var target: AdminTarget
        @Flag(help: "Print everything as JSON.")
        var json = false

        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            let status = try client.status()
            guard !json else { return try JSONText.text(status.disks) }
            return (StatusText.disks(status.disks) + StatusText.unused(status.unusedDisks)).joined(separator: "\n")
        }
    }

    /// `cairn admin disk add`.
    package struct Add: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Take empty disks of a node into the store, and move their share to them.",
            discussion: """
                Start the node with the new disk as one more --disk first. Nothing is formatted that holds anything.
                """
        )

        @Option(help: "The node's name, as `cairn admin disk list` shows it.")
        var node: String
        @Option(help: "Only the disk in this slot. (default: all that are empty and not in use)")
        var slot: String?
        @Flag(help: "Move nothing to them now: `cairn admin rebalance` does that.")
        var noRebalance = false
        @Flag(help: "Only tell which disks would be taken, how many bytes would move to them, and how long that takes.")
        var dryRun = false
        @Flag(help: "With --dry-run: print the plan as JSON.")
        var json = false
        @Option(help: "MiB a second to move at most, in all.")
        var rate: Int?
        @Flag(help: "Show the progress until all is moved.")
        var watch = false
        @OptionGroup package var target: AdminTarget

        package init() {}

        package func validate() throws {
            try RateOption.check(rate)
            try PlanOption.check(json: json, dryRun: dryRun)
            guard !noRebalance || (rate == nil && !watch) else {
                throw ValidationError("with --no-rebalance nothing moves: leave --rate and --watch out")
            }
        }

        package func perform(_ client: AdminClient) throws -> String {
            if dryRun {
                let question = AdditionQuestion(node: node, slot: slot, rate: RateOption.bytes(rate))
                let plan = try client.planAddition(question)
                return json ? try JSONText.text(plan) : AdditionText.text(plan, isRebalanced: !noRebalance)
            }
            let added = try client.addDisks(node: node, slot: slot).disks
            let text = "Added: \(added.joined(separator: ", "))."
            if noRebalance { return text + " They hold nothing until: cairn admin rebalance" }
            var request = MoveRequest()
            request.rate = RateOption.bytes(rate)
            let plan = try client.beginMoves(request)
            return text + "\n" + (try MovesWatch.told(plan, watching: watch, client))
        }
    }

    /// `cairn admin disk drain DISK`.
    package struct Drain: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Move everything off disks that work, and take them out of use.",
            discussion: """
                The disks serve until the last shard has left them, so nothing is at risk meanwhile. \
                `cairn admin moves` shows, pauses and cancels it.
                """
        )

        @Argument(help: "SITE/NODE/SLOT as the list shows it, NODE/SLOT, the disk's path, or the beginning of its id.")
        var disks: [String]
        @Flag(help: "Also when classes then survive fewer losses than now: --dry-run tells.")
        var force = false
        @OptionGroup package var target: AdminTarget
        @OptionGroup var options: MoveOptions

        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            try options.run(MoveRequest(disks: disks, isForced: force), client)
        }
    }

    /// `cairn admin disk replace DISK`.
    package struct Replace: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Take the empty disk at a disk's path in its place, and rebuild what it held."
        )

        @OptionGroup var lost: LostDiskOptions
        @OptionGroup package var target: AdminTarget

        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            if lost.dryRun { return try lost.text(try client.planReplacement(ofDisk: lost.disk, isForced: lost.force)) }
            let done = try client.replaceDisk(named: lost.disk, isForced: lost.force)
            return """
                Disk \(done.oldDisk.prefix(8)) is replaced by \(done.newDisk.prefix(8)) at \(done.path).
                To rebuild: \(Words.plural(done.shardsToRebuild, "shard")), \(Words.bytes(done.bytesToRebuild)). \
                It is done when `cairn admin status` shows no shard missing.
                """
        }
    }

    /// `cairn admin disk retire DISK`.
    package struct Retire: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Give up a disk that is gone, and make what it held anew on the others.",
            discussion: """
                For a disk that will neither come back nor be replaced. In every group another disk takes its place, \
                where one is left that keeps the shards spread over sites and nodes.
                """
        )

        @OptionGroup var lost: LostDiskOptions
        @OptionGroup package var target: AdminTarget

        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            if lost.dryRun { return try lost.text(try client.planRetirement(ofDisk: lost.disk, isForced: lost.force)) }
            let done = try client.retireDisk(named: lost.disk, isForced: lost.force)
            let moved = "Others stand in for disk \(done.disk.prefix(8)) in \(Words.plural(done.groupsMoved, "group"))."
            guard done.groupsLeft == 0 else {
                return """
                    \(moved)
                    In \(Words.plural(done.groupsLeft, "group")) no disk is left that could: it keeps its place there. \
                    Replace it with `cairn admin disk replace`.
                    """
            }
            return """
                \(moved) It is in use no more.
                To rebuild: \(Words.plural(done.shardsToRebuild, "shard")). \
                It is done when `cairn admin status` shows no shard missing.
                """
        }
    }
}

/// The disk that is given up, and whether it is or is only planned for.
struct LostDiskOptions: ParsableArguments {
    @Argument(help: "SITE/NODE/SLOT as the list shows it, NODE/SLOT, the disk's path, or the beginning of its id.")
    var disk: String
    @Flag(help: "Also when something cannot be read without the disk, or its node runs twice: it is gone for good.")
    var force = false
    @Flag(help: "Only tell how many bytes would be made anew, how long that takes, and what is at risk meanwhile.")
    var dryRun = false
    @Flag(help: "With --dry-run: print the plan as JSON.")
    var json = false

    func validate() throws { try PlanOption.check(json: json, dryRun: dryRun) }

    func text(_ plan: DiskLossReport) throws -> String {
        json ? try JSONText.text(plan) : DiskLossText.text(plan)
    }
}

/// `--json` of commands whose plan alone is printed so: what they do they tell in words.
private enum PlanOption {
    static func check(json: Bool, dryRun: Bool) throws {
        guard !json || dryRun else { throw ValidationError("--json prints a plan: give it with --dry-run") }
    }
}
