/// The date formats of HTTP and S3, to and from milliseconds since 1970-01-01 UTC.
package enum S3Date {
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    // MARK: Writing

    /// The years that four digits can write: 0000 … 9999.
    private static let writableTimes: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999

    /// A time outside of what the formats can write, which only damaged metadata holds, becomes the nearest that they
    /// can: a date is never a reason to fail an answer.
    private static func writable(_ milliseconds: Int64) -> CivilDate {
        CivilDate(milliseconds: min(max(milliseconds, writableTimes.lowerBound), writableTimes.upperBound))
    }

    /// `Wed, 12 Oct 2009 17:50:00 GMT` (IMF-fixdate, RFC 9110 §5.6.7).
    package static func http(_ milliseconds: Int64) -> String {
        let date = writable(milliseconds)
        var text: [UInt8] = []
        text.reserveCapacity(29)
        text.append(contentsOf: weekdays[date.weekday].utf8)
        text.append(contentsOf: ", ".utf8)
        append(date.day, width: 2, to: &text)
        text.append(UInt8(ascii: " "))
        text.append(contentsOf: months[date.month - 1].utf8)
        text.append(UInt8(ascii: " "))
        append(date.year, width: 4, to: &text)
        text.append(UInt8(ascii: " "))
        appendTime(date, separator: UInt8(ascii: ":"), to: &text)
        text.append(contentsOf: " GMT".utf8)
        return String(decoding: text, as: UTF8.self)
    }

    /// `2009-10-12T17:50:30.000Z`, as S3's documents write it.
    package static func iso8601(_ milliseconds: Int64) -> String {
        var text: [UInt8] = []
        appendISO8601(milliseconds, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    package static func appendISO8601(_ milliseconds: Int64, to text: inout [UInt8]) {
        let date = writable(milliseconds)
        append(date.year, width: 4, to: &text)
        text.append(UInt8(ascii: "-"))
        append(date.month, width: 2, to: &text)
        text.append(UInt8(ascii: "-"))
        append(date.day, width: 2, to: &text)
        text.append(UInt8(ascii: "T"))
        appendTime(date, separator: UInt8(ascii: ":"), to: &text)
        text.append(UInt8(ascii: "."))
        append(date.millisecond, width: 3, to: &text)
        text.append(UInt8(ascii: "Z"))
    }

    /// `20130524T000000Z`, the time stamp of SigV4.
    package static func basic(_ milliseconds: Int64) -> String {
        let date = writable(milliseconds)
        var text: [UInt8] = []
        append(date.year, width: 4, to: &text)
        append(date.month, width: 2, to: &text)
        append(date.day, width: 2, to: &text)
        text.append(UInt8(ascii: "T"))
        appendTime(date, separator: nil, to: &text)
        text.append(UInt8(ascii: "Z"))
        return String(decoding: text, as: UTF8.self)
    }

    private static func appendTime(_ date: CivilDate, separator: UInt8?, to text: inout [UInt8]) {
        append(date.hour, width: 2, to: &text)
        if let separator { text.append(separator) }
        append(date.minute, width: 2, to: &text)
        if let separator { text.append(separator) }
        append(date.second, width: 2, to: &text)
    }

    private static func append(_ number: Int, width: Int, to text: inout [UInt8]) {
        var divisor = 1
        for _ in 1..<width { divisor *= 10 }
        while divisor > 0 {
            text.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }

    // MARK: Reading

    /// `20130524T000000Z` and nothing else.
    package static func parseBasic(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z"),
            let year = number(bytes[0..<4]), let month = number(bytes[4..<6]), let day = number(bytes[6..<8]),
            let hour = number(bytes[9..<11]), let minute = number(bytes[11..<13]), let second = number(bytes[13..<15])
        else { return nil }
        return CivilDate(year: year, month: month, day: day, hour: hour, minute: minute, second: second)?
            .milliseconds
    }

    /// `2009-10-12T17:50:30[.fraction](Z|±hh:mm)`.
    package static func parseISO8601(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            bytes[10] == UInt8(ascii: "T"), bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
            let year = number(bytes[0..<4]), let month = number(bytes[5..<7]), let day = number(bytes[8..<10]),
            let hour = number(bytes[11..<13]), let minute = number(bytes[14..<16]), let second = number(bytes[17..<19])
        else { return nil }
        var rest = bytes[19...]
        var millisecond = 0
        if rest.first == UInt8(ascii: ".") {
            let digits = rest.dropFirst().prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard !digits.isEmpty else { return nil }
            let padded = (Array(digits.prefix(3)) + [48, 48])[..<3]
            millisecond = number(padded) ?? 0
            rest = rest[digits.endIndex...]
        }
        guard let offset = zoneMinutes(rest),
            let date = CivilDate(
                year: year,
                month: month,
                day: day,
                hour: hour,
                minute: minute,
                second: second,
                millisecond: millisecond
            )
        else { return nil }
        return date.milliseconds - Int64(offset) * 60_000
    }

    private static func zoneMinutes(_ zone: ArraySlice<UInt8>) -> Int? {
        if zone.elementsEqual([UInt8(ascii: "Z")]) { return 0 }
        let zone = Array(zone)
        guard zone.count == 6, zone[3] == UInt8(ascii: ":"), let hours = number(zone[1..<3]),
            let minutes = number(zone[4..<6]), hours < 24, minutes < 60
        else { return nil }
        switch zone[0] {
        case UInt8(ascii: "+"): return hours * 60 + minutes
        case UInt8(ascii: "-"): return -(hours * 60 + minutes)
        default: return nil
        }
    }

    /// Any of the three forms of RFC 9110 §5.6.7: IMF-fixdate, RFC 850, asctime. The day's name is not checked.
    package static func parseHTTP(_ text: String) -> Int64? {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "," })
        switch words.count {
        case 6: return fixdate(day: words[1], month: words[2], year: words[3], time: words[4], zone: words[5])
        case 5 where text.contains(","): return rfc850(date: words[1], time: words[2], zone: words[3])
        case 5: return fixdate(day: words[2], month: words[1], year: words[4], time: words[3], zone: "GMT")
        case 4: return rfc850(date: words[1], time: words[2], zone: words[3])
        default: return nil
        }
    }

    private static func rfc850(date: Substring, time: Substring, zone: Substring) -> Int64? {
        let parts = date.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[2].utf8.count == 2, let year = number(Array(parts[2].utf8)[...]) else {
            return nil
        }
        // Two digits: what would lie more than 50 years ahead is of the last century (RFC 9110 §5.6.7).
        let full = String(year < 77 ? 2_000 + year : 1_900 + year)
        return fixdate(day: parts[0], month: parts[1], year: full[...], time: time, zone: zone)
    }

    /// What clients write for universal time: RFC 9110's, and those of RFC 5322 §3.3, as mail libraries print dates.
    private static let universalZones: Set<Substring> = ["GMT", "UTC", "+0000", "-0000"]

    private static func fixdate(
        day: Substring,
        month: Substring,
        year: Substring,
        time: Substring,
        zone: Substring
    ) -> Int64? {
        let clock = time.split(separator: ":", omittingEmptySubsequences: false)
        guard universalZones.contains(zone), clock.count == 3, year.utf8.count == 4,
            (1...2).contains(day.utf8.count), let month = months.firstIndex(where: { $0 == month }),
            let day = number(Array(day.utf8)[...]), let year = number(Array(year.utf8)[...]),
            clock.allSatisfy({ $0.utf8.count == 2 }), let hour = number(Array(clock[0].utf8)[...]),
            let minute = number(Array(clock[1].utf8)[...]), let second = number(Array(clock[2].utf8)[...])
        else { return nil }
        return CivilDate(year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second)?
            .milliseconds
    }

    /// Digits only.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard !digits.isEmpty, digits.count <= 9 else { return nil }
        var value = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return value
    }
}
