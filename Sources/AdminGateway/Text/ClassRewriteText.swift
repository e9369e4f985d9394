/// Rewrites into classes in words.
package enum ClassRewriteText {
    package static func application(_ report: ClassApplicationReport) -> String {
        let what = report.application
        let of = what.prefix.isEmpty ? what.bucket : "\(what.bucket)/\(what.prefix)…"
        guard report.objects > 0 || !report.isComplete else {
            return "Every object of \(of) is in class \(what.storageClass) already."
                + (what.isDryRun ? " Nothing would be rewritten." : "")
        }
        let least = report.isComplete ? "" : "at least "
        var lines = [
            "\(what.isDryRun ? "Would rewrite" : "Rewriting") \(least)\(Words.plural(report.objects, "object")) of "
                + "\(of) into class \(what.storageClass): \(least)\(Words.bytes(report.bytes)), "
                + "\(Words.span(report.seconds)) or more at the rate allowed.",
            "On the disks \(Words.bytes(report.bytesOnDisks)) -> \(Words.bytes(report.bytesOnDisksThen)); what it was "
                + "stays until it is proved in the new class, so nothing is at risk meanwhile.",
        ]
        if !report.isComplete { lines.append("There are more objects than were counted in the time.") }
        if what.isDryRun {
            lines.append("Nothing was changed.")
        } else {
            lines.append("Watch it with: cairn admin class rewrites --watch")
        }
        return lines.joined(separator: "\n")
    }

    package static func list(_ report: ClassRewritesReport) -> String {
        guard !report.rewrites.isEmpty else { return "No objects are being rewritten into another class." }
        return report.rewrites.map(line).joined(separator: "\n")
    }

    private static func name(_ item: ClassRewriteReport) -> String {
        "\(item.bucket)\(item.prefix.isEmpty ? "" : "/\(item.prefix)…") into \(item.storageClass)"
    }

    /// What status and doctor say of one that is paused: a pause outlives the day that it was meant for, and restarts.
    static func pauseProblem(_ item: ClassRewriteReport) -> String {
        "the rewriting of \(name(item)) is paused"
            + (item.objectsLeft.map { ", with \(Words.plural($0, "object")) left" } ?? "")
    }

    static func resume(_ item: ClassRewriteReport) -> String {
        "cairn admin class rewrites resume --bucket \(item.bucket)"
    }

    static func line(_ item: ClassRewriteReport) -> String {
        var text = name(item) + ": "
        if let objects = item.objectsLeft, let bytes = item.bytesLeft {
            text += "\(Words.plural(objects, "object")), \(Words.bytes(bytes)) left"
        } else {
            text += item.isPaused ? "not counted yet" : "counting"
        }
        text += "; done since the start: \(Words.plural(item.objectsDone, "object")), \(Words.bytes(item.bytesDone))"
        if item.objectsChanged > 0 {
            text += "; \(Words.count(item.objectsChanged)) changed by clients meanwhile"
        }
        if item.isPaused {
            text += "; paused"
        } else if let seconds = item.secondsLeft, item.bytesLeft ?? 0 > 0 {
            text += "; about \(Words.span(seconds)) left"
        }
        if !item.problem.isEmpty { text += "; not going on: \(item.problem)" }
        return text + "."
    }
}
