/// `cairn admin scrub status` for people.
package enum ScrubText {
    package static func text(_ report: ScrubReport) -> String {
        var lines = [summary(report), coding(report)]
        if let bucket = report.bucket { lines.append(self.bucket(bucket)) }
        if !report.problem.isEmpty { lines.append("! \(report.problem)") }
        for object in report.damagedObjects { lines.append("! not what came in: \(object)") }
        return (lines + [""] + disks(report.disks)).joined(separator: "\n")
    }

    /// One line, which `cairn admin status` shows too.
    static func summary(_ report: ScrubReport) -> String {
        (report.paused ? "PAUSED; " : "") + "\(age(report)); the promise is " + Words.plural(report.days, "day")
    }

    /// What the scrub has not read yet counts as read when it was first seen: by the first start, or by a take-over,
    /// which begins the record anew. That is no verification, and is not said to be one.
    private static func age(_ report: ScrubReport) -> String {
        let span = Words.span(report.oldestUnverified)
        let unread = report.disks.count { $0.lastPass == nil }
        if unread == 0, !report.disks.isEmpty { return "every byte verified within \(span)" }
        guard unread < report.disks.count else {
            return "no disk read through yet since the record began, \(span) ago (with the store, or a take-over)"
        }
        return "every byte verified within \(span), but for \(Words.plural(unread, "disk")) not read through yet"
    }

    private static func coding(_ report: ScrubReport) -> String {
        codingAge(report) + "; the promise is " + Words.plural(report.codingDays, "day")
            + (report.codingActive ? "; \(Words.percent(report.codingBytesDone, of: report.codingBytes)) done" : "")
    }

    /// As for bytes: what nobody has coded again yet is not said to be.
    private static func codingAge(_ report: ScrubReport) -> String {
        let span = Words.span(report.oldestUncoded)
        return report.lastCoding == nil
            ? "stripes not all coded again yet since the record began, \(span) ago"
            : "every stripe coded again within \(span)"
    }

    /// One line, of what is being read just now.
    static func progress(_ report: StatusReport) -> String {
        let active = report.scrub.disks.filter(\.active)
        var parts = [passes(active.filter(\.asked), "asked for"), passes(active.filter { !$0.asked }, "by date")]
        if let bucket = report.scrub.bucket, bucket.active { parts.append(self.bucket(bucket)) }
        let count = report.verification
        if count.active {
            parts.append(
                "count of everything: \(Words.count(count.shardsVerified)) of "
                    + Words.plural(count.shardsExpected, "shard")
            )
        }
        if report.scrub.paused { parts.append("PAUSED until: cairn admin scrub resume") }
        return parts.filter { !$0.isEmpty }.joined(separator: "; ")
    }

    private static func passes(_ disks: [ScrubReport.Disk], _ reason: String) -> String {
        guard !disks.isEmpty else { return "" }
        let done = disks.reduce(0) { $0 + $1.bytesDone }
        let bytes = disks.reduce(0) { $0 + max($1.bytes, $1.bytesDone) }
        let notes = [
            (disks.reduce(0) { $0 + $1.absentShards }, "missing"),
            (disks.reduce(0) { $0 + $1.badShards - $1.absentShards }, "damaged"),
            (disks.reduce(0) { $0 + $1.unreadShards }, "not answered"),
            (disks.count { $0.waiting }, "away"), (disks.count { $0.paused }, "paused"),
        ]
        return "\(Words.plural(disks.count, "disk")) \(reason), \(Words.bytes(done)) of \(Words.bytes(bytes))"
            + notes.filter { $0.0 > 0 }.map { ", \(Words.count($0.0)) \($0.1)" }.joined()
    }

    private static func bucket(_ bucket: ScrubReport.Bucket) -> String {
        "bucket \(bucket.name): \(bucket.active ? "being read" : "read"), \(Words.plural(bucket.objects, "object")), "
            + "\(Words.plural(bucket.shards, "shard")), \(Words.bad(bucket.badShards, absent: bucket.absentShards)), "
            + "\(Words.count(bucket.unreadShards)) not answered"
    }

    private static func disks(_ disks: [ScrubReport.Disk]) -> [String] {
        var table = TextTable(
            ("DISK", .left),
            ("OLDEST", .right),
            ("STATE", .left),
            ("DONE", .right),
            ("RATE", .right),
            ("MISSING", .right),
            ("DAMAGED", .right),
            ("UNREAD", .right),
            ("ID", .left)
        )
        for disk in disks {
            table.add(
                disk.place,
                Words.span(disk.oldestUnverified),
                state(disk),
                disk.active ? Words.percent(disk.bytesDone, of: disk.bytes) : "-",
                disk.rate.map { Words.bytes($0) + "/s" } ?? "-",
                Words.count(disk.absentShards),
                Words.count(disk.badShards - disk.absentShards),
                Words.count(disk.unreadShards),
                String(disk.id.prefix(8))
            )
        }
        return table.lines
    }

    private static func state(_ disk: ScrubReport.Disk) -> String {
        if disk.paused { return "PAUSED" }
        if disk.waiting { return "WAITING" }
        return disk.active ? "reading" : "not due"
    }
}
