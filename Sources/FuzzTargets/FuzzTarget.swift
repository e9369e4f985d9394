/// One decoder, or a family of them, and what must hold of it whatever bytes it is given.
///
/// The same body runs under libFuzzer (`make fuzz`) and, over the kept inputs, in `make test`. Checksums would stop
/// every mutated input at the door: bodies put right ones in before they decode, so that what lies behind is reached.
package struct FuzzTarget: Sendable {
    /// Also the name of its folder in `Tests/Corpora`.
    package let name: String
    /// Bytes of an input at most: longer ones find nothing more, and slower.
    package let maximumLength: Int
    /// Real encodings to begin from. Each of them is decoded.
    package let seeds: @Sendable () async throws -> [[UInt8]]
    /// Returns whether anything was decoded; throws a `FuzzFinding` when a promise is broken.
    package let run: @Sendable ([UInt8]) async throws -> Bool

    init(
        _ name: String,
        maximumLength: Int,
        seeds: @escaping @Sendable () async throws -> [[UInt8]],
        run: @escaping @Sendable ([UInt8]) async throws -> Bool
    ) {
        self.name = name
        self.maximumLength = maximumLength
        self.seeds = seeds
        self.run = run
    }

    package static let all: [FuzzTarget] =
        diskTargets + journalTargets + [keeperLog] + messageTargets + clusterTargets + metadataTargets + frameTargets
        + bodyTargets + requestTargets

    package static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// A broken promise.
package struct FuzzFinding: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

func require(_ condition: Bool, _ promise: @autoclosure () -> String) throws(FuzzFinding) {
    guard condition else { throw FuzzFinding(promise()) }
}

/// Decodes, encodes, decodes again and encodes again: both values and both encodings must be the same.
func roundTrip<Value: Equatable>(
    _ value: Value,
    _ what: String,
    encode: (Value) throws -> [UInt8],
    decode: ([UInt8]) throws -> Value
) throws {
    let bytes = try encode(value)
    let again: Value
    do {
        again = try decode(bytes)
    } catch {
        throw FuzzFinding("\(what): what was encoded cannot be decoded: \(error)")
    }
    try require(again == value, "\(what): another value comes back")
    try require(try encode(again) == bytes, "\(what): the same value is encoded in two ways")
}
