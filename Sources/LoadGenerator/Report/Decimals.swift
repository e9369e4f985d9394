/// Numbers as text, without a locale.
enum Decimals {
    /// `value` with `places` decimals, rounded.
    static func text(_ value: Double, _ places: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "-" }
        var scale = 1
        for _ in 0..<places { scale *= 10 }
        let scaled = Int((abs(value) * Double(scale)).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        let whole = grouped(scaled / scale)
        guard places > 0 else { return sign + whole }
        let fraction = String(scaled % scale)
        return "\(sign)\(whole).\(String(repeating: "0", count: places - fraction.utf8.count))\(fraction)"
    }

    /// Thousands parted by commas.
    static func grouped(_ number: Int) -> String {
        var result = ""
        for (index, digit) in String(number.magnitude).reversed().enumerated() {
            if index > 0, index.isMultiple(of: 3) { result.append(",") }
            result.append(digit)
        }
        return (number < 0 ? "-" : "") + String(result.reversed())
    }

    /// Three significant places or so: what a rate or a time is read with.
    static func significant(_ value: Double) -> String {
        text(value, value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3)
    }
}
