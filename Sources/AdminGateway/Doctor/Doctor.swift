/// The rules of `cairn admin doctor`: from what is known of a store to what is wrong with it, why, and what to do next.
///
/// Pure. No command that it names can cost data: while blobs are below k, or might be with one disk more given up, it
/// asks for disks to be brought back and never to be replaced, retired or erased.
package enum Doctor {
    /// Worst first; of one severity in the order in which an operator should see to them.
    package static func findings(in examination: StoreExamination) -> [Finding] {
        let ward = Ward(examination)
        let all =
            ward.copies + ward.data + ward.coordinator + ward.journal + ward.writes + ward.places + ward.disks
            + ward.unused + ward.room + ward.repair + ward.upkeep + ward.garbage + ward.layout
        return all.enumerated().sorted { ($1.element.severity, $0.offset) < ($0.element.severity, $1.offset) }
            .map(\.element)
    }

    package static func isHealthy(_ findings: [Finding]) -> Bool { findings.allSatisfy { $0.severity == .hint } }

    /// What is wrong where no store answers on the data folder `path`.
    package static func finding(for error: AdminError, folder: FolderMarks, path: String) -> Finding {
        if folder.isSuperseded {
            return Finding(
                .critical,
                "the coordinator of \(path) does not run",
                cause: "another coordinator has taken over: this one has stopped for good",
                action: "leave it stopped and ask the one that took over; run this there",
                command: "cairn admin doctor"
            )
        }
        guard error.code == .notRunning else {
            return Finding(
                .critical,
                "the store on \(path) gives no picture of itself",
                cause: error.message,
                action: error.advice.isEmpty ? "look at its log" : error.advice,
                command: error.message.contains("is not formed yet") ? "cairn admin cluster form" : nil
            )
        }
        let (action, command): (String, String?) =
            switch folder.role {
            case .none: ("name the data folder by --data, or mount it", nil)
            case .empty: ("nothing was ever kept here: name the data folder by --data", nil)
            case .store: ("look at the end of its log, then start it", "cairn serve --data \(path)")
            case .coordinator: ("look at the end of its log, then start it", "cairn coordinator --data \(path)")
            case .node: ("a node's folder: ask at the coordinator, with its folder by --data", "cairn admin doctor")
            }
        return Finding(.critical, "no store answers", cause: error.message, action: action, command: command)
    }
}

/// One examination, looked at from every side.
struct Ward {
    let examination: StoreExamination
    var status: StatusReport { examination.status }
    var now: OutcomeReport { examination.now }

    init(_ examination: StoreExamination) { self.examination = examination }

    static let listCommand = "cairn admin disk list"
    static let statusCommand = "cairn admin status"

    var disksAway: [DiskReport] { status.disks.filter { !$0.state.isReadable } }

    /// Whether something cannot be read: then every disk that is away may be the one that is needed.
    var isBelowK: Bool { status.blobsBelowK > 0 || now.belowK > 0 }

    /// Names in a sentence, so many at most.
    static let nameLimit = 5

    static func names(_ names: [String]) -> String {
        names.prefix(nameLimit).joined(separator: ", ") + (names.count > nameLimit ? ", …" : "")
    }

    // MARK: Data

    var data: [Finding] { metadata + shards }

    private var metadata: [Finding] {
        guard let damage = status.metadataDamage else { return [] }
        return [
            Finding(
                .critical,
                "the metadata database is damaged: \(damage)",
                cause: "its file was changed beneath it: memory, controller, disk or hand",
                action: "stop the store and move its database aside; a coordinator that is started then reads it from "
                    + "the nodes, for `cairn serve` it is rebuilt first",
                command: "cairn metadata rebuild"
            )
        ]
    }

    private var shards: [Finding] {
        if isBelowK { return [unreadable] }
        guard examination.protection?.spares == 0 else { return [] }
        return [
            Finding(
                .critical,
                "no shard to spare: one disk more, and some objects cannot be read",
                cause: disksAway.isEmpty
                    ? "\(Words.plural(status.missingShards, "shard")) not rebuilt yet"
                    : "away: \(Self.names(disksAway.map(\.place)))",
                action: "touch no disk that works; bring back what is away, and let repair end",
                command: Self.statusCommand
            )
        ]
    }

    private var unreadable: Finding {
        let problem =
            status.blobsBelowK > 0
            ? "\(Words.plural(status.blobsBelowK, "blob")) with fewer shards than reading needs"
                + (status.unreadableObjects.isEmpty ? "" : ": \(Self.names(status.unreadableObjects))")
            : "\(Words.count(now.belowK)) of \(Words.plural(now.groups, "group")) with fewer disks than "
                + "reading needs: what lies there cannot be read"
        guard disksAway.isEmpty else {
            return Finding(
                .critical,
                problem,
                cause: "away: \(Self.names(disksAway.map(\.place)))",
                action:
                    "bring them back (power, network, cable, mount); replace, retire and erase nothing before that. "
                    + "Nothing is given up: the blobs stay listed",
                command: Self.listCommand
            )
        }
        return Finding(
            .critical,
            problem,
            cause: "more shards were lost than \(status.scheme) can do without, and no disk is away",
            action:
                "keep disks that were taken out: they may hold the shards. The JSON of the status lists the objects; "
                + "`cairn salvage` reads old disks. Nothing is given up",
            command: Self.statusCommand + " --json"
        )
    }

    // MARK: The coordinator and its journal

    var coordinator: [Finding] {
        if examination.isSuperseded {
            return [
                Finding(
                    .critical,
                    "this coordinator has stopped for good",
                    cause: examination.stopReason ?? "another coordinator has taken over",
                    action: "leave it stopped; ask the one that took over, on its machine",
                    command: "cairn admin doctor"
                )
            ]
        }
        if let reason = examination.stopReason {
            return [
                Finding(
                    .critical,
                    "the store has stopped: nothing can be changed",
                    cause: reason,
                    action: "it starts again by itself in a cluster; `cairn serve` is to be started again",
                    command: Self.statusCommand
                )
            ]
        }
        guard !examination.isConfirmed, status.journal.current >= status.journal.needed else { return [] }
        return [
            Finding(
                .critical,
                "this coordinator may not answer: \(status.journal.needed) journal keepers have not confirmed it",
                cause: "the network is slow or cut, or another coordinator has begun",
                action:
                    "if nobody took over, see to the network; if somebody did, stop this one. Run again in a minute",
                command: "cairn admin doctor"
            )
        ]
    }

    var journal: [Finding] {
        let amiss = laggingKeepers + wantingKeepers
        return (amiss.isEmpty ? weakJournal : amiss) + waitingKeepers
    }

    private var waitingKeepers: [Finding] {
        guard let disks = status.moves?.keeping, !disks.isEmpty else { return [] }
        return [
            Finding(
                .warning,
                KeeperText.waiting(disks),
                cause: "each keeper has a disk of its own, and the others keep the journal already or do not answer",
                action: "\(KeeperText.standIn); then they leave by themselves, and until then they stay. Or cancel",
                command: "cairn admin moves cancel"
            )
        ]
    }

    /// The shards bear more than the journal, which no keeper that comes back or joins will change.
    private var weakJournal: [Finding] {
        guard let journal = examination.journal, let shards = examination.protection, shards.spares >= 0,
            journal.isLess(than: shards)
        else { return [] }
        return [
            Finding(
                .hint,
                "the journal bears less than the shards do: \(ProtectionText.survives(journal))",
                cause: "its keepers need a majority, each on a disk of its own: two sites or nodes hold none without "
                    + "one of them. Where others have room, keepers move there one by one",
                action: "when more goes the store stops until it is back; disks on a third site or node would bear it",
                command: Self.listCommand
            )
        ]
    }

    /// A set that stays smaller than it should: what the store survives is less than what its shards say.
    private var wantingKeepers: [Finding] {
        let journal = status.journal
        let count = journal.keepers.count
        guard count < journal.wanted else { return [] }
        return [
            Finding(
                .warning,
                KeeperText.wanting(journal),
                cause: "a start was forced, or disks that kept it are gone and no other can take their place",
                action: "others are taken by themselves within seconds once they serve; if none is, see to the log of "
                    + "the coordinator or of `cairn serve`",
                command: Self.listCommand
            )
        ]
    }

    private var laggingKeepers: [Finding] {
        let journal = status.journal
        let lagging = journal.keepers.filter { $0.state != .current }
        guard !lagging.isEmpty else { return [] }
        let places = Dictionary(status.disks.map { ($0.id, $0.place) }, uniquingKeysWith: { first, _ in first })
        let names = lagging.map { "\(places[$0.disk] ?? String($0.disk.prefix(8))) \($0.state.rawValue)" }
        let isStopped = journal.current < journal.needed
        return [
            Finding(
                isStopped ? .critical : .warning,
                "\(journal.current) of \(Words.plural(journal.keepers.count, "journal keeper")) current, "
                    + "\(journal.needed) needed" + KeeperText.consequence(journal),
                cause: Self.names(names),
                action: isStopped
                    ? "mend their disks or bring them back, and replace none; --force-journal gives up what only they "
                        + "know, and is the last resort"
                    : "see to their disks; keepers catch up by themselves",
                command: Self.listCommand
            )
        ]
    }

    // MARK: Writes

    var writes: [Finding] {
        guard now.groups > 0, now.writes != .full else { return [] }
        let full = status.disks.filter { $0.state == .full }.map(\.place)
        let away = disksAway.map(\.place)
        let idle = status.disks.filter { $0.state == .hanging }.map(\.place)
        let cause = [("away", away), ("full", full), ("taking no writes", idle)].filter { !$0.1.isEmpty }
            .map { "\($0.0): \(Self.names($0.1))" }.joined(separator: "; ")
        // Of several classes, one at least takes nothing while others go on.
        let refusal =
            now.areSomeWritten
            ? "new objects of a storage class are refused: no group of its scheme has k + 1 disks that take them"
            : "new objects are refused: no group has k + 1 disks that take them, which a write needs"
        return [
            Finding(
                now.writes == .refused ? .critical : .warning,
                now.writes == .refused
                    ? refusal
                    : "new objects are kept with fewer shards than they should be (degraded)",
                cause: cause.isEmpty ? "disks cannot be used" : cause,
                action: full.isEmpty ? Advice.seeToDisks : "make room, and \(Advice.seeToDisks)",
                command: Self.listCommand
            )
        ]
    }
}
