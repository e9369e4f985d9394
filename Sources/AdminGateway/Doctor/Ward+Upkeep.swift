// What repair, verification and the collection of garbage leave to be done, and how the groups are laid out.
extension Ward {
    var repair: [Finding] {
        var findings = pausedRepair
        if status.missingShards > 0, !status.repair.paused {
            let isStuck = !status.repair.active && examination.blobsNotRepaired > 0
            let left = status.repair.etaSeconds.map { ", about \(Words.span($0)) left" } ?? ""
            let isLost = status.blobsBelowK > 0 && disksAway.isEmpty
            let whenStuck = isLost ? Advice.bringBack : Advice.seeToDisks
            findings.append(
                Finding(
                    .warning,
                    "\(Words.plural(status.missingShards, "shard")) missing",
                    cause: isStuck
                        ? "repair could not make \(Words.plural(examination.blobsNotRepaired, "blob")) whole: "
                            + "too few good shards, or no disk to put them on"
                        : "a disk was lost, replaced or away, or damage was found",
                    action: isStuck ? whenStuck : "nothing: repair runs by itself\(left)",
                    command: Self.statusCommand
                )
            )
        }
        return findings + badShards
    }

    /// What is not there says nothing against a disk's surface, and what is damaged says nothing of its age.
    private var badShards: [Finding] {
        let (bad, absent) = (examination.badShards, examination.absentShards)
        guard bad > 0 else { return [] }
        let isDamaged = bad > absent
        let causes = [
            absent > 0 ? "a disk lacks what it had: it was put back in an older state, or files of it are gone" : nil,
            isDamaged ? "bytes on a disk changed or could not be read" : nil,
        ]
        return [
            Finding(
                .notice,
                "\(Words.bad(bad, absent: absent)) \(bad == 1 ? "shard" : "shards") found by the last verification",
                cause: causes.compactMap(\.self).joined(separator: "; ") + "; they are rebuilt from the others",
                action: isDamaged
                    ? "look at dmesg and smartctl of the disks, and verify again"
                    : "look which disk was exchanged or put back, and verify again",
                command: "cairn admin scrub"
            )
        ]
    }

    /// In place of what else is said of missing shards: nothing makes them until it is over.
    private var pausedRepair: [Finding] {
        guard status.repair.paused else { return [] }
        return [
            Finding(
                .warning,
                RepairText.pauseProblem(status),
                cause: "an operator paused it",
                action: "let it go on as soon as it may: each loss meanwhile hits fewer spares",
                command: RepairText.resume
            )
        ]
    }

    var upkeep: [Finding] {
        var findings: [Finding] = []
        if !status.recoveryKitTaken {
            findings.append(
                Finding(
                    .notice,
                    "the recovery kit has not been taken",
                    cause: Advice.lostWithTheMachine,
                    action: "take it, and keep the file apart from the disks",
                    command: "cairn admin recovery-kit --to FILE"
                )
            )
        }
        return findings + troubles + pausedMoves + pausedRewrites + verification
    }

    /// A pause outlives the moves that it was meant for, and a restart.
    private var pausedMoves: [Finding] {
        guard let moves = status.moves, moves.isPaused, !moves.isDone else { return [] }
        return [
            Finding(
                .notice,
                "moves are paused, with \(Words.plural(moves.places, "place")) to be moved",
                cause: "an operator paused them, these or earlier ones",
                action: "let them go on, or put them back by `cairn admin moves cancel`",
                command: "cairn admin moves resume"
            )
        ]
    }

    private var pausedRewrites: [Finding] {
        status.rewrites.filter(\.isPaused).map { item in
            Finding(
                .notice,
                ClassRewriteText.pauseProblem(item),
                cause: "an operator paused it",
                action: "let it go on, or end it where it is by `cairn admin class rewrites cancel`",
                command: ClassRewriteText.resume(item)
            )
        }
    }

    private var troubles: [Finding] {
        status.troubles.map { trouble in
            Finding(
                .notice,
                TroubleText.problem(trouble),
                cause: trouble.reason,
                action: TroubleText.action(trouble),
                command: TroubleText.command(trouble)
            )
        }
    }

    private var verification: [Finding] {
        damagedObjects + lateScrub + pausedScrub + unkeptScrub + partlyVerified
    }

    private var damagedObjects: [Finding] {
        let objects = status.scrub.damagedObjects
        guard !objects.isEmpty else { return [] }
        return [
            Finding(
                .warning,
                "\(Words.plural(objects.count, "object")) not as they came in, though their shards agree",
                cause: "memory or a program failed between the client's checksum and the disks",
                action: "store them again from their source: the command lists them",
                command: "cairn admin scrub status"
            )
        ]
    }

    private static let daySeconds = 86_400

    private var lateScrub: [Finding] {
        let scrub = status.scrub
        let late = scrub.disks.filter { $0.oldestUnverified > scrub.days * Self.daySeconds }
        guard let worst = late.max(by: { $0.oldestUnverified < $1.oldestUnverified }) else { return [] }
        return [
            Finding(
                .notice,
                "\(Words.plural(late.count, "disk")) not verified within \(scrub.days) days: \(worst.place) has bytes "
                    + "that were last read \(Words.span(worst.oldestUnverified)) ago",
                cause: late.contains { $0.paused }
                    ? "the scrub is paused" : "the disk was away, or the scrub is too slow",
                action: "bytes that nobody reads rot unseen: let them be read now; then a higher --scrub-rate",
                command: late.contains { $0.paused } ? "cairn admin scrub resume" : "cairn admin scrub"
            )
        ]
    }

    private var pausedScrub: [Finding] {
        guard status.scrub.paused || status.scrub.disks.contains(where: \.paused) else { return [] }
        return [
            Finding(
                .notice,
                "the scrub is paused",
                cause: "an operator paused it",
                action: "let it read again as soon as it may",
                command: "cairn admin scrub resume"
            )
        ]
    }

    private var unkeptScrub: [Finding] {
        guard !status.scrub.problem.isEmpty else { return [] }
        return [
            Finding(
                .notice,
                "how far the scrub is cannot be kept: \(status.scrub.problem)",
                cause: "the data folder cannot be written to, or has no room",
                action: "look at its permissions and room: without it a restart begins the scrub anew",
                command: "cairn admin scrub status"
            )
        ]
    }

    private var partlyVerified: [Finding] {
        let verification = status.verification
        guard !verification.active, verification.lastFullPass != nil else { return [] }
        let unread = verification.shardsExpected - verification.shardsVerified
        guard unread > 0, status.missingShards == 0, disksAway.isEmpty else { return [] }
        return [
            Finding(
                .notice,
                "\(Words.plural(unread, "shard")) not verified by the last full pass",
                cause: "their disks did not answer then",
                action: "verify again now that all disks are there",
                command: "cairn admin scrub"
            )
        ]
    }

    var garbage: [Finding] {
        var findings: [Finding] = []
        if let forced = KeeperText.forced(status) {
            findings.append(
                Finding(
                    .notice,
                    forced,
                    cause: "metadata may lack what lies on the disks, and counts nothing that it lacks",
                    action: "keep it so until `cairn salvage` has shown what is missing, and that is stored again",
                    command: "cairn admin journal accept-loss"
                )
            )
        } else if !disksAway.isEmpty, examination.suspectShards > 0 {
            findings.append(
                Finding(
                    .hint,
                    "garbage is kept: \(Words.plural(examination.suspectShards, "shard")) in quarantine",
                    cause: "a disk is away, and what only seems to be garbage may be needed with it",
                    action: "nothing: it is erased once every disk answers",
                    command: Self.listCommand
                )
            )
        }
        if examination.blobsNotRepacked > 0 {
            findings.append(
                Finding(
                    .notice,
                    "\(Words.plural(examination.blobsNotRepacked, "mostly dead blob")) could not be rewritten",
                    cause: "too few of their shards can be read, or there is no room; their dead bytes stay",
                    action: "verify, then look again",
                    command: "cairn admin scrub"
                )
            )
        }
        return findings
    }

    var layout: [Finding] {
        var findings = idle
        if examination.groupsAgainstTheRule > 0 {
            findings.append(
                Finding(
                    .notice,
                    "\(Words.plural(examination.groupsAgainstTheRule, "group")) with more shards on one node or "
                        + "site than need be",
                    cause: "disks were added, or one was given up while none was left in the right place",
                    action: "move them to where they belong; nothing lacks a shard meanwhile",
                    command: "cairn admin rebalance"
                )
            )
        }
        let sites = Set(status.disks.map(\.site))
        if sites.count == 1, let site = sites.first, couldSpanSites {
            findings.append(
                Finding(
                    .hint,
                    "all shards are on one site: \(status.scheme) could outlive the loss of one of three",
                    cause: "every disk of the store is at \(site)",
                    action: "keep a copy elsewhere, or plan a cluster over three sites",
                    command: "cairn admin plan lose site:\(site)"
                )
            )
        }
        return findings
    }

    private var idle: [Finding] {
        let disks = examination.idleDisks
        guard !disks.isEmpty else { return [] }
        return [
            Finding(
                .notice,
                "\(Words.plural(disks.count, "disk")) in use without a share: \(Self.names(disks))",
                cause: "added and not filled yet, or back after its shards were made anew on others",
                action: "even the disks out; nothing lacks a shard meanwhile",
                command: "cairn admin rebalance"
            )
        ]
    }

    /// A third of the shards, rounded up, is no more than the parity.
    private var couldSpanSites: Bool {
        (status.totalShards + 2) / 3 <= status.totalShards - status.dataShards
    }
}
