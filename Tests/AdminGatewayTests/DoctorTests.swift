import AdminGateway
import ArgumentParser
import Testing

@Suite("The doctor")
struct DoctorTests {
    /// Something that can be wrong, and how it is told.
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var severity: Finding.Severity
        /// In the finding's problem.
        var words: String
        var command: String?
        var change: @Sendable (inout StoreExamination) -> Void
        var testDescription: String { name }

        init(
            _ name: String,
            _ severity: Finding.Severity,
            _ words: String,
            _ command: String?,
            _ change: @escaping @Sendable (inout StoreExamination) -> Void
        ) {
            self.name = name
            self.severity = severity
            self.words = words
            self.command = command
            self.change = change
        }
    }

    static let cases: [Case] = [
        Case(
            "one disk",
            .warning,
            "disk default/n1/3 (/data/disk3) is missing",
            "cairn admin disk replace default/n1/3"
        ) {
            $0.lose(3)
        },
        Case("no spare", .critical, "no shard to spare", "cairn admin status") { $0.lose(1, 2) },
        Case("too many disks", .critical, "12 of 12 groups with fewer disks than reading", "cairn admin disk list") {
            $0.lose(0, 1, 2)
        },
        Case("shards lost for good", .critical, "2 blobs with fewer shards than reading", "cairn admin status --json") {
            $0.status.blobsBelowK = 2
            $0.status.unreadableObjects = ["archive/1"]
        },
        Case("stopped", .critical, "the store has stopped", "cairn admin status") { $0.stopReason = "quorum lost" },
        Case("superseded", .critical, "stopped for good", "cairn admin doctor") {
            $0.stopReason = "another coordinator (incarnation 7) has taken over"
            $0.isSuperseded = true
        },
        Case("unconfirmed", .critical, "3 journal keepers have not confirmed", "cairn admin doctor") {
            $0.isConfirmed = false
        },
        Case(
            "keepers wanting",
            .warning,
            "the journal has 2 keepers of 5: with any of them lost",
            "cairn admin disk list"
        ) {
            $0.status.journal.keepers.removeLast(3)
            $0.status.journal.needed = 2
        },
        Case("last keepers", .warning, "3 of 5 journal keepers current, 3 needed: one more", "cairn admin disk list") {
            for index in 0..<2 { $0.status.journal.keepers[index].state = .unreachable }
        },
        Case("weak journal", .hint, "less than the shards do: any 1 disk; no node; no site", "cairn admin disk list") {
            $0.journal = .sample(spares: 1)
        },
        Case("keeper drained", .warning, "default/n1/3 cannot leave: the journal is kept", "cairn admin moves cancel") {
            $0.status.moves = MovesReport(
                places: 0,
                shardsLeft: 0,
                bytesLeft: 0,
                shardsDone: 9,
                bytesDone: 9,
                isPaused: false,
                draining: ["default/n1/3"],
                keeping: ["default/n1/3"],
                secondsLeft: nil
            )
            #expect(StatusText.text($0.status).contains("no other disk can take that over: bring back disks"))
        },
        Case("keeper behind", .warning, "4 of 5 journal keepers current, 3 needed", "cairn admin disk list") {
            $0.status.journal.keepers[2].state = .behind
        },
        Case(
            "keepers lost",
            .critical,
            "2 of 5 journal keepers current, 3 needed: changes wait",
            "cairn admin disk list"
        ) {
            for index in 0..<3 { $0.status.journal.keepers[index].state = .unreachable }
        },
        Case("no writes", .critical, "new objects are refused: no group has k + 1 disks", "cairn admin disk list") {
            $0.now = .sample(writes: .refused)
        },
        Case("degraded writes", .warning, "kept with fewer shards", "cairn admin disk list") {
            $0.now = .sample(degraded: 12, writes: .degraded)
        },
        Case(
            "suspect",
            .warning,
            "disk default/n1/4 (/data/disk4) has had errors",
            "cairn admin plan lose disk:default/n1/4"
        ) {
            $0.status.disks[4].state = .suspect
        },
        Case(
            "hanging",
            .warning,
            "disk default/n1/4 (/data/disk4) takes no writes: it is read, and gets nothing new",
            "cairn admin plan lose disk:default/n1/4"
        ) {
            $0.status.disks[4].state = .hanging
        },
        Case("not in its slot", .warning, "n1/3 (/data/disk3) is not in its slot", "cairn admin disk list") {
            $0.lose(3)
            $0.status.disks[3].state = .foreign
        },
        Case(
            "new disk",
            .hint,
            "disk default/n1/6 (/data/disk6) is not in use",
            "cairn admin disk add --node n1 --slot 6"
        ) {
            $0.status.unusedDisks = [.sample(.new)]
        },
        Case("drained disk left there", .hint, "n1/6 (/data/disk6) is not in use", "cairn admin disk list") {
            $0.status.unusedDisks = [.sample(.retired)]
        },
        Case("another store's disk", .notice, "n1/6 (/data/disk6) is not in use", "cairn admin disk list") {
            $0.status.unusedDisks = [.sample(.foreign)]
        },
        Case("folder that cannot be read", .notice, "n1/6 (/data/disk6) is not in use", "cairn admin disk list") {
            $0.status.unusedDisks = [.sample(.unusable)]
        },
        Case("rebuilding", .warning, "is being rebuilt", "cairn admin status") {
            $0.status.disks[4].state = .rebuilding
        },
        Case("full", .warning, "is full", "cairn admin disk list") { $0.status.disks[4].state = .full },
        Case("nearly full", .notice, "is 90 % full", "cairn admin disk list") {
            $0.status.disks[4].used = 3_600_000_000_000
        },
        Case("large refused", .critical, "large objects of STANDARD are refused (507)", "cairn admin disk list") {
            $0.status.room = [RoomReport(classes: ["STANDARD"], state: .largeRefused, disks: ["default/n1/4"])]
        },
        Case("nearly full class", .warning, "objects of A and B are soon refused", "cairn admin disk list") {
            $0.status.room = [RoomReport(classes: ["A", "B"], state: .nearlyFull, disks: ["default/n1/4"])]
        },
        Case("missing shards", .warning, "100 shards missing", "cairn admin status") { $0.status.missingShards = 100 },
        Case("damage", .notice, "3 damaged shards", "cairn admin scrub") { $0.badShards = 3 },
        Case("absence", .notice, "1 missing shard found by the last verification", "cairn admin scrub") {
            ($0.badShards, $0.absentShards) = (1, 1)
        },
        Case("absence and damage", .notice, "4 missing, 3 damaged shards found by the last", "cairn admin scrub") {
            ($0.badShards, $0.absentShards) = (7, 4)
        },
        Case("settings of moves", .notice, "what was said of moves is not kept", "cairn admin moves") {
            $0.status.troubles = [TroubleReport(work: .moves, reason: "the pause cannot be kept: no room")]
        },
        Case("no checkpoint", .notice, "no checkpoint of the metadata", "cairn admin disk list") {
            $0.status.troubles = [TroubleReport(work: .checkpoints, reason: "no group takes it")]
        },
        Case("no kit", .notice, "recovery kit has not been taken", "cairn admin recovery-kit --to FILE") {
            $0.status.recoveryKitTaken = false
        },
        Case("unverified", .notice, "1 disk not verified within 14 days", "cairn admin scrub") {
            $0.status.scrub.disks = [ScrubReport.Disk(place: "default/n1/1", id: "1", oldestUnverified: 40 * 86_400)]
        },
        Case("repair paused", .warning, "repair is paused until it is resumed", "cairn admin repair resume") {
            $0.status.repair.paused = true
        },
        Case("repair paused, shards missing", .warning, "for another 2 h: 100 shards", "cairn admin repair resume") {
            $0.status.missingShards = 100
            ($0.status.repair.paused, $0.status.repair.pauseSecondsLeft) = (true, 7_200)
        },
        Case("a pause of repair not kept", .notice, "of a pause of repair is not kept", "cairn admin repair") {
            $0.status.troubles = [TroubleReport(work: .repair, reason: "it cannot be kept: no room")]
        },
        Case("scrub paused", .notice, "the scrub is paused", "cairn admin scrub resume") {
            $0.status.scrub.paused = true
        },
        Case("moves paused", .notice, "moves are paused, with 2 places", "cairn admin moves resume") {
            $0.status.moves = MovesReport(
                places: 2,
                shardsLeft: 20,
                bytesLeft: 20,
                shardsDone: 0,
                bytesDone: 0,
                isPaused: true,
                draining: ["default/n1/3"],
                secondsLeft: nil
            )
        },
        Case(
            "rewrite paused",
            .notice,
            "the rewriting of archive/2019/… into COLD is paused, with 200 objects left",
            "cairn admin class rewrites resume --bucket archive"
        ) {
            $0.status.rewrites = [.sample]
            $0.status.rewrites[0].isPaused = true
        },
        Case("not as it came in", .warning, "1 object not as they came in", "cairn admin scrub status") {
            $0.status.scrub.damagedObjects = ["archive/1"]
        },
        Case("scrub not kept", .notice, "cannot be kept: no room", "cairn admin scrub status") {
            $0.status.scrub.problem = "no room"
        },
        Case("partly verified", .notice, "10 shards not verified", "cairn admin scrub") {
            $0.status.verification.shardsVerified = 590
        },
        Case("forced", .notice, "only inferred to be garbage", "cairn admin journal accept-loss") {
            $0.status.forcedStart = ForcedStartReport(time: $0.status.time - 7_200, isAccepted: false)
            #expect(StatusText.text($0.status).contains("a start was forced 2 h ago"))
        },
        Case("put back", .notice, "only inferred to be garbage", "cairn admin journal accept-loss") {
            $0.status.forcedStart = ForcedStartReport(time: $0.status.time - 60, isAccepted: false, forgotten: 9)
            #expect(StatusText.text($0.status).contains("the metadata was put back to an earlier moment"))
        },
        Case("garbage held back", .hint, "garbage is kept: 9 shards in quarantine", "cairn admin disk list") {
            $0.lose(3)
            $0.suspectShards = 9
        },
        Case("unrepackable", .notice, "4 mostly dead blobs", "cairn admin scrub") { $0.blobsNotRepacked = 4 },
        Case("against the rule", .notice, "2 groups with more shards", "cairn admin rebalance") {
            $0.idleDisks = ["a/b/disk-7"]
            $0.groupsAgainstTheRule = 2
        },
        Case("one site", .hint, "all shards are on one site", "cairn admin plan lose site:default") { _ in },
        Case("node silent", .warning, "node default/n1 does not answer: 6 disks away", "cairn node --data DIR") {
            $0.silentNodes = [NamedNode(site: "default", name: "n1")]
        },
        Case("node unheard", .warning, "n1 answers, and does not report", "cairn admin node list") {
            $0.unheardNodes = [NamedNode(site: "default", name: "n1")]
        },
        Case("node twice", .critical, "two processes run as node default/n1: a:1 and b:1", "cairn admin node list") {
            $0.status.copiedNodes = [CopiedNodeReport(site: "default", name: "n1", processes: ["a:1", "b:1"])]
        },
        Case("node gone", .notice, "n9 does not answer, and has no disk", "cairn admin node remove n9") {
            $0.silentNodes = [NamedNode(site: "default", name: "n9")]
        },
        Case("maintained", .notice, "down for maintenance, for another", "cairn admin node maintenance end default/n1")
        {
            $0.silentNodes = [NamedNode(site: "default", name: "n1")]
            $0.status.maintained = [MaintenanceReport.Node(site: "default", node: "n1", secondsLeft: 7_200)]
        },
    ]

    @Test("Each problem is found, with its cause and its command", arguments: cases)
    func found(one: Case) throws {
        var examination = StoreExamination.sample()
        #expect(one.name == "one site" || !Doctor.findings(in: examination).contains { $0.problem.contains(one.words) })
        one.change(&examination)
        let findings = Doctor.findings(in: examination)
        let finding = try #require(findings.first { $0.problem.contains(one.words) }, "\(findings.map(\.problem))")
        #expect(finding.severity == one.severity)
        #expect(finding.command == one.command)
        #expect(!finding.cause.isEmpty && !finding.action.isEmpty)
        #expect(findings.map(\.severity) == findings.map(\.severity).sorted(by: >))
        #expect(Doctor.isHealthy(findings) == (one.severity == .hint && examination.now.degraded == 0))
    }

    @Test("Every command that is named can be typed", arguments: cases)
    func commandsParse(one: Case) throws {
        var examination = StoreExamination.sample()
        one.change(&examination)
        for command in Doctor.findings(in: examination).compactMap(\.command) {
            let words = command.split(separator: " ").map(String.init)
            guard words[1] == "admin" else {
                #expect(words[0] == "cairn")
                continue
            }
            #expect(throws: Never.self) { try AdminCommand.parseAsRoot(Array(words.dropFirst(2))) }
        }
    }

    @Test("A store that is whole is healthy, also when a forced start has been accepted", arguments: [false, true])
    func healthy(wasForced: Bool) {
        var examination = StoreExamination.sample()
        if wasForced { examination.status.forcedStart = ForcedStartReport(time: 7, isAccepted: true) }
        let findings = Doctor.findings(in: examination)
        #expect(Doctor.isHealthy(findings))
        #expect(findings.count == 1)
    }

    @Test("While blobs are below k, nothing is replaced, retired or erased", arguments: [true, false])
    func safety(disksAway: Bool) {
        var examination = StoreExamination.sample()
        if disksAway { examination.lose(0, 1, 2) } else { examination.lose(0) }
        examination.status.blobsBelowK = disksAway ? 0 : 1
        examination.status.unusedDisks = [.sample(.retired), .sample(.foreign)]
        let findings = Doctor.findings(in: examination)
        #expect(findings.count { $0.problem.contains("is missing") } == (disksAway ? 3 : 1))
        for finding in findings {
            let text = [finding.problem, finding.cause, finding.action, finding.command ?? ""].joined(separator: " ")
            #expect(!text.contains("admin disk re") && !text.contains("force"), "\(text)")
        }
        let unused = findings.filter { $0.problem.contains("is not in use") }
        #expect(unused.count == 2 && unused.allSatisfy { $0.action.hasPrefix("keep it as it is") })
        #expect(findings.contains { $0.cause == "its folder was emptied" })
        #expect(!StatusText.text(examination.status).contains("admin disk re"))
        #expect(findings[0].severity == .critical && findings[0].action.contains("bring them back"))
    }

    @Test("Disks in each other's slots are to be put where they belong, and not to be replaced")
    func swapped() {
        var examination = StoreExamination.sample()
        examination.lose(0, 1)
        for slot in 0..<2 {
            examination.status.disks[slot].state = .foreign
            examination.reasons[examination.status.disks[slot].id] =
                "the disk of default/n1/\(1 - slot) stands there: put both where they belong"
        }
        let findings = Doctor.findings(in: examination)
        #expect(findings.count { $0.problem.contains("is not in its slot") } == 2)
        for finding in findings {
            let text = [finding.problem, finding.cause, finding.action, finding.command ?? ""].joined(separator: " ")
            #expect(!text.contains("admin disk re"), "\(text)")
        }
        let text = StatusText.text(examination.status)
        #expect(text.contains("is not in its slot") && !text.contains("admin disk re"))
    }

    @Test("While two processes run as one node, that is said first, and none of its disks is to be given up")
    func copied() {
        var examination = StoreExamination.sample()
        examination.lose(0)
        examination.status.disks[1].state = .suspect
        examination.status.disks[2].state = .hanging
        examination.status.disks[3].state = .foreign
        examination.status.unusedDisks = [.sample(.retired), .sample(.foreign)]
        examination.status.unusedDisks[0].node = "n1"
        examination.status.unusedDisks[1].node = "n1"
        let places = ["10.0.0.5:7401", "10.0.0.5:7401 (calling from 10.0.0.9)"]
        examination.status.copiedNodes = [CopiedNodeReport(site: "default", name: "n1", processes: places)]
        let findings = Doctor.findings(in: examination)
        #expect(findings[0].severity == .critical)
        #expect(
            findings[0].problem == "two processes run as node default/n1: \(places.joined(separator: " and "))"
        )
        #expect(findings[0].action.contains("stop the copy"))
        let disks = findings.filter { $0.problem.contains("disk default/n1/") || $0.problem.contains("not in use") }
        #expect(disks.count == 6)
        #expect(disks.allSatisfy { $0.action.hasPrefix("stop the copy of node n1 first") })
        #expect(findings.allSatisfy { !($0.action + ($0.command ?? "")).contains("admin disk re") })
        let text = StatusText.text(examination.status)
        #expect(text.hasPrefix("NODE RUNS TWICE: stop the copy; "))
        #expect(text.contains("two processes run as node default/n1: 10.0.0.5:7401 and "))
        #expect(text.contains("stop the copy of node n1 first") && !text.contains("admin disk re"))
        // The disks of another node are seen to as before.
        examination.status.disks[0].node = "n2"
        #expect(Doctor.findings(in: examination).contains { $0.command == "cairn admin disk replace default/n2/0" })
        #expect(StatusText.text(examination.status).contains("cairn admin disk replace default/n2/0"))
    }

    @Test("The disks of a silent node or site are not called missing one by one")
    func silent() {
        var examination = StoreExamination.sample()
        for slot in 0..<6 {
            examination.status.disks[slot].site = slot < 3 ? "a" : "b"
            examination.status.disks[slot].node = "n\(slot)"
        }
        examination.lose(0, 1)
        examination.silentNodes = [NamedNode(site: "a", name: "n0")]
        var problems = Doctor.findings(in: examination).map(\.problem)
        #expect(problems.contains("node a/n0 does not answer: 1 disk away"))
        #expect(problems.contains { $0.contains("disk a/n1/1") } && !problems.contains { $0.contains("disk a/n0/0") })
        examination.silentNodes = (0..<3).map { NamedNode(site: "a", name: "n\($0)") }
        problems = Doctor.findings(in: examination).map(\.problem)
        #expect(problems.contains("site a does not answer"))
        #expect(!problems.contains { $0.hasPrefix("disk ") || $0.hasPrefix("node ") })
    }

    @Test("The disks of a node in maintenance are not to be replaced, also while the node answers")
    func maintained() {
        var examination = StoreExamination.sample()
        examination.lose(3)
        examination.status.maintained = [MaintenanceReport.Node(site: "default", node: "n1", secondsLeft: 7_200)]
        let findings = Doctor.findings(in: examination)
        #expect(findings.contains { $0.problem.contains("node default/n1 is down for maintenance") })
        for text in findings.map({ $0.action + ($0.command ?? "") }) + [StatusText.text(examination.status)] {
            #expect(!text.contains("disk replace"), "\(text)")
        }
    }

    @Test("Where the status sees something amiss, the doctor does", arguments: cases)
    func agrees(one: Case) {
        var examination = StoreExamination.sample()
        one.change(&examination)
        let text = StatusText.text(examination.status)
        let isWell = text.hasPrefix("OK: every shard is in place.\n")
        #expect(isWell || !Doctor.isHealthy(Doctor.findings(in: examination)), "\(text)")
    }

    @Test("Without a store the folder says what to start, and what never")
    func noStore() {
        let error = AdminError(.notRunning, "no store is running on /d")
        func finding(_ role: FolderMarks.Role, superseded: Bool = false) -> Finding {
            Doctor.finding(for: error, folder: FolderMarks(role: role, isSuperseded: superseded), path: "/d")
        }
        #expect(finding(.store).command == "cairn serve --data /d")
        #expect(finding(.coordinator).command == "cairn coordinator --data /d")
        #expect(finding(.none).command == nil && finding(.empty).command == nil)
        #expect(finding(.coordinator, superseded: true).cause.contains("another coordinator has taken over"))
        #expect(finding(.coordinator, superseded: true).command == "cairn admin doctor")
        let starting = AdminError(
            .unavailable,
            "the store does not run: too few keepers",
            advice: "It starts by itself."
        )
        let other = Doctor.finding(for: starting, folder: FolderMarks(role: .coordinator), path: "/d")
        #expect(other.cause.contains("too few keepers") && other.action == "It starts by itself.")
        for role in FolderMarks.Role.allCases { #expect(finding(role).severity == .critical) }
    }
}
