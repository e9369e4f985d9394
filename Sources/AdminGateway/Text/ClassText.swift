/// Storage classes in words.
enum ClassText {
    static func list(_ report: ClassesReport) -> String {
        var table = TextTable(
            ("CLASS", .left),
            ("SCHEME", .left),
            ("COST", .right),
            ("GROUPS", .right),
            ("SURVIVES", .left),
            ("NINES", .right),
            ("DEFAULT OF", .left)
        )
        for item in report.classes {
            table.add(
                item.name,
                item.scheme,
                cost(item),
                Words.count(item.groups),
                ProtectionText.survives(item.survives),
                ProtectionText.count(item.durability.nines),
                item.buckets.joined(separator: ", ")
            )
        }
        let lines = table.lines + keepers(report.keepers, of: report.keepersNeeded) + report.closed.map(closed)
        return lines.joined(separator: "\n")
    }

    static func addition(_ addition: ClassAddition) -> String {
        let item = addition.storageClass
        var lines = ["\(addition.isDryRun ? "Would add" : "Added") class \(item.name): \(item.scheme)."]
        lines += [
            ("Survives", ProtectionText.survives(item.survives)), ("By model", ProtectionText.nines(item.durability)),
            ("  supposing", ProtectionText.assumptions(item.durability)),
            ("Cost", "\(cost(item)) bytes on disks for each byte"),
            (
                "Groups",
                addition.groupsMade > 0
                    ? "\(Words.count(addition.groupsMade)) new" : "\(Words.count(item.groups)), shared with its scheme"
            ),
        ].map { label, value in label + String(repeating: " ", count: 15 - label.count) + value }
        lines += keepers(addition.keepers, of: addition.keepersNeeded)
        if addition.isDryRun { lines.append("Nothing was changed.") }
        return lines.joined(separator: "\n")
    }

    private static func closed(_ groups: ClosedGroupsReport) -> String {
        "\(Words.plural(groups.groups, "group")) of \(groups.scheme) left of a removed class: what lies there is kept, "
            + "until it is deleted, or rewritten by `cairn admin class apply`."
    }

    private static func keepers(_ count: Int, of needed: Int) -> [String] {
        guard count < needed else { return [] }
        return [
            "The journal has \(Words.plural(count, "keeper")), and \(needed) are needed for this: the rest joins "
                + "within seconds, `cairn admin class list` shows when they have."
        ]
    }

    /// Bytes on disks for one of data.
    private static func cost(_ item: ClassReport) -> String {
        let hundredths = (item.totalShards * 100 + item.dataShards / 2) / max(1, item.dataShards)
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}
