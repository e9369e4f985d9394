/// What is wrong with a store and what to do about it, worst first.
struct Diagnosis {
    enum Severity: Int, Comparable {
        /// Worth doing this week.
        case notice
        /// Redundancy is lower than it should be.
        case warning
        /// Objects cannot be read, or nothing can be written.
        case critical

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    struct Finding: Equatable {
        var severity: Severity
        var text: String
        /// What the operator should do.
        var action: String
    }

    let findings: [Finding]
    private let report: StatusReport

    init(_ report: StatusReport) {
        self.report = report
        let all =
            Self.copies(report) + Self.data(report) + Self.journal(report) + Self.pausedRepair(report)
            + Self.nodes(report) + Self.disks(report) + Self.unused(report) + Self.groups(report)
            + Self.shards(report) + Self.room(report) + Self.upkeep(report)
        // Stable: findings of one severity keep the order in which an operator should see to them.
        findings = all.enumerated().sorted { ($1.element.severity, $0.offset) < ($0.element.severity, $1.offset) }
            .map(\.element)
    }

    /// Whether one shard more that is lost, a bad block say, makes something unreadable.
    private static func hasNoSpare(_ report: StatusReport) -> Bool {
        report.repair.blobsWithoutSpare > 0 || report.groups.fewestSpares.map { $0 <= 0 } ?? false
    }

    /// Journal keepers that may still go before the store stops; below zero: so many are short.
    private static func journalSpares(_ report: StatusReport) -> Int { report.journal.current - report.journal.needed }

    /// One line that says how the store is.
    var headline: String {
        let reading =
            Self.hasNoSpare(report)
            ? "no shard to spare: one disk or one bad block more, and objects cannot be read."
            : Self.journalSpares(report) == 0
                ? "no journal keeper to spare: one more that goes, and the store stops."
                : "everything can be read; redundancy is reduced."
        let rest = isReduced ? reading : Self.place(report)
        // It comes after all others of its severity: when it is the first, there is nothing else as bad.
        let room = Self.room(report).first == findings.first ? report.room.first : nil
        return switch findings.first?.severity {
        case .critical where room?.state == .refused: "FULL: new objects are refused; \(rest)"
        case .critical where room?.state == .largeRefused: "FULL: large objects are refused; \(rest)"
        case .warning where room?.state == .nearlyFull: "NEARLY FULL: large objects are soon refused; \(rest)"
        case .critical where report.metadataDamage != nil: "DATA AT RISK: the metadata database is damaged."
        case .critical where report.blobsBelowK > 0: "DATA AT RISK: some objects cannot be read now."
        case .critical where report.groups.unreadable > 0:
            "DATA AT RISK: more disks are away than a scheme can do without."
        case .critical where Self.journalSpares(report) < 0:
            "NOT WRITABLE: too few journal keepers answer; without them the store stops, and reads with it."
        case .critical where !report.copiedNodes.isEmpty: "NODE RUNS TWICE: stop the copy; \(rest)"
        case .critical: "NOT WRITABLE: new objects are refused; \(reading)"
        case .warning where report.repair.paused: "REPAIR PAUSED: \(rest)"
        case .warning: "DEGRADED: \(reading)"
        case .notice: "OK: \(Self.place(report)) Something needs attention:"
        case nil: "OK: \(Self.place(report))"
        }
    }

    private var isReduced: Bool {
        let others = Self.room(report) + Self.pausedRepair(report)
        return Self.hasNoSpare(report) || report.room.contains { $0.state == .degraded } || report.missingShards > 0
            || findings.contains { $0.severity == .warning && !others.contains($0) }
    }

    private static func place(_ report: StatusReport) -> String {
        report.isCounted ? "every shard is in place." : "nothing is known to be missing; the disks are being compared."
    }

    /// First of all: what is said of the disks of such a node may be true of the copy alone.
    private static func copies(_ report: StatusReport) -> [Finding] {
        report.copiedNodes.map {
            Finding(severity: .critical, text: CopyText.problem($0), action: CopyText.action)
        }
    }

    /// Of each class by itself: what is stored in a weaker one needs more of its disks.
    private static func data(_ report: StatusReport) -> [Finding] {
        let action = "bring a missing disk back (cable, mount, power); replace and erase nothing before that"
        var findings: [Finding] = []
        if let damage = report.metadataDamage {
            findings.append(
                Finding(
                    severity: .critical,
                    text:
                        "the metadata database is damaged: \(damage). The journal has everything, and no garbage is "
                        + "erased meanwhile",
                    action:
                        "stop the store and move its database aside; a coordinator that is started then reads it from "
                        + "the nodes, for `cairn serve` run first: cairn metadata rebuild"
                )
            )
        }
        if report.blobsBelowK > 0 {
            findings.append(isDiskAway(report) ? belowK(report, action: action) : damagedBelowK(report))
        }
        if report.groups.unreadable > 0 {
            let text =
                "\(Words.count(report.groups.unreadable)) of \(Words.plural(report.groups.total, "group")) with fewer "
                + "disks than reading needs: what lies there cannot be read"
            findings.append(Finding(severity: .critical, text: text, action: action))
        }
        return findings
    }

    private static func isDiskAway(_ report: StatusReport) -> Bool { report.disks.contains { !$0.state.isReadable } }

    private static func belowK(_ report: StatusReport, action: String) -> Finding {
        let verb = report.blobsBelowK == 1 ? "has" : "have"
        let text =
            "\(Words.plural(report.blobsBelowK, "blob")) \(verb) fewer shards than reading needs"
            + examples(report.unreadableObjects)
        return Finding(severity: .critical, text: text, action: action)
    }

    /// No disk that is known can bring the shards back.
    private static func damagedBelowK(_ report: StatusReport) -> Finding {
        let blobs = Words.plural(report.blobsBelowK, "blob")
        let text =
            "too many shards of \(blobs) are damaged or lost for reading, and no disk is away"
            + examples(report.unreadableObjects)
        return Finding(severity: .critical, text: text, action: "nothing is purged: \(Advice.bringBack)")
    }

    /// Names in a sentence, so many at most.
    private static let exampleLimit = 5

    private static func examples(_ objects: [String]) -> String {
        guard !objects.isEmpty else { return "" }
        let rest = objects.count > exampleLimit ? ", … (`cairn admin status --json` lists more)" : ""
        return ": " + objects.prefix(exampleLimit).joined(separator: ", ") + rest
    }

    private static func journal(_ report: StatusReport) -> [Finding] {
        let journal = report.journal
        let current = journal.current
        guard current < journal.keepers.count else { return wanting(journal) }
        let text =
            "\(current) of \(Words.plural(journal.keepers.count, "journal keeper")) current, \(journal.needed) needed"
            + KeeperText.consequence(journal)
        if current < journal.needed {
            return [Finding(severity: .critical, text: text, action: "bring the disks of the other keepers back")]
        }
        return [
            Finding(severity: .warning, text: text, action: "see to the disks below; keepers catch up by themselves")
        ]
    }

    private static func wanting(_ journal: JournalReport) -> [Finding] {
        guard journal.keepers.count < journal.wanted else { return [] }
        return [
            Finding(
                severity: .warning,
                text: KeeperText.wanting(journal),
                action: "others join by themselves within seconds once their disks serve; cairn admin doctor says more"
            )
        ]
    }

    /// Its node is in maintenance or does not answer: it is to be waited for, and not to be replaced.
    private static func isAwayWithItsNode(_ disk: DiskReport, _ report: StatusReport) -> Bool {
        disk.state.needsAttention
            && (report.silentNodes.contains(NamedNode(site: disk.site, name: disk.node))
                || report.maintained.contains { $0.site == disk.site && $0.node == disk.node })
    }

    private static func nodes(_ report: StatusReport) -> [Finding] {
        let disks = report.disks.filter { isAwayWithItsNode($0, report) }
        let byNode = Dictionary(grouping: disks) { "\($0.site)/\($0.node)" }
        return byNode.keys.sorted().map { name in
            let away = Words.plural(byNode[name]?.count ?? 0, "disk") + " away"
            if let node = report.maintained.first(where: { $0.name == name }) {
                return Finding(
                    severity: .warning,
                    text: "node \(name) is in maintenance for another \(Words.span(node.secondsLeft)): \(away)",
                    action: "start it again before that; when it is back: cairn admin node maintenance end \(name)"
                )
            }
            return Finding(
                severity: .warning,
                text: "node \(name) does not answer: \(away)",
                action: "start it again on its machine, with its own data folder; what it missed is repaired"
            )
        }
    }

    private static func disks(_ report: StatusReport) -> [Finding] {
        let diagnosis = DiskDiagnosis(report: report, hasNoSpare: hasNoSpare(report))
        return report.disks.filter { !isAwayWithItsNode($0, report) }.compactMap(diagnosis.finding)
    }

    private static func unused(_ report: StatusReport) -> [Finding] {
        report.unusedDisks.filter(\.needsAttention).map { disk in
            Finding(
                severity: .notice,
                text: "\(disk.name) is not in use: \(disk.reason)",
                action: report.isCopied(disk)
                    ? CopyText.disk(of: disk.node) : report.hasUnreadable ? Advice.keep : Advice.unused(disk.kind)
            )
        }
    }

    private static func groups(_ report: StatusReport) -> [Finding] {
        let groups = report.groups
        let open = groups.total - groups.closed
        guard open > 0, groups.unwritable == open else { return [] }
        return [
            Finding(
                severity: .critical,
                text: "no placement group has enough usable disks for a write",
                action: "bring missing disks back" + (report.copiedNodes.isEmpty ? ", or replace them" : "")
            )
        ]
    }

    /// Whether anything is missing or not: what is lost from now on stays so.
    private static func pausedRepair(_ report: StatusReport) -> [Finding] {
        guard report.repair.paused else { return [] }
        return [
            Finding(
                severity: .warning,
                text: RepairText.pauseProblem(report),
                action: "run: \(RepairText.resume)"
            )
        ]
    }

    private static func shards(_ report: StatusReport) -> [Finding] {
        guard report.missingShards > 0, !report.repair.paused else { return [] }
        let text = "\(Words.plural(report.missingShards, "shard")) missing"
        if report.repair.active {
            let left = report.repair.etaSeconds.map { ", about \(Words.span($0)) left" } ?? ""
            return [Finding(severity: .warning, text: text, action: "nothing: repair is running\(left)")]
        }
        let isForDisks = isDiskAway(report) || report.disks.contains { [.full, .hanging].contains($0.state) }
        let action =
            report.blobsBelowK > 0 && !isForDisks
            ? "repair cannot make them from the shards that are left: see above"
            : "repair waits for a disk to put them on: see to the disks"
        return [Finding(severity: .warning, text: text, action: action)]
    }

    /// Worst first.
    private static func room(_ report: StatusReport) -> [Finding] {
        report.room.map { room in
            Finding(
                severity: RoomText.isRefusal(room) ? .critical : .warning,
                text: "\(RoomText.problem(room)); \(RoomText.disks(room))",
                action: RoomText.action
            )
        }
    }

    private static func pausedMoves(_ report: StatusReport) -> [Finding] {
        guard let moves = report.moves, moves.isPaused, !moves.isDone else { return [] }
        return [
            Finding(
                severity: .notice,
                text: "moves are paused, with \(Words.plural(moves.places, "place")) to be moved",
                action: "run: cairn admin moves resume; or put them back by `cairn admin moves cancel`"
            )
        ]
    }

    private static func pausedRewrites(_ report: StatusReport) -> [Finding] {
        report.rewrites.filter(\.isPaused).map { item in
            Finding(
                severity: .notice,
                text: ClassRewriteText.pauseProblem(item),
                action: "run: \(ClassRewriteText.resume(item)); or end it where it is by "
                    + "`cairn admin class rewrites cancel`"
            )
        }
    }

    private static func upkeep(_ report: StatusReport) -> [Finding] {
        var findings: [Finding] = []
        if !report.recoveryKitTaken {
            findings.append(
                Finding(
                    severity: .notice,
                    text: "the recovery kit has not been taken: \(Advice.lostWithTheMachine)",
                    action: "run: cairn admin recovery-kit --to FILE, and keep the file apart from the disks"
                )
            )
        }
        if let forced = KeeperText.forced(report) {
            findings.append(Finding(severity: .notice, text: forced, action: KeeperText.acceptance))
        }
        let troubles = report.troubles.map { trouble in
            Finding(
                severity: .notice,
                text: "\(TroubleText.problem(trouble)) (\(trouble.reason))",
                action: TroubleText.action(trouble)
            )
        }
        return findings + troubles + pausedMoves(report) + pausedRewrites(report)
            + ScrubDiagnosis.findings(report.scrub)
    }
}
