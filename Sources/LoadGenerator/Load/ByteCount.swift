/// A number of bytes as people write it: `4096`, `64KiB`, `64k`, `1.5MB`, `1GiB`.
///
/// `k`, `m`, `g`, `t` alone and with `iB` are powers of 1,024; with `B` (`kB`, `MB`) powers of 1,000, in any case.
package struct ByteCount: Hashable, Sendable, CustomStringConvertible {
    package var bytes: Int

    package init(_ bytes: Int) { self.bytes = bytes }

    /// Nil unless `text` is a number that is not negative, with a unit or none, and below 2^62 bytes.
    package init?(text: String) {
        let lowered = text.lowercased()
        let digits = lowered.prefix { $0.isNumber || $0 == "." }
        guard let number = Double(digits), let factor = Self.factor(lowered.dropFirst(digits.count)) else { return nil }
        let bytes = number * Double(factor)
        guard bytes >= 0, bytes < Double(1 << 62) else { return nil }
        self.init(Int(bytes))
    }

    private static func factor(_ unit: Substring) -> Int? {
        switch unit.drop(while: { $0 == " " }) {
        case "", "b": 1
        case "k", "kib": 1 << 10
        case "m", "mib": 1 << 20
        case "g", "gib": 1 << 30
        case "t", "tib": 1 << 40
        case "kb": 1_000
        case "mb": 1_000_000
        case "gb": 1_000_000_000
        case "tb": 1_000_000_000_000
        default: nil
        }
    }

    /// The largest binary unit that divides the number: `64 MiB`, `1536 KiB`, `1000 B`.
    package var description: String {
        for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")]
        where bytes >= 1 << shift && bytes & (1 << shift - 1) == 0 {
            return "\(bytes >> shift) \(unit)"
        }
        return "\(bytes) B"
    }
}

/// A span of time as people write it: `30s`, `2m`, `500ms`, `1h`; seconds when no unit is given.
package struct TimeSpan: Hashable, Sendable, CustomStringConvertible {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static func seconds(_ seconds: UInt64) -> Self { Self(nanoseconds: seconds * 1_000_000_000) }

    /// Nil unless `text` is a number that is not negative with a unit or none, and below a year.
    package init?(text: String) {
        let digits = text.prefix { $0.isNumber || $0 == "." }
        guard let number = Double(digits), let factor = Self.factor(text.dropFirst(digits.count)) else { return nil }
        let nanoseconds = number * factor
        guard nanoseconds >= 0, nanoseconds < 366 * 86_400e9 else { return nil }
        self.init(nanoseconds: UInt64(nanoseconds))
    }

    private static func factor(_ unit: Substring) -> Double? {
        switch unit {
        case "ms": 1e6
        case "", "s": 1e9
        case "m": 60e9
        case "h": 3_600e9
        default: nil
        }
    }

    package var seconds: Double { Double(nanoseconds) / 1e9 }
    package var description: String { "\(seconds)s" }
}
