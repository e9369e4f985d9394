import ArgumentParser

/// What the options that bound how fast something is moved have in common: they are MiB a second.
enum RateOption {
    /// MiB a second at most: far beyond any disk, and far from what overflows.
    static let limit = 1 << 20

    static func check(_ rate: Int?, _ option: String = "--rate", from least: Int = 1) throws {
        guard rate.map({ least...limit ~= $0 }) ?? true else {
            throw ValidationError("\(option): give \(least) to \(limit)")
        }
    }

    /// Bytes a second.
    static func bytes(_ rate: Int?) -> Int? { rate.map { $0 << 20 } }
}
