package import SystemInterface

/// Dates as ISO 8601 writes them, in UTC: for manifests, reports and `--since`.
///
/// Days to dates and back as Howard Hinnant gives them (`days_from_civil`, public domain).
package enum CivilTime {
    /// `2026-11-23T21:41:26.000Z`.
    package static func text(_ time: WallTime) -> String {
        let days = floor(time.milliseconds, 86_400_000)
        let rest = time.milliseconds - days * 86_400_000
        let (year, month, day) = date(days)
        let clock = [rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60].map { pad($0, 2) }
        let text = "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(clock.joined(separator: ":"))"
        return "\(text).\(pad(rest % 1_000, 3))Z"
    }

    /// Reads `2026-11-23`, `2026-11-23T21:41`, `…:26` and `….123`, each with or without `Z`; nil for anything else.
    package static func parse(_ text: some StringProtocol) -> WallTime? {
        let trimmed = text.hasSuffix("Z") ? text.dropLast() : text[...]
        let halves = trimmed.split(separator: "T", omittingEmptySubsequences: false)
        let dates = halves[0].split(separator: "-", omittingEmptySubsequences: false)
        guard halves.count <= 2, dates.count == 3, let year = digits(dates[0], 4), let month = digits(dates[1], 2),
            let day = digits(dates[2], 2), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var milliseconds = days(year, month, day) * 86_400_000
        guard date(days(year, month, day)) == (year, month, day) else { return nil }
        guard halves.count == 2 else { return WallTime(milliseconds: milliseconds) }
        let seconds = halves[1].split(separator: ".", omittingEmptySubsequences: false)
        let clock = seconds[0].split(separator: ":", omittingEmptySubsequences: false).map { digits($0, 2) }
        guard seconds.count <= 2, (2...3).contains(clock.count) else { return nil }
        for (value, unit) in zip(clock, [(24, 3_600_000), (60, 60_000), (60, 1_000)] as [(Int64, Int64)]) {
            guard let value, value < unit.0 else { return nil }
            milliseconds += value * unit.1
        }
        if seconds.count == 2 {
            guard let fraction = digits(seconds[1], 3) else { return nil }
            milliseconds += fraction
        }
        return WallTime(milliseconds: milliseconds)
    }

    private static func digits(_ text: some StringProtocol, _ count: Int) -> Int64? {
        text.utf8.count == count && text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int64(text) : nil
    }

    private static func pad(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static func floor(_ value: Int64, _ unit: Int64) -> Int64 {
        value >= 0 ? value / unit : -((-value + unit - 1) / unit)
    }

    private static func date(_ days: Int64) -> (Int64, Int64, Int64) {
        let shifted = days + 719_468
        let era = floor(shifted, 146_097)
        let day = shifted - era * 146_097
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let part = (5 * dayOfYear + 2) / 153
        let month = part < 10 ? part + 3 : part - 9
        return (year + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * part + 2) / 5 + 1)
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = floor(shifted, 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
