import AdminGateway
import ArgumentParser
import Testing

@Suite("What the operator reads")
struct AdminTextTests {
    @Test("a whole store says so in its first line and asks for nothing")
    func whole() {
        let text = StatusText.text(.sample())
        #expect(text.hasPrefix("OK: every shard is in place.\n\nStore"))
        #expect(!text.contains("!"))
        #expect(text.contains("rs-4-2: any 4 of 6 shards give the data; 1 site, 1 node, 6 disks"))
        #expect(text.contains("1,234,567, 4.0 TB of 16.0 TB (24 %)"))
        #expect(text.contains("600 of 600 shards, 600 present; last full pass 3 days ago"))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 130 })
        #expect(text.split(separator: "\n").count <= 24)
    }

    @Test("disks that are not in use stand below the others; those that nobody expects there ask for a look")
    func unusedDisks() {
        var report = StatusReport.sample()
        for kind in UnusedDiskReport.Kind.allCases {
            report.unusedDisks = [.sample(kind)]
            let text = StatusText.text(report)
            #expect(text.hasSuffix("\n\nNot in use:\n  disk default/n1/6 (/data/disk6): it is none of ours"))
            let isExpected = kind == .new || kind == .retired
            #expect(text.hasPrefix("OK: every shard is in place.\n\n") == isExpected)
            #expect(text.contains("- disk default/n1/6 (/data/disk6) is not in use") != isExpected)
        }
    }

    @Test("a missing disk is named with the command that replaces it")
    func missingDisk() {
        var report = StatusReport.sample()
        report.disks[3].state = .missing
        report.missingShards = 100
        report.groups = GroupsReport(total: 12, whole: 0, degraded: 12, unwritable: 0)
        report.journal.keepers[3].state = .unreachable
        let text = StatusText.text(report)
        #expect(text.hasPrefix("DEGRADED: everything can be read"))
        #expect(text.contains("! disk default/n1/3 (/data/disk3) is missing"))
        #expect(text.contains("cairn admin disk replace default/n1/3"))
        #expect(text.contains("repair waits for a disk"))
        #expect(text.contains("4 of 5 journal keepers current, 3 needed"))
        #expect(text.contains("MISSING"))
    }

    @Test("more disks away than parity shards: nobody is told that everything can be read")
    func tooManyAway() {
        var report = StatusReport.sample()
        for place in 0..<3 { report.disks[place].state = .missing }
        report.groups = GroupsReport(total: 12, whole: 0, degraded: 0, unwritable: 12, unreadable: 12)
        #expect(StatusText.text(report).hasPrefix("DATA AT RISK: more disks are away"))
    }

    @Test("blobs that cannot be read are counted by their own classes' k, and none is named")
    func belowK() {
        var report = StatusReport.sample()
        (report.missingShards, report.blobsBelowK) = (21, 3)
        let text = StatusText.text(report)
        #expect(text.contains("Shards        21 missing; 3 blobs with fewer than reading needs\n"))
    }

    @Test("damaged metadata comes before everything else, with the command that leads out")
    func damagedMetadata() {
        var report = StatusReport.sample()
        report.metadataDamage = "a row of blobs is not what was written"
        let text = StatusText.text(report)
        #expect(text.hasPrefix("DATA AT RISK: the metadata database is damaged."))
        #expect(text.contains("cairn metadata rebuild"))
    }

    @Test("with nothing to spare the status promises nothing, and asks for the disk before its replacement")
    func nothingToSpare() {
        var report = StatusReport.sample()
        report.disks[0].state = .missing
        report.groups = GroupsReport(total: 12, whole: 0, degraded: 12, unwritable: 0, fewestSpares: 0)
        let text = StatusText.text(report)
        #expect(text.hasPrefix("DEGRADED: no shard to spare"))
        #expect(text.contains("bring it back if that can be done; if it is gone for good, put an empty disk"))
        report.groups = GroupsReport(total: 12, whole: 0, degraded: 6, unwritable: 6, unreadable: 6, fewestSpares: -1)
        let other = StatusText.text(report)
        #expect(other.hasPrefix("DATA AT RISK: more disks are away than a scheme can do without"))
        #expect(other.contains("6 of 12 groups with fewer disks than reading needs"))
        #expect(!other.contains("disk replace"))
    }

    @Test("disks of a node in maintenance, or of one that does not answer, are not to be replaced: the node is named")
    func nodesAway() {
        var report = StatusReport.sample()
        for slot in 3..<6 { report.disks[slot].node = "n2" }
        for slot in 4..<6 { report.disks[slot].state = .missing }
        #expect(StatusText.text(report).contains("cairn admin disk replace default/n2/5"))
        report.maintained = [MaintenanceReport.Node(site: "default", node: "n2", secondsLeft: 7_200)]
        let maintained = StatusText.text(report)
        #expect(maintained.hasPrefix("DEGRADED"))
        #expect(maintained.contains("! node default/n2 is in maintenance for another 2 h: 2 disks away"))
        #expect(maintained.contains("cairn admin node maintenance end default/n2"))
        report.maintained = []
        report.silentNodes = [NamedNode(site: "default", name: "n2")]
        let silent = StatusText.text(report)
        #expect(silent.contains("! node default/n2 does not answer: 2 disks away"))
        for text in [maintained, silent] {
            #expect(!text.contains("! disk") && !text.contains("disk replace"))
        }
        // What another node lacks is as it was.
        report.disks[0].state = .missing
        #expect(StatusText.text(report).contains("cairn admin disk replace default/n1/0"))
    }

    @Test("a disk that hangs on a write is named, and to be thawed and not replaced")
    func hanging() {
        var report = StatusReport.sample()
        report.disks[3].state = .hanging
        report.missingShards = 1
        let text = StatusText.text(report)
        #expect(text.hasPrefix("DEGRADED"))
        #expect(text.contains("! disk default/n1/3 (/data/disk3) takes no writes: one does not end"))
        #expect(text.contains("fsfreeze --unfreeze") && !text.contains("disk replace"))
        #expect(text.contains("HANGING"))
    }

    @Test("running repair says how long, and that there is nothing to do")
    func repairing() {
        var report = StatusReport.sample()
        report.disks[3].state = .rebuilding
        report.missingShards = 1
        report.repair = .sample(active: true, bytesDone: 1_500_000_000, bytesLeft: 500_000_000, etaSeconds: 840)
        let text = StatusText.text(report)
        #expect(text.contains("1 shard missing\n      nothing: repair is running, about 14 min left"))
        #expect(text.contains("running, 1.5 GB of 2.0 GB done, about 14 min left"))
    }

    @Test("what is at risk, and that repair makes way, is said")
    func repairOrder() {
        var report = RepairReport.sample(active: true, bytesDone: 1 << 20, bytesLeft: 1 << 20, etaSeconds: nil)
        report.makesWay = true
        #expect(RepairText.text(report).contains("1.0 MB of 2.1 MB done; makes way for clients."))
        #expect(RepairText.text(report).contains("lines between sites what they carry"))
        report.blobsWithoutSpare = 1
        report.wanRate = 5_000_000
        #expect(RepairText.text(report).contains("; 1 blob without a spare shard, first."))
        #expect(RepairText.text(report).contains("lines between sites 5.0 MB/s at most"))
        #expect(RepairText.text(report).contains("it takes 100 MiB/s of each disk at most"), "as it was given")
    }

    @Test("a repair that is watched is told while it changes, and to its end")
    func watchedRepair() {
        let running = RepairReport.sample(active: true, bytesDone: 1 << 20, bytesLeft: 3 << 20, etaSeconds: nil)
        let waiting = RepairReport.sample(active: false, bytesDone: 2 << 20, bytesLeft: 2 << 20, etaSeconds: nil)
        var reports = [running, running, waiting, RepairReport.sample(active: true), RepairReport.sample()]
        var told: [String] = []
        var rests = 0
        let end = RepairWatch.run(show: { told.append($0) }, rest: { rests += 1 }, look: { reports.removeFirst() })
        #expect(end == "Done: nothing is missing." && reports.isEmpty && rests == 4)
        #expect(told.count == 3 && told[0] == "Repair: \(RepairText.line(running)).")
        #expect(told[1].hasPrefix("Repair: waiting, 2.1 MB of 4.2 MB done"))
    }

    @Test("a pause of repair is said first, whether anything is missing or not, and when it ends")
    func pausedRepair() {
        var report = StatusReport.sample()
        report.repair.paused = true
        report.recoveryKitTaken = false
        var text = StatusText.text(report)
        #expect(text.hasPrefix("REPAIR PAUSED: every shard is in place.\n  ! repair is paused until it is resumed: "))
        #expect(text.contains("      run: cairn admin repair resume\n"))
        #expect(text.contains("Repair        PAUSED until it is resumed; nothing is missing"))
        report.missingShards = 3
        report.disks[1].state = .suspect
        (report.repair.bytesLeft, report.repair.blobsWithoutSpare) = (3 << 20, 1)
        report.repair.pauseSecondsLeft = 7_300
        text = StatusText.text(report)
        #expect(text.hasPrefix("REPAIR PAUSED: no shard to spare: one disk or one bad block more"))
        #expect(text.contains("\n  ! repair is paused for another 2 h: 3 shards missing, and only blobs"))
        #expect(text.contains("PAUSED for another 2 h, 0 B of 3.1 MB done; 1 blob without a spare shard, repaired"))
        #expect(!text.contains("nothing: repair is running") && !text.contains("repair waits"))
        report.blobsBelowK = 1
        #expect(StatusText.text(report).hasPrefix("DATA AT RISK"))
    }

    @Test("shards that are being moved have a line while they are")
    func moving() {
        var report = StatusReport.sample()
        #expect(!StatusText.text(report).contains("Moves"))
        report.moves = MovesReport(
            places: 2,
            shardsLeft: 20,
            bytesLeft: 12_000_000,
            shardsDone: 5,
            bytesDone: 3_000_000,
            isPaused: false,
            draining: [],
            secondsLeft: 180
        )
        #expect(
            StatusText.text(report).contains(
                "\nMoves         To move: 2 places, 20 shards, about 12.0 MB; moved so far: 3.0 MB; "
                    + "about 3 min left.\n"
            )
        )
        report.moves?.away = ["default/n1/3"]
        #expect(StatusText.text(report).contains("; away, so made anew from others: default/n1/3.\n"))
        report.moves?.rate = 5_000_000
        #expect(StatusText.text(report).contains("moved so far: 3.0 MB; at most 5.0 MB a second; about"))
        report.moves?.isPaused = true
        #expect(StatusText.text(report).contains("moves are paused, with 2 places to be moved"))
        #expect(StatusText.text(report).contains("3.0 MB; paused; about 3 min left;"))
    }

    @Test("a plan says how long at least, how full disks are then, and what is at risk meanwhile")
    func movePlan() {
        var plan = MovePlanReport(
            places: 2,
            bytes: 600_000_000_000,
            seconds: 3_000,
            disks: [
                .init(name: "s/n/1", before: 900_000_000_000, after: 300_000_000_000),
                .init(
                    name: "s/n/2",
                    before: 100_000_000_000,
                    after: 700_000_000_000,
                    used: 200_000_000_000,
                    capacity: 1_000_000_000_000
                ),
            ],
            isDryRun: true
        )
        var text = MovesText.plan(plan)
        #expect(text.contains("50 min or more at the rate allowed.\nNothing lacks a shard meanwhile"))
        #expect(text.contains("\n  s/n/2: 100 GB -> 700 GB, 20 % -> 80 % full") && !text.contains("Nearly full"))
        #expect(text.contains("\n  s/n/1: 900 GB -> 300 GB") && !text.contains("Watch it"))
        let weaker = MovePlanReport.Outlook(name: "COLD", now: .sample(), then: .sample(spares: 1))
        plan.outlooks = [weaker]
        text = MovesText.plan(plan)
        #expect(text.contains("\n! COLD survives then any 1 disk; no node; no site (now: any 2 disks; no node; "))
        #expect(text.contains("\nThis is refused without --force"))
        #expect(MovesText.refusal([weaker]).contains("COLD survives then any 1 disk"))
        plan.outlooks[0].then = .sample()
        #expect(MovesText.plan(plan).contains("\nEvery class survives then what it survives now."))
        #expect(!text.contains("paused"))
        plan.isPaused = true
        #expect(MovesText.plan(plan).contains("\n! Moves are paused, and nothing moves until: cairn"))
        plan.disks[1].used = 300_000_000_000
        plan.away = ["s/n/1"]
        text = MovesText.plan(plan)
        #expect(text.contains("Away: s/n/1. What lies there lacks a shard until"))
        #expect(text.contains("Nearly full then: s/n/2: add disks first.") && !text.contains("Nothing lacks"))
    }

    @Test("objects that cannot be read come before everything else")
    func unreadable() {
        var report = StatusReport.sample()
        report.recoveryKitTaken = false
        report.disks[0].state = .failed
        report.blobsBelowK = 2
        report.unreadableObjects = (1...6).map { "archive/\($0)" }
        let lines = StatusText.text(report).split(separator: "\n")
        #expect(lines[0].hasPrefix("DATA AT RISK"))
        #expect(lines[1].contains("2 blobs have fewer shards than reading needs"))
        #expect(lines[1].contains("archive/1, archive/2, archive/3, archive/4, archive/5, …"))
        #expect(lines[2].contains("erase nothing"))
    }

    @Test("of damage on disks that are all there nobody is sent to look for a disk that is away")
    func damagedBeyondRepair() {
        var report = StatusReport.sample()
        report.blobsBelowK = 1
        report.missingShards = 3
        report.unreadableObjects = ["archive/1"]
        let text = StatusText.text(report)
        #expect(text.hasPrefix("DATA AT RISK: some objects cannot be read now."))
        #expect(text.contains("too many shards of 1 blob are damaged or lost for reading, and no disk is away"))
        #expect(text.contains("away: archive/1"))
        #expect(text.contains("nothing is purged: bring back a disk that was taken out, or store the objects again"))
        #expect(text.contains("3 shards missing\n      repair cannot make them from the shards that are left"))
        #expect(!text.contains("missing disk") && !text.contains("see to the disks"))
        report.disks[0].state = .missing
        let other = StatusText.text(report)
        #expect(other.contains("1 blob has fewer shards than reading needs: archive/1"))
        #expect(other.contains("bring a missing disk back") && other.contains("repair waits for a disk"))
    }

    @Test("too few journal keepers, or no group to write to, are critical", arguments: [true, false])
    func unwritable(journal: Bool) {
        var report = StatusReport.sample()
        if journal {
            for index in 0..<3 { report.journal.keepers[index].state = .unreachable }
        } else {
            report.groups = GroupsReport(total: 12, whole: 0, degraded: 0, unwritable: 12)
        }
        #expect(StatusText.text(report).hasPrefix("NOT WRITABLE"))
    }

    @Test("every work of the background that does not get on is told of, with the reason and what to do")
    func troubles() {
        for work in TroubleReport.Work.allCases {
            var report = StatusReport.sample()
            report.troubles = [TroubleReport(work: work, reason: "no room on the data folder")]
            let text = StatusText.text(report)
            #expect(text.hasPrefix("OK: every shard is in place. Something needs attention:"), "\(work)")
            #expect(text.contains("(no room on the data folder)"), "\(work)")
        }
    }

    @Test("groups of removed classes are told of, and no write is expected of them")
    func closedGroups() {
        var report = StatusReport.sample()
        report.groups = GroupsReport(total: 12, whole: 12, degraded: 0, unwritable: 0, closed: 3)
        #expect(StatusText.text(report).contains("12 of 12 whole; 3 of removed classes"))
        report.groups = GroupsReport(total: 12, whole: 3, degraded: 0, unwritable: 9, closed: 3)
        #expect(StatusText.text(report).hasPrefix("NOT WRITABLE"))
    }

    @Test(
        "where large objects are refused, or soon will be, the first line says so, and what to do",
        arguments: [
            (RoomReport.State.refused, "FULL: new objects are refused; every shard is in place."),
            (.largeRefused, "FULL: large objects are refused; every shard is in place."),
            (.nearlyFull, "NEARLY FULL: large objects are soon refused; every shard is in place."),
            (.degraded, "DEGRADED: everything can be read; redundancy is reduced."),
        ]
    )
    func room(state: RoomReport.State, headline: String) {
        var report = StatusReport.sample()
        report.recoveryKitTaken = false
        report.room = [RoomReport(classes: ["STANDARD"], state: state, disks: ["default/n1/4", "default/n1/5"])]
        var text = StatusText.text(report)
        #expect(text.hasPrefix(headline + "\n"))
        #expect(text.contains("default/n1/4, default/n1/5"))
        #expect(text.contains("add disks or nodes (`cairn admin plan add`") && text.contains("or delete objects"))
        // What is worse, or lowers redundancy too, is not hidden by it.
        report.missingShards = 3
        text = StatusText.text(report)
        #expect(!text.contains("every shard is in place") && text.contains("redundancy is reduced"))
        report.groups = GroupsReport(total: 12, whole: 0, degraded: 0, unwritable: 0, unreadable: 12)
        #expect(StatusText.text(report).hasPrefix("DATA AT RISK"))
    }

    @Test("the recovery kit, a full disk and a scrub that is late are notices")
    func notices() {
        var report = StatusReport.sample()
        report.recoveryKitTaken = false
        report.disks[1].used = 3_600_000_000_000
        report.scrub.disks = [
            ScrubReport.Disk(place: "default/n1/0", id: "0012", oldestUnverified: 13 * 86_400),
            ScrubReport.Disk(place: "default/n1/1", id: "0013", oldestUnverified: 40 * 86_400),
        ]
        let text = StatusText.text(report)
        #expect(text.hasPrefix("OK: every shard is in place. Something needs attention:"))
        #expect(text.contains("- the recovery kit has not been taken: with this machine the users' secret keys"))
        #expect(text.contains("objects could still be read from the disks"))
        #expect(text.contains("is 90 % full"))
        #expect(text.contains("1 disk not verified within 14 days; disk default/n1/1 has bytes"))
        #expect(text.contains("last read 40 days ago") && text.contains("higher --scrub-rate"))
    }

    @Test("a pause, a position that is not kept and objects that are not what came in are told, with what to do")
    func scrub() {
        var report = StatusReport.sample()
        report.scrub.paused = true
        report.scrub.oldestUnverified = 3 * 86_400
        report.scrub.disks = [ScrubReport.Disk(place: "s/n/1", id: "1", oldestUnverified: 3 * 86_400, lastPass: 1)]
        report.scrub.problem = "the position cannot be kept"
        report.scrub.damagedObjects = ["archive/1"]
        let text = StatusText.text(report)
        #expect(text.hasPrefix("DEGRADED"))
        #expect(text.contains("1 object not as they came in") && text.contains("archive/1"))
        #expect(text.contains("- the scrub is paused") && text.contains("cairn admin scrub resume"))
        #expect(text.contains("scrub: the position cannot be kept"))
        #expect(text.contains("PAUSED; every byte verified within 3 days; the promise is 14 days"))
    }

    @Test("what was never read is not said to be verified")
    func scrubOfARecordThatHasJustBegun() {
        var report = ScrubReport()
        report.oldestUnverified = 6
        report.disks = (1...3).map { ScrubReport.Disk(place: "s/n/\($0)", id: "\($0)", oldestUnverified: 6) }
        #expect(!ScrubText.text(ScrubReport()).contains("verified"))
        let text = ScrubText.text(report)
        #expect(text.contains("no disk read through yet since the record began, 6 s ago") && !text.contains("verified"))
        report.disks[0].lastPass = 1
        #expect(ScrubText.text(report).contains("every byte verified within 6 s, but for 2 disks not read through yet"))
        for index in 1..<3 { report.disks[index].lastPass = 1 }
        #expect(ScrubText.text(report).contains("every byte verified within 6 s; the promise is 14 days"))
    }

    @Test("stripes that were never coded again are not said to be")
    func codingOfARecordThatHasJustBegun() {
        var report = ScrubReport()
        report.oldestUncoded = 6
        let text = ScrubText.text(report)
        #expect(text.contains("stripes not all coded again yet since the record began, 6 s ago; the promise"))
        report.lastCoding = 1
        #expect(ScrubText.text(report).contains("every stripe coded again within 6 s; the promise is 90 days"))
    }

    @Test("moves that are watched and cancelled end as that, and with an error; those that go back already do not")
    func watchedMoves() throws {
        func report(places: Int, isCancelled: Bool = false) -> MovesReport {
            MovesReport(
                places: places,
                shardsLeft: places * 10,
                bytesLeft: 0,
                shardsDone: 0,
                bytesDone: 0,
                isPaused: false,
                isCancelled: isCancelled,
                draining: [],
                secondsLeft: nil
            )
        }
        func watch(hasBegun: Bool = false, _ reports: [MovesReport]) throws -> (told: [String], end: String?) {
            var (left, told) = (reports, [String]())
            do {
                let end = try MovesWatch.run(
                    hasBegun: hasBegun,
                    show: { told.append($0) },
                    rest: {},
                    look: { left.removeFirst() }
                )
                return (told, end)
            } catch is ExitCode {
                return (told, nil)
            }
        }
        let (open, back, end) = (report(places: 2), report(places: 1, isCancelled: true), report(places: 0))
        let ended = report(places: 0, isCancelled: true)
        let done = "Done: nothing is being moved."
        #expect(try watch([open, end]).end == done)
        let cancelled = try watch([open, back, ended])
        #expect(cancelled.end == nil && cancelled.told.last == "Cancelled: what had been moved has gone back.")
        #expect(cancelled.told.count == 3 && cancelled.told[1].hasPrefix("To move back: 1 place, 10 shards"))
        #expect(try watch([back, ended]).end == done && watch([ended]).end == done)
        #expect(try watch(hasBegun: true, [ended]).end == nil)
    }

    @Test("a scrub that is watched is told while it changes, until what was asked for is read")
    func watchedScrub() {
        var disk = ScrubReport.Disk(place: "s/n/1", id: "1", oldestUnverified: 9, active: true, asked: true)
        (disk.bytesDone, disk.bytes) = (1_000_000, 4_000_000)
        var begun = StatusReport.sample()
        var byDate = ScrubReport.Disk(place: "s/n/2", id: "2", oldestUnverified: 9, active: true)
        (byDate.bytes, byDate.paused) = (1_000, true)
        begun.scrub.disks = [disk, byDate]
        begun.scrub.bucket = .init(name: "b", active: true, objects: 1, shards: 6, badShards: 0, unreadShards: 0)
        begun.verification.active = true
        var further = begun
        (further.scrub.disks[0].badShards, further.scrub.disks[0].absentShards) = (5, 3)
        further.scrub.bucket = nil
        further.verification.active = false
        further.scrub.paused = true
        var end = begun
        end.scrub.disks = [byDate]
        end.scrub.bucket?.active = false
        end.verification.active = false
        var reports = [begun, begun, further, end]
        var told: [String] = []
        let text = ScrubWatch.run(show: { told.append($0) }, rest: {}, look: { reports.removeFirst() })
        #expect(reports.isEmpty && told.count == 2)
        #expect(text.hasPrefix("Done: what was asked for is read; no disk read through yet"))
        #expect(
            told[0]
                == "Scrub: 1 disk asked for, 1.0 MB of 4.0 MB; 1 disk by date, 0 B of 1.0 kB, 1 paused; bucket b: "
                + "being read, 1 object, 6 shards, 0 bad, 0 not answered; count of everything: 600 of 600 shards."
        )
        #expect(told[1].contains("of 4.0 MB, 3 missing, 2 damaged;"))
        #expect(told[1].hasSuffix("PAUSED until: cairn admin scrub resume."))
        // With nothing asked for, passes by date are followed.
        reports = [end, StatusReport.sample()]
        told = []
        #expect(
            ScrubWatch.run(show: { told.append($0) }, rest: {}, look: { reports.removeFirst() })
                .hasPrefix("Done: no disk is being read; ")
        )
        #expect(told == ["Scrub: 1 disk by date, 0 B of 1.0 kB, 1 paused."])
    }

    @Test("the scrub's own status shows each disk")
    func scrubStatus() {
        var report = ScrubReport()
        report.disks = [
            ScrubReport.Disk(
                place: "site-1/node-1/disk-1",
                id: "00112233445566",
                oldestUnverified: 5 * 86_400,
                active: true,
                bytesDone: 250,
                bytes: 1_000,
                rate: 4_000_000,
                badShards: 3,
                absentShards: 1
            ),
            ScrubReport.Disk(place: "site-1/node-1/disk-2", id: "ff", oldestUnverified: 60, paused: true),
        ]
        report.bucket = ScrubReport.Bucket(
            name: "archive",
            active: true,
            objects: 12,
            shards: 72,
            badShards: 6,
            absentShards: 2,
            unreadShards: 0
        )
        let text = ScrubText.text(report)
        let first = "site-1/node-1/disk-1  5 days  reading  25 %  4.0 MB/s        1        2       0  00112233"
        #expect(text.contains(first))
        #expect(text.contains("site-1/node-1/disk-2    60 s  PAUSED"))
        let bucket = "bucket archive: being read, 12 objects, 72 shards, 2 missing, 4 damaged, 0 not answered"
        #expect(text.contains(bucket))
    }

    @Test(
        "bytes are rounded to what people read",
        arguments: [
            (0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (1_549, "1.5 kB"), (999_499, "999 kB"), (999_500, "1.0 MB"),
            (12_345_678, "12.3 MB"), (99_960_000, "100 MB"), (4_000_000_000_000, "4.0 TB"), (Int.max, "9.2 EB"),
        ]
    )
    func bytes(count: Int, text: String) { #expect(Words.bytes(count) == text) }

    @Test(
        "percent says 100 only when it is all",
        arguments: [(0, 10, "0 %"), (999, 1_000, "99 %"), (5, 5, "100 %"), (1, 0, "-")]
    )
    func percent(part: Int, whole: Int, text: String) { #expect(Words.percent(part, of: whole) == text) }
}
