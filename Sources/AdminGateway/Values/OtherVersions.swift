// A command of one version and a store of another: what the other does not say has a value all the same, and what it
// says beyond this version's words is told as the nearest of these. A field that is added to an answer is `@Added`, or
// optional; so is the older store understood by the newer command.

/// A field of an answer that an earlier version does not give.
package protocol AddedField: Codable {
    associatedtype Value
    init(wrappedValue: Value)
    /// What is supposed where it is not given.
    static var unsaid: Value { get }
}

/// One of which nothing is supposed: 0, false, empty.
@propertyWrapper
package struct Added<Value: Unsayable>: AddedField, Hashable {
    package var wrappedValue: Value
    package init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
    package static var unsaid: Value { .unsaid }

    package init(from decoder: any Decoder) throws { wrappedValue = try Value(from: decoder) }
    package func encode(to encoder: any Encoder) throws { try wrappedValue.encode(to: encoder) }
}

extension Added: Sendable where Value: Sendable {}

/// One that is supposed to be true.
@propertyWrapper
package struct AddedAsTrue: AddedField, Hashable, Sendable {
    package var wrappedValue: Bool
    package init(wrappedValue: Bool) { self.wrappedValue = wrappedValue }
    package static var unsaid: Bool { true }

    package init(from decoder: any Decoder) throws { wrappedValue = try Bool(from: decoder) }
    package func encode(to encoder: any Encoder) throws { try wrappedValue.encode(to: encoder) }
}

extension KeyedDecodingContainer {
    /// What the compiler's own decoding calls for such a field.
    package func decode<Field: AddedField>(_ type: Field.Type, forKey key: Key) throws -> Field {
        try decodeIfPresent(type, forKey: key) ?? Field(wrappedValue: Field.unsaid)
    }
}

/// What may be the value of an `Added` field.
package protocol Unsayable: Codable, Hashable {
    static var unsaid: Self { get }
}

extension Int: Unsayable { package static var unsaid: Int { 0 } }
extension Bool: Unsayable { package static var unsaid: Bool { false } }
extension String: Unsayable { package static var unsaid: String { "" } }
extension Array: Unsayable where Element: Codable & Hashable { package static var unsaid: Self { [] } }
extension Dictionary: Unsayable where Key: Codable, Value: Codable & Hashable {
    package static var unsaid: Self { [:] }
}
extension ScrubReport: Unsayable { package static var unsaid: Self { Self() } }

/// A word that a later version may have more of.
package protocol ReportedCase: RawRepresentable, Codable where RawValue == String {
    /// What is taken for a word that is not known: the one that asks for a look, and for nothing that could cost data.
    static var unknown: Self { get }
}

extension ReportedCase {
    package init(from decoder: any Decoder) throws {
        self = Self(rawValue: try decoder.singleValueContainer().decode(String.self)) ?? .unknown
    }
}

extension DiskState: ReportedCase { package static var unknown: Self { .suspect } }
extension NodeState: ReportedCase { package static var unknown: Self { .suspect } }
extension UnusedDiskReport.Kind: ReportedCase { package static var unknown: Self { .unusable } }
extension KeeperReport.State: ReportedCase { package static var unknown: Self { .behind } }
extension RoomReport.State: ReportedCase { package static var unknown: Self { .nearlyFull } }
extension TroubleReport.Work: ReportedCase { package static var unknown: Self { .other } }
extension OutcomeReport.Writes: ReportedCase { package static var unknown: Self { .degraded } }
extension AdminError.Code: ReportedCase { package static var unknown: Self { .failed } }
