/// `cairn admin plan add` for people: first the verdict, then what it rests on.
package enum GrowthPlanText {
    package static func text(_ report: GrowthPlanReport) -> String {
        var rows = [
            ("Added", added(report)), ("Moves", moves(report)), ("Meanwhile", meanwhile(report)),
            ("Raw capacity", change(report.capacityBefore, report.capacityAfter)), ("Fullest disk", fullest(report)),
        ]
        for item in report.classes {
            rows.append(
                (item.name, "\(item.scheme): data of \(change(item.roomBefore, item.roomAfter)) in all, at most")
            )
            rows.append(("  survives", survives(item)))
        }
        let width = max(15, (rows.map(\.0.count).max() ?? 0) + 1)
        let lines = rows.map { label, value in
            label + String(repeating: " ", count: width - label.count) + value
        }
        return ([verdict(report), ""] + lines + ["", "Nothing was changed. \(next(report))"]).joined(separator: "\n")
    }

    private static func verdict(_ report: GrowthPlanReport) -> String {
        let worse = report.classes.filter { isWorse($0) }.map(\.name)
        if !worse.isEmpty {
            return "LESS IS SURVIVED by \(worse.joined(separator: ", ")): see what, below, before you add them."
        }
        let less = report.classes.filter { $0.roomAfter < $0.roomBefore }.map(\.name)
        if !less.isEmpty {
            return "LESS ROOM for \(less.joined(separator: ", ")): shards are spread over all sites and nodes alike, "
                + "and the new one is too small for its part."
        }
        let same = report.classes.filter { gains($0) == 0 }.map(\.name)
        if !same.isEmpty {
            return "NO MORE ROOM for \(same.joined(separator: ", ")): other sites or nodes are full first. Add as much "
                + "to them."
        }
        return "MORE ROOM: the store can take more, and survives what it did."
    }

    /// In percent, so that less than one counts as nothing.
    private static func gains(_ item: ClassGrowth) -> Int {
        (item.roomAfter - item.roomBefore) / max(1, item.roomBefore / 100)
    }

    private static func isWorse(_ item: ClassGrowth) -> Bool {
        guard let before = item.survivesBefore, let after = item.survivesAfter else { return false }
        return after.disks < before.disks || after.nodes < before.nodes || after.sites < before.sites
    }

    private static func added(_ report: GrowthPlanReport) -> String {
        let question = report.question
        let each = "\(Words.plural(question.disks, "disk")) of \(Words.bytes(question.size))"
        let site = report.isNewSite ? "the new site \(question.site)" : "site \(question.site)"
        guard question.nodes == 1 else { return "\(Words.count(question.nodes)) new nodes of \(each) in \(site)" }
        return "\(each) on \(report.isNewNode ? "the new node" : "node") \(question.node) in \(site)"
    }

    private static func moves(_ report: GrowthPlanReport) -> String {
        guard let seconds = report.seconds else {
            return "nothing: \(report.places > 0 ? "the store is empty" : "no disk has too much")"
        }
        return "\(Words.bytes(report.bytes)) in \(Words.plural(report.places, "place")) (the new disks' share is "
            + "\(Words.bytes(report.idealShare))), \(Words.span(seconds)) or more at "
            + "\(report.question.megabytesPerSecond) MB/s a disk"
    }

    private static func meanwhile(_ report: GrowthPlanReport) -> String {
        var text = "nothing more is at risk: a shard counts where it was until it is proved at its new place"
        if report.missingShards > 0 { text += "; \(Words.plural(report.missingShards, "shard")) missing now" }
        if !report.away.isEmpty { text += "; away now: \(Ward.names(report.away))" }
        return text
    }

    private static func change(_ before: Int, _ after: Int) -> String {
        before == after ? Words.bytes(before) + ", as now" : "\(Words.bytes(before)) -> \(Words.bytes(after))"
    }

    /// By bytes: how full each disk is in percent would need its size, which the plan knows of the new ones alone.
    private static func fullest(_ report: GrowthPlanReport) -> String {
        change(report.disks.map(\.before).max() ?? 0, report.disks.map(\.after).max() ?? 0)
    }

    private static func survives(_ item: ClassGrowth) -> String {
        guard let before = item.survivesBefore, let after = item.survivesAfter else { return "nothing is stored" }
        guard before != after else { return ProtectionText.survives(after) + ", as now" }
        return "\(ProtectionText.survives(after)) (now: \(ProtectionText.survives(before)))"
    }

    private static func next(_ report: GrowthPlanReport) -> String {
        let node = report.question.nodeNames[0]
        let begin = report.isNewNode ? "Let it join with a token (`cairn admin node token`), then" : "To do it:"
        return "\(begin) `cairn admin disk add --node \(node)`, which begins the moves."
    }
}
