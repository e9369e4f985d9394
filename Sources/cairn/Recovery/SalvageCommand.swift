import ArgumentParser
import LinuxSystem
import Recovery
import SystemInterface

/// `cairn salvage`: objects straight off raw disks.
struct SalvageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "salvage",
        abstract: "Write out every object from nothing but disk folders: no database, no running store.",
        discussion: """
            The disks are only read. The journal on them is the authority; with none left, what the shards say of \
            themselves is written out as unconfirmed. Run it again to go on where it was interrupted. Exit code 2: \
            something is lost or could not be written, or changes may be missing; see report.txt.
            """
    )

    @OptionGroup var disks: RecoveryDiskOptions
    @Option(help: "The folder to write to: objects/, unconfirmed/, manifest.jsonl, report.txt, report.json.")
    var to: String?
    @Flag(help: "Only list the objects and whether enough shards of each are there.")
    var list = false
    @Flag(help: "Read and verify every byte, write nothing.")
    var dryRun = false
    @Option(help: "Only this bucket.")
    var bucket: String?
    @Option(help: "Only keys that begin so.")
    var prefix = ""
    @Option(help: "Only objects written at this time (UTC) or later: 2026-11-23 or 2026-11-23T21:41:26.")
    var since: String?
    @Flag(help: "The objects written last come first.")
    var newestFirst = false
    @Flag(help: "With --list, one JSON object per line.")
    var json = false

    func run() async throws {
        guard list || dryRun || to != nil else { throw ValidationError("give --to DIR, or --list, or --dry-run") }
        let writes = !list && !dryRun
        let sources = try disks.sources()
        // Before anything is made there.
        if writes, let to {
            try RecoveryPlace.check(to, option: "--to", folders: Salvage.writtenFolders, disks: sources)
        }
        let salvage = Salvage(disks: sources, options: try options())
        let output = writes ? try to.map { try LinuxFileSystem(root: $0, name: "salvage", createsRoot: true) } : nil
        let metadata = try TemporaryMetadata(in: writes ? to : nil, disks: sources)
        defer { metadata.remove() }
        let report = try await salvage.run(
            output: output,
            time: LinuxTime(),
            random: LinuxRandom(),
            open: metadata.open,
            onEntry: { entry in if list { print(line(entry)) } },
            progress: { report in if !list { RecoveryConsole.tellProgress(report.progressLine) } }
        )
        if !list { RecoveryConsole.tellProgress("") }
        if list { RecoveryConsole.tell(report.text) } else { print(report.text) }
        if !report.isWhole { throw ExitCode(2) }
    }

    private func options() throws -> SalvageOptions {
        var options = SalvageOptions(mode: list ? .list : dryRun ? .verify : .extract)
        options.cluster = try disks.clusterID()
        options.bucket = bucket
        options.prefix = prefix
        options.newestFirst = newestFirst
        if let since {
            guard let time = CivilTime.parse(since) else {
                throw ValidationError("--since \(since): give a date such as 2026-11-23 or 2026-11-23T21:41:26")
            }
            options.since = time
        }
        return options
    }

    private func line(_ entry: SalvageEntry) -> String {
        if json { return entry.json.encoded() }
        let time = entry.modified.map(CivilTime.text) ?? "-"
        let name = JSONValue.string("\(entry.bucket)/\(entry.key)").encoded()
        let state = entry.state.rawValue + String(repeating: " ", count: max(0, 11 - entry.state.rawValue.count))
        return "\(state) \(time) \(entry.length) \(name)" + (entry.problem.map { "  \($0)" } ?? "")
    }
}
