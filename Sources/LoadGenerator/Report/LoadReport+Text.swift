extension LoadReport {
    /// The result for people: one line for each operation, then errors and what it cost.
    package var text: String {
        var lines = [headline, ""]
        lines += table
        lines.append("")
        lines += errorLines
        lines.append("client   " + client.text)
        if let server {
            lines.append("server   " + server.cpu.text)
            lines.append(
                "         resident \(Decimals.text(Double(server.residentBytes) / 1e6, 0)) MB, "
                    + "\(Decimals.text(Double(server.peakResidentBytes) / 1e6, 0)) MB at most since it began"
            )
        }
        return lines.joined(separator: "\n")
    }

    private var headline: String {
        var text = "\(settings.work), objects of \(ByteCount(settings.objectBytes))"
        if let range = settings.rangeBytes { text += ", ranges of \(ByteCount(range))" }
        if let part = settings.partBytes { text += ", parts of \(ByteCount(part))" }
        text += ", \(settings.connections) connection\(settings.connections == 1 ? "" : "s")"
        text += ", \(settings.payload) payload"
        if settings.verified { text += ", verified" }
        return text + ", \(Decimals.text(elapsedSeconds, 1)) s at \(settings.endpoint)"
    }

    private var table: [String] {
        var rows = [["OPERATION", "COUNT", "PER S", "MB/S", "P50 MS", "P90 MS", "P99 MS", "MAX MS"]]
        let ordered = Operation.allCases.compactMap { operation in
            operations[operation.rawValue].map { (operation.rawValue, $0) }
        }
        for (name, figures) in ordered { rows.append([name] + figures.cells) }
        if ordered.count > 1 { rows.append(["all"] + total.cells) }
        let widths = rows[0].indices.map { column in rows.map { $0[column].utf8.count }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { column, cell in
                let blanks = String(repeating: " ", count: widths[column] - cell.utf8.count)
                return column == 0 ? cell + blanks : blanks + cell
            }.joined(separator: "  ")
        }
    }

    private var errorLines: [String] {
        guard !errors.isEmpty else { return ["errors   none"] }
        return errors.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { code, count in
            "errors   \(Decimals.grouped(count)) × \(code): \(errorExamples[code] ?? "")"
        }
    }
}

extension LoadReport.Figures {
    fileprivate var cells: [String] {
        [Decimals.grouped(count), Decimals.significant(perSecond), Decimals.significant(megabytesPerSecond)]
            + [p50, p90, p99, max].map(Decimals.significant)
    }
}

extension LoadReport.CPU {
    fileprivate var text: String {
        var text = "CPU \(Decimals.text(seconds, 2)) s"
        if let secondsPerGigabyte { text += ", \(Decimals.significant(secondsPerGigabyte)) s per GB" }
        if let millisecondsPerOperation {
            text += ", \(Decimals.significant(millisecondsPerOperation)) ms per operation"
        }
        return text
    }
}
