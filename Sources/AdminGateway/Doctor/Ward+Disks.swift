// Disks, nodes and sites that are away, and disks that fill up.
extension Ward {
    private func nodeName(_ site: String, _ node: String) -> String { "\(site)/\(node)" }

    private var silent: Set<String> { Set(examination.silentNodes.map(\.place)) }

    /// Those that are silent, and those in maintenance of which disks are away: as the status tells.
    private var nodesAway: [NamedNode] {
        let maintained = status.maintained.filter { node in
            !silent.contains(node.name) && disksAway.contains { nodeName($0.site, $0.node) == node.name }
        }
        return examination.silentNodes + maintained.map { NamedNode(site: $0.site, name: $0.node) }
    }

    private func isAwayWithItsNode(_ disk: DiskReport) -> Bool {
        nodesAway.contains { $0.site == disk.site && $0.name == disk.node }
    }

    /// First of all: what is said of the disks of such a node may be true of the copy alone.
    var copies: [Finding] {
        status.copiedNodes.map { node in
            Finding(
                .critical,
                CopyText.problem(node),
                cause: CopyText.cause,
                action: CopyText.action,
                command: "cairn admin node list"
            )
        }
    }

    /// Sites and nodes that do not answer: their disks are not to be replaced but to be waited for.
    var places: [Finding] {
        let nodes = Dictionary(grouping: status.disks) { $0.site }.mapValues {
            Set($0.map { nodeName($0.site, $0.node) })
        }
        let sitesGone = nodes.filter { nodes.count > 1 && $0.value.isSubset(of: silent) }.keys.sorted()
        let sites = sitesGone.map { site in
            Finding(
                .warning,
                "site \(site) does not answer",
                cause:
                    "none of its \(Words.plural(nodes[site]?.count ?? 0, "node")) has been heard of: power, network, "
                    + "or the site is gone",
                action: "bring it back; replace and retire nothing of it. Whether more may go meanwhile says",
                command: "cairn admin plan lose site:\(site)"
            )
        }
        let others = nodesAway.filter { !sitesGone.contains($0.site) }
        return sites + examination.unheardNodes.map(Self.unheard)
            + others.map { node in
                if let maintenance = status.maintained.first(where: { $0.site == node.site && $0.node == node.name }) {
                    return Self.maintained(maintenance)
                }
                let disks = status.disks.count { $0.site == node.site && $0.node == node.name }
                guard disks > 0 else { return Self.empty(node) }
                return Finding(
                    .warning,
                    "node \(node.place) does not answer: \(Words.plural(disks, "disk")) away",
                    cause: "its process has ended, its machine is down, or the network is cut",
                    action: "start it again on its machine, with its own data folder; what it missed is repaired",
                    command: "cairn node --data DIR"
                )
            }
    }

    /// Its disks are used all the same.
    private static func unheard(_ node: NamedNode) -> Finding {
        Finding(
            .warning,
            "node \(node.place) answers, and does not report: it refuses clients with 503",
            cause: "its calls do not reach this coordinator: the network is cut one way, or its process hangs",
            action: "look at its log and at the way from it to here; restart it if that is open",
            command: "cairn admin node list"
        )
    }

    /// Nothing lies there: it was drained, or has never had a disk in use.
    private static func empty(_ node: NamedNode) -> Finding {
        Finding(
            .notice,
            "node \(node.place) does not answer, and has no disk in use",
            cause: "it was emptied and stopped, or has not been started since it joined",
            action: "start it again, or, if it is gone for good, have it forgotten",
            command: "cairn admin node remove \(node.name)"
        )
    }

    private static func maintained(_ node: MaintenanceReport.Node) -> Finding {
        Finding(
            .notice,
            "node \(node.name) is down for maintenance, for another \(Words.span(node.secondsLeft))",
            cause: "an operator said so",
            action: "start it again before that: then its disks are given up as others are. When it is back",
            command: "cairn admin node maintenance end \(node.name)"
        )
    }

    var disks: [Finding] {
        status.disks.compactMap { disk in
            if disk.state.needsAttention, isAwayWithItsNode(disk) { return nil }
            if status.isCopied(disk), disk.isInDoubt { return inDoubt(disk) }
            if disk.state.needsAttention { return away(disk) }
            switch disk.state {
            case .suspect:
                return Finding(
                    .warning,
                    "\(name(disk)) has had errors",
                    cause: examination.reasons[disk.id] ?? "reads or writes failed",
                    action: "look at dmesg and smartctl; before it is taken out, ask what may be lost",
                    command: "cairn admin plan lose disk:\(disk.place)"
                )
            case .hanging:
                return Finding(
                    .warning,
                    "\(name(disk)) takes no writes: it is read, and gets nothing new",
                    cause: examination.reasons[disk.id] ?? "a write to it does not end",
                    action: Advice.hanging + ". Before that, ask what may be lost",
                    command: "cairn admin plan lose disk:\(disk.place)"
                )
            case .rebuilding:
                return Finding(
                    .warning,
                    "\(name(disk)) is being rebuilt",
                    cause: "it took the place of another",
                    action: "nothing: wait until repair has ended",
                    command: Self.statusCommand
                )
            default: return nil
            }
        }
    }

    private func name(_ disk: DiskReport) -> String {
        "disk \(disk.place)" + (disk.path.isEmpty ? "" : " (\(disk.path))")
    }

    /// Why a disk is away, without the advice that the store may add to it: that does not know of other disks, and to
    /// replace one may be the wrong thing to do.
    private func reason(_ disk: DiskReport) -> String {
        guard let reason = examination.reasons[disk.id], !reason.isEmpty else { return "it is not served" }
        guard let advice = reason.firstRange(of: "cairn admin ") else { return reason }
        let fact = reason[..<advice.lowerBound]
        return fact.lastIndex { $0 == ":" || $0 == ";" || $0 == "." }.map { String(fact[..<$0]) } ?? "it is not served"
    }

    private func inDoubt(_ disk: DiskReport) -> Finding {
        Finding(
            .warning,
            "\(name(disk)) is \(disk.state.rawValue)",
            cause: reason(disk),
            action: CopyText.disk(of: disk.node),
            command: "cairn admin doctor"
        )
    }

    private func away(_ disk: DiskReport) -> Finding {
        let cause = reason(disk)
        let problem = "\(name(disk)) is \(disk.state.rawValue)"
        guard !isBelowK else {
            return Finding(
                .warning,
                problem,
                cause: cause,
                action: "bring it back as it is: what cannot be read now may need it. Do not replace or retire it",
                command: Self.listCommand
            )
        }
        // Neither the disk that belongs there nor the one that stands there is known to be lost.
        guard disk.state != .foreign else {
            return Finding(
                .warning,
                "\(name(disk)) is not in its slot",
                cause: cause,
                action: "put each disk where it belongs: it is taken up by itself. Give up none of them",
                command: Self.listCommand
            )
        }
        let at = disk.path.isEmpty ? "in its place" : "at \(disk.path)"
        return Finding(
            .warning,
            problem,
            cause: cause,
            action:
                "if the disk is good, bring it back (cable, mount, power). Else mount an empty one \(at) and replace "
                + "it; if there will be none: cairn admin disk retire \(disk.place)",
            command: "cairn admin disk replace \(disk.place)"
        )
    }

    /// Disks that nodes were given and that are not in use: nothing is lacking without them.
    var unused: [Finding] {
        status.unusedDisks.map { disk in
            guard !status.isCopied(disk) else { return unusedInDoubt(disk) }
            return Finding(
                disk.needsAttention ? .notice : .hint,
                "\(disk.name) is not in use",
                cause: disk.reason,
                action: isBelowK && disk.kind != .new ? Advice.keep : Advice.unused(disk.kind),
                command: disk.kind == .new
                    ? "cairn admin disk add --node \(disk.node) --slot \(disk.slot)" : Self.listCommand
            )
        }
    }

    private func unusedInDoubt(_ disk: UnusedDiskReport) -> Finding {
        Finding(
            disk.needsAttention ? .notice : .hint,
            "\(disk.name) is not in use",
            cause: disk.reason,
            action: CopyText.disk(of: disk.node),
            command: "cairn admin doctor"
        )
    }

    var room: [Finding] { classesWithoutRoom + fullDisks }

    private var classesWithoutRoom: [Finding] {
        status.room.map { room in
            Finding(
                RoomText.isRefusal(room) ? .critical : .warning,
                RoomText.problem(room),
                cause: RoomText.disks(room),
                action: RoomText.action,
                command: Self.listCommand
            )
        }
    }

    private var fullDisks: [Finding] {
        status.disks.compactMap { disk in
            let isFull = disk.state == .full
            guard isFull || disk.state.isReadable && disk.isNearlyFull else { return nil }
            return Finding(
                isFull ? .warning : .notice,
                "\(name(disk)) is \(isFull ? "full" : Words.percent(disk.used, of: disk.capacity) + " full")",
                cause:
                    "\(Words.bytes(disk.liveBytes)) of shards, \(Words.bytes(disk.deadBytes)) that compaction frees",
                action:
                    "delete objects, look for uploads that nobody completes, or exchange disks for larger ones, one "
                    + "after another",
                command: Self.listCommand
            )
        }
    }
}
