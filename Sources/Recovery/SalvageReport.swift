internal import ClusterProtocol
internal import DiskFormat
package import ObjectModel
internal import ShardStorage

/// What a salvage found, so far or in all.
package struct SalvageReport: Sendable {
    package struct Count: Hashable, Sendable {
        package var objects = 0
        package var bytes = 0
    }

    package var cluster: ClusterID
    package var disks: [RecoveryDisk]
    package var ignored: [IgnoredDisk]
    package var mode: SalvageOptions.Mode
    /// nil when there was no journal that could be read: then everything is unconfirmed.
    package var replay: ReplayReport?
    package var journalProblem: String?
    package var counts: [SalvageEntry.State: Count] = [:]
    /// Written out by an earlier run.
    package var skipped = 0
    /// Files of earlier runs that the manifest does not name any more, and where they were moved to.
    package var superseded = 0
    package var supersededFolder: String?
    /// Those that could not be moved, and lie where they lay.
    package var notMoved = 0
    /// The first of those that are lost; all are in the manifest.
    package var lost: [SalvageEntry] = []
    /// The same of those that are there and could not be written.
    package var unwritten: [SalvageEntry] = []
    /// Blobs of which no record can be read.
    package var unreadableBlobs = 0
    /// Blobs that no metadata names and that too little is left of: uploads broken off, or erased.
    package var abandonedBlobs = 0
    /// Blobs of the store's own: checkpoints of its metadata.
    package var systemBlobs = 0
    /// Written in a time that the journal knows nothing of.
    package var laterBlobs = 0

    private static let lostLimit = 1_000

    init(_ opened: RecoveryDisks, mode: SalvageOptions.Mode) {
        cluster = opened.cluster
        disks = opened.disks
        ignored = opened.ignored
        self.mode = mode
    }

    mutating func count(_ entry: SalvageEntry) {
        counts[entry.state, default: Count()].objects += 1
        counts[entry.state, default: Count()].bytes += entry.length
        if entry.state == .lost, lost.count < Self.lostLimit { lost.append(entry) }
        if entry.state == .unwritten, unwritten.count < Self.lostLimit { unwritten.append(entry) }
    }

    package func count(of state: SalvageEntry.State) -> Count { counts[state] ?? Count() }

    /// True when nothing was lost or left unwritten, and nothing that was acknowledged may be missing.
    package var isWhole: Bool {
        replay?.mayMissTail == false && laterBlobs == 0 && count(of: .lost).objects == 0
            && count(of: .unconfirmed).objects == 0 && count(of: .unwritten).objects == 0 && notMoved == 0
    }

    /// One line for people who wait.
    package var progressLine: String {
        let done = counts.values.reduce(0) { $0 + $1.objects }
        let bytes = counts.values.reduce(0) { $0 + $1.bytes }
        return "\(done) objects, \(bytes >> 20) MiB; \(count(of: .lost).objects) lost, \(skipped) done before"
    }
}

extension SalvageReport {
    package var text: String {
        var lines = ["cluster \(cluster)", "disks:"]
        for disk in disks {
            let journal =
                disk.journalProblem.map { "journal unreadable: \($0)" }
                ?? (disk.journal == nil ? "no journal" : "journal to \(disk.journalState?.last.description ?? "?")")
            lines.append("  \(disk.path): \(disk.identity.disk), \(disk.shards.recovery.sealed) records, \(journal)")
            if disk.shards.recovery.foundRot { lines.append("    some of its segments cannot be read in full") }
        }
        for disk in ignored { lines.append("  \(disk.path): IGNORED: \(disk.reason)") }
        lines += journalLines
        lines.append("objects:")
        for state in SalvageEntry.State.allCases {
            let count = count(of: state)
            lines.append("  \(Self.column(state.rawValue)) \(count.objects) objects, \(count.bytes) bytes")
        }
        if skipped > 0 { lines.append("  \(Self.column("done before")) \(skipped) objects") }
        if let supersededFolder {
            let text = "\(superseded) files of earlier runs, now in \(supersededFolder)/"
            lines.append("  \(Self.column("superseded")) \(text)")
        }
        if notMoved > 0 {
            let text = "\(notMoved) files of earlier runs, which the manifest does not name"
            lines.append("  \(Self.column("NOT MOVED")) \(text)")
        }
        lines += otherLines
        for entry in lost { lines.append("LOST \(entry.bucket)/\(entry.key): \(entry.problem ?? "")") }
        if count(of: .lost).objects > lost.count { lines.append("further lost objects are in the manifest") }
        for entry in unwritten { lines.append("NOT WRITTEN \(entry.bucket)/\(entry.key): \(entry.problem ?? "")") }
        if count(of: .unwritten).objects > unwritten.count {
            lines.append("further objects that are not written are in the manifest")
        }
        return lines.joined(separator: "\n")
    }

    private var journalLines: [String] {
        guard let replay else {
            return [
                "journal: none (\(journalProblem ?? "none was found"))",
                "  everything is UNCONFIRMED: named by the shards alone. Deleted and overwritten objects whose shards",
                "  were still there are among it; headers, tags, and copies made on the server are not.",
            ]
        }
        var lines = [
            "journal: \(replay.found.count) of \(replay.keepers.count) keepers found, \(replay.needed) needed; it ends "
                + "at \(replay.position)"
        ]
        if replay.mayMissTail {
            lines.append("  TOO FEW: the changes acknowledged last may be missing. Their disks, if they can be had:")
            lines += replay.missing.map { "  \($0)" }
        }
        if laterBlobs > 0 {
            lines += [
                "  OLD: the disks hold \(laterBlobs) blobs of a time that it knows nothing of: its logs were put back",
                "  as they were once. Changes since then are missing: look for the keepers' disks as they were last.",
            ]
        }
        return lines
    }

    private var otherLines: [String] {
        var lines: [String] = []
        if unreadableBlobs > 0 { lines.append("blobs of which no record can be read: \(unreadableBlobs)") }
        if abandonedBlobs > 0 { lines.append("remains of uploads or deletions, left alone: \(abandonedBlobs) blobs") }
        if systemBlobs > 0 { lines.append("metadata checkpoints among the blobs, left alone: \(systemBlobs)") }
        return lines
    }

    private static func column(_ text: String) -> String {
        text + String(repeating: " ", count: max(0, 12 - text.count))
    }

    package var json: JSONValue {
        .fields([
            ("cluster", .string(cluster.description)),
            ("mode", .string("\(mode)")),
            ("isWhole", .bool(isWhole)),
            ("disks", .array(disks.map(Self.json))),
            (
                "ignored",
                .array(
                    ignored.map { .fields([("path", .string($0.path)), ("reason", .string($0.reason))]) }
                )
            ),
            ("journal", journalJSON),
            (
                "objects",
                .object(
                    SalvageEntry.State.allCases.map { state in
                        let count = count(of: state)
                        return JSONValue.Member(
                            state.rawValue,
                            .fields([("objects", .number(count.objects)), ("bytes", .number(count.bytes))])
                        )
                    }
                )
            ),
            ("doneBefore", .number(skipped)),
            ("superseded", .number(superseded)),
            ("notMoved", .number(notMoved)),
            ("unreadableBlobs", .number(unreadableBlobs)),
            ("abandonedBlobs", .number(abandonedBlobs)),
            ("systemBlobs", .number(systemBlobs)),
            ("laterBlobs", .number(laterBlobs)),
            ("lost", .array(lost.map(\.json))),
            ("unwritten", .array(unwritten.map(\.json))),
        ])
    }

    private var journalJSON: JSONValue {
        guard let replay else { return .fields([("problem", .string(journalProblem ?? "none was found"))]) }
        return .fields([
            ("position", .string(replay.position.description)),
            ("keepers", .array(replay.keepers.map { .string($0.description) })),
            ("found", .array(replay.found.map { .string($0.description) })),
            ("needed", .number(replay.needed)),
            ("mayMissTail", .bool(replay.mayMissTail)),
        ])
    }

    private static func json(_ disk: RecoveryDisk) -> JSONValue {
        .fields([
            ("path", .string(disk.path)), ("disk", .string(disk.identity.disk.description)),
            ("epoch", .number(Int(disk.identity.epoch))), ("records", .number(disk.shards.recovery.sealed)),
            ("journalEnd", .text(disk.journalState?.last.description)), ("journalProblem", .text(disk.journalProblem)),
            ("foundRot", .bool(disk.shards.recovery.foundRot)),
        ])
    }
}
