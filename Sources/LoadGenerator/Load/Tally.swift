/// The kinds of requests that are counted apart.
package enum Operation: String, Hashable, Sendable, CaseIterable, Codable {
    case put, get, range, list, delete, head, create, part, complete
}

/// What one kind of operation has done.
struct OperationTally: Sendable {
    var latency = LatencyHistogram()
    /// Bytes of objects that were sent or received; of the response for a list.
    var bytes = 0

    mutating func merge(_ other: Self) {
        latency.merge(other.latency)
        bytes += other.bytes
    }
}

/// What one connection, or all of them, have done.
struct Tally: Sendable {
    private(set) var operations: [Operation: OperationTally] = [:]
    private(set) var errors: [String: Int] = [:]
    /// One message for each kind of error.
    private(set) var examples: [String: String] = [:]

    mutating func record(_ operation: Operation, nanoseconds: UInt64, bytes: Int) {
        operations[operation, default: OperationTally()].latency.record(nanoseconds)
        operations[operation]?.bytes += bytes
    }

    mutating func record(_ failure: ClientFailure) {
        errors[failure.code, default: 0] += 1
        if examples[failure.code] == nil { examples[failure.code] = failure.description }
    }

    mutating func merge(_ other: Self) {
        for (operation, tally) in other.operations { operations[operation, default: OperationTally()].merge(tally) }
        for (code, count) in other.errors { errors[code, default: 0] += count }
        examples.merge(other.examples) { first, _ in first }
    }
}
