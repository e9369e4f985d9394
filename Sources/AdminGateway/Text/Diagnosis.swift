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

    /// Percent of a disk in use from which on more room should be planned.
    static let fullPercent = 85

    let findings: [Finding]
    private let report: StatusReport

    init(_ report: StatusReport) {
        self.report = report
        let all =
            Self.data(report) + Self.journal(report) + Self.disks(report) + Self.groups(report)
            + Self.shards(report) + Self.upkeep(report)
        // Stable: findings of one severity keep the order in which an operator should see to them.
        findings = all.enumerated().sorted { ($1.element.severity, $0.offset) < ($0.element.severity, $1.offset) }
            .map(\.element)
    }

    /// More disks away than there are parity shards: what lies on them and k - 1 others cannot be read until some of
    /// them are back. Missing shards count only what is known to be lost.
    private static func hasTooFewDisks(_ report: StatusReport) -> Bool {
        report.disks.count { !$0.state.isReadable } > report.totalShards - report.dataShards
    }

    /// One line that says how the store is.
    var headline: String {
        switch findings.first?.severity {
        case .critical where report.blobsBelowK > 0: "DATA AT RISK: some objects cannot be read now."
        case .critical where Self.hasTooFewDisks(report):
            "DATA AT RISK: more disks are away than the scheme can do without."
        case .critical: "NOT WRITABLE: what is stored can be read, new objects are refused."
        case .warning: "DEGRADED: everything can be read; redundancy is reduced."
        case .notice: "OK: every shard is in place. Something needs attention:"
        case nil: "OK: every shard is in place."
        }
    }

    private static func data(_ report: StatusReport) -> [Finding] {
        guard report.blobsBelowK > 0 else { return [] }
        return [
            Finding(
                severity: .critical,
                text:
                    "\(Words.plural(report.blobsBelowK, "blob")) have fewer than the \(report.dataShards) shards that "
                    + "reading needs" + examples(report.unreadableObjects),
                action: "bring a missing disk back (cable, mount, power); replace and erase nothing before that"
            )
        ]
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
        let current = journal.keepers.count { $0.state == .current }
        guard current < journal.keepers.count else { return [] }
        let text =
            "\(current) of \(Words.plural(journal.keepers.count, "journal keeper")) current, \(journal.needed) needed"
        if current < journal.needed {
            return [Finding(severity: .critical, text: text, action: "bring the disks of the other keepers back")]
        }
        return [
            Finding(severity: .warning, text: text, action: "see to the disks below; keepers catch up by themselves")
        ]
    }

    private static func disks(_ report: StatusReport) -> [Finding] {
        let mayBeNeeded = report.blobsBelowK > 0 || hasTooFewDisks(report)
        return report.disks.compactMap { disk in
            let name = "disk \(disk.place) (\(disk.path))"
            if disk.state.needsReplacement, mayBeNeeded {
                return Finding(
                    severity: .warning,
                    text: "\(name) is \(disk.state.rawValue)",
                    action: "bring it back as it is: what cannot be read now may need it"
                )
            }
            if disk.state.needsReplacement {
                let gone = disk.state == .missing ? "bring it back, or put" : "put"
                return Finding(
                    severity: .warning,
                    text: "\(name) is \(disk.state.rawValue)",
                    action: "\(gone) an empty disk at its path and run: cairn admin disk replace \(disk.place)"
                )
            }
            switch disk.state {
            case .suspect:
                return Finding(
                    severity: .warning,
                    text: "\(name) has had errors",
                    action: "look at dmesg and smartctl; if it is bad: cairn admin disk replace \(disk.place)"
                )
            case .full:
                return Finding(
                    severity: .warning,
                    text: "\(name) is full",
                    action: "delete objects or add disks"
                )
            case .rebuilding:
                return Finding(
                    severity: .warning,
                    text: "\(name) is being rebuilt",
                    action: "nothing: wait until repair has ended"
                )
            default:
                guard disk.capacity > 0, disk.used / (disk.capacity / 100 + 1) >= fullPercent else { return nil }
                return Finding(
                    severity: .notice,
                    text: "\(name) is \(Words.percent(disk.used, of: disk.capacity)) full",
                    action: "plan for more disks"
                )
            }
        }
    }

    private static func groups(_ report: StatusReport) -> [Finding] {
        let groups = report.groups
        guard groups.total > 0, groups.unwritable == groups.total else { return [] }
        return [
            Finding(
                severity: .critical,
                text: "no placement group has enough usable disks for a write",
                action: "bring missing disks back, or replace them"
            )
        ]
    }

    private static func shards(_ report: StatusReport) -> [Finding] {
        guard report.missingShards > 0 else { return [] }
        let text = "\(Words.plural(report.missingShards, "shard")) missing"
        if report.repair.active {
            let left = report.repair.etaSeconds.map { ", about \(Words.span($0)) left" } ?? ""
            return [Finding(severity: .warning, text: text, action: "nothing: repair is running\(left)")]
        }
        let action = "repair waits for a disk to put them on: see to the disks"
        return [Finding(severity: .warning, text: text, action: action)]
    }

    private static func upkeep(_ report: StatusReport) -> [Finding] {
        var findings: [Finding] = []
        if !report.recoveryKitTaken {
            findings.append(
                Finding(
                    severity: .notice,
                    text:
                        "the recovery kit has not been taken: without it nothing can be restored from the disks alone",
                    action: "run: cairn admin recovery-kit --to FILE, and keep the file apart from the disks"
                )
            )
        }
        return findings + ScrubDiagnosis.findings(report.scrub)
    }
}
