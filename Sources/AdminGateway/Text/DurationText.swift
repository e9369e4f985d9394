/// A time as operators write it, in options and commands: a number with s, m, h or d.
package enum DurationText {
    private static let units: [Character: Int] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]

    /// Above zero; nil when the text is none, or longer than anybody can mean.
    package static func parse(_ text: String) -> Duration? {
        guard let unit = text.last, let factor = units[unit], let number = Int(text.dropLast()), number > 0,
            number <= Int(Int32.max)
        else { return nil }
        return .seconds(number * factor)
    }
}
