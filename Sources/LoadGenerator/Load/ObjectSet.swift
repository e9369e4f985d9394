import Synchronization

/// The objects of a run: their keys, what is in them, and how many numbers have been given out.
final class ObjectSet: Sendable {
    private let prefix: String
    private let isCompressible: Bool
    private let next: Atomic<Int>

    init(prefix: String, isCompressible: Bool, existing: Int) {
        self.prefix = RequestSigner.percentEncoded(prefix, keepingSlash: true)
        self.isCompressible = isCompressible
        next = Atomic(existing)
    }

    /// A number that no other object has.
    func newNumber() -> Int { next.wrappingAdd(1, ordering: .relaxed).oldValue }

    /// Keeps numbers below `count` from being given out.
    func reserve(_ count: Int) { next.max(count, ordering: .relaxed) }

    /// The number behind the last one given out.
    var count: Int { next.load(ordering: .relaxed) }

    /// Percent-encoded.
    func key(_ number: Int) -> String {
        let digits = String(number)
        return prefix + String(repeating: "0", count: max(0, 8 - digits.utf8.count)) + digits
    }

    func content(_ number: Int) -> ContentPattern {
        ContentPattern(key: key(number).utf8, isCompressible: isCompressible)
    }
}
