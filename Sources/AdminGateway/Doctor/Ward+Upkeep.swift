// What repair, verification and the collection of garbage leave to be done, and how the groups are laid out.
extension Ward {
    var repair: [Finding] {
        var findings: [Finding] = []
        if status.missingShards > 0 {
            let isStuck = !status.repair.active && examination.blobsNotRepaired > 0
            let left = status.repair.etaSeconds.map { ", about \(Words.span($0)) left" } ?? ""
            findings.append(
                Finding(
                    .warning,
                    "\(Words.plural(status.missingShards, "shard")) missing",
                    cause: isStuck
                        ? "repair could not make \(Words.plural(examination.blobsNotRepaired, "blob")) whole: "
                            + "too few good shards, or no disk to put them on"
                        : "a disk was lost, replaced or away, or damage was found",
                    action: isStuck ? "see to the disks that are away" : "nothing: repair runs by itself\(left)",
                    command: Self.statusCommand
                )
            )
        }
        let bad = max(examination.badShards, status.disks.reduce(0) { $0 + $1.badShards })
        if bad > 0 {
            findings.append(
                Finding(
                    .notice,
                    "\(Words.plural(bad, "damaged shard")) found by the last verification",
                    cause: "bytes on a disk changed or could not be read; they are rebuilt from the others",
                    action: "look at dmesg and smartctl of the disks, and verify again",
                    command: "cairn admin scrub"
                )
            )
        }
        return findings
    }

    var upkeep: [Finding] {
        var findings: [Finding] = []
        if !status.recoveryKitTaken {
            findings.append(
                Finding(
                    .notice,
                    "the recovery kit has not been taken",
                    cause: "without the master key the disks alone restore nothing after the machine is lost",
                    action: "take it, and keep the file apart from the disks",
                    command: "cairn admin recovery-kit --to FILE"
                )
            )
        }
        return findings + verification
    }

    private var verification: [Finding] {
        let verification = status.verification
        guard !verification.active else { return [] }
        guard let last = verification.lastFullPass else {
            return [
                Finding(
                    .hint,
                    "no full verification has ended since the store was started",
                    cause: "one begins by itself two weeks after a start; when the last one ended is not kept over it",
                    action: "verify now, if the store is started often",
                    command: "cairn admin scrub"
                )
            ]
        }
        if status.time - last > Diagnosis.verificationDays * 86_400 {
            return [
                Finding(
                    .notice,
                    "the last full verification ended \(Words.span(status.time - last)) ago",
                    cause: "bytes that nobody reads rot unseen",
                    action: "verify now",
                    command: "cairn admin scrub"
                )
            ]
        }
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
        if examination.keepsOrphans {
            findings.append(
                Finding(
                    .notice,
                    "nothing that was only inferred to be garbage is erased any more",
                    cause: "a start was forced with too few journal keepers: metadata may lack what lies on the disks",
                    action: "keep it so until `cairn salvage` has shown whether objects are missing",
                    command: Self.statusCommand
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
        var findings: [Finding] = []
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

    /// A third of the shards, rounded up, is no more than the parity.
    private var couldSpanSites: Bool {
        (status.totalShards + 2) / 3 <= status.totalShards - status.dataShards
    }
}
