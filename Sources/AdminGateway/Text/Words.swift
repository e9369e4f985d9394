/// Numbers in the words of people, without a locale.
package enum Words {
    /// `0 B`, `999 B`, `1.5 GB`, `120 TB`: powers of 1,000, as disks are sold and `df -H` counts.
    package static func bytes(_ count: Int) -> String {
        let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
        var value = Double(count)
        var unit = 0
        while value >= 999.5, unit < units.count - 1 {
            value /= 1_000
            unit += 1
        }
        guard unit > 0 else { return "\(count) B" }
        let tenths = Int((value * 10).rounded())
        return tenths < 1_000
            ? "\(tenths / 10).\(tenths % 10) \(units[unit])" : "\(Int(value.rounded())) \(units[unit])"
    }

    /// Bytes a second that an option allows: in MiB where it is whole ones, as the options take them.
    package static func rate(_ bytes: Int) -> String {
        bytes > 0 && bytes.isMultiple(of: 1 << 20) ? "\(count(bytes >> 20)) MiB/s" : "\(Self.bytes(bytes))/s"
    }

    /// Thousands parted by commas.
    package static func count(_ number: Int) -> String {
        var digits = ""
        for (index, digit) in String(number.magnitude).reversed().enumerated() {
            if index > 0, index.isMultiple(of: 3) { digits.append(",") }
            digits.append(digit)
        }
        return (number < 0 ? "-" : "") + String(digits.reversed())
    }

    /// `1 disk`, `2 disks`.
    package static func plural(_ number: Int, _ noun: String) -> String {
        "\(count(number)) \(noun)\(number == 1 ? "" : "s")"
    }

    /// Of `bad` shards, of which `absent` are not on their disks: `2 missing, 1 damaged`; what there is none of is left
    /// out, and of none is said `0 bad`.
    package static func bad(_ bad: Int, absent: Int) -> String {
        let parts = [(absent, "missing"), (bad - absent, "damaged")].filter { $0.0 > 0 }
        return parts.isEmpty ? "0 bad" : parts.map { "\(count($0.0)) \($0.1)" }.joined(separator: ", ")
    }

    /// `40 s`, `12 min`, `3 h`, `5 days`.
    package static func span(_ seconds: Int) -> String {
        switch max(0, seconds) {
        case ..<120: "\(max(0, seconds)) s"
        case ..<7_200: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3_600) h"
        default: "\(count(seconds / 86_400)) days"
        }
    }

    /// A share in whole percent, cut and not rounded: 100 only when it is all.
    package static func percent(_ part: Int, of whole: Int) -> String {
        whole <= 0 ? "-" : "\(Int(Double(part) / Double(whole) * 100)) %"
    }
}
