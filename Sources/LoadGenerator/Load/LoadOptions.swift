/// What the load does, over and over.
package enum Work: String, Hashable, Sendable, CaseIterable {
    case put, get, range, list, delete, head, mixed, multipart
}

/// When the measured part ends.
package enum LoadLimit: Hashable, Sendable {
    case duration(TimeSpan)
    /// Operations; whole objects for `multipart`.
    case count(Int)
}

/// The shares of the mixed work, in any unit.
package struct Mix: Hashable, Sendable {
    package var get = 60
    package var put = 20
    package var head = 15
    package var delete = 5

    package init() {}

    /// Reads `get=60,put=20,head=15,delete=5`; what is not named is 0. Nil when malformed or all are 0.
    package init?(text: String) {
        (get, put, head, delete) = (0, 0, 0, 0)
        for item in text.split(separator: ",") {
            let parts = item.split(separator: "=")
            guard parts.count == 2, let share = Int(parts[1]), (0...1_000_000).contains(share) else { return nil }
            switch parts[0] {
            case "get": get = share
            case "put": put = share
            case "head": head = share
            case "delete": delete = share
            default: return nil
            }
        }
        guard total > 0 else { return nil }
    }

    var total: Int { self.get + put + head + delete }

    /// The operation of a number in `0..<total`.
    func operation(_ number: Int) -> Operation {
        if number < get { return .get }
        if number < get + put { return .put }
        return number < get + put + head ? .head : .delete
    }
}

/// Everything that describes one run.
package struct LoadOptions: Hashable, Sendable {
    package var work: Work
    package var endpoint: Endpoint
    package var credentials: Credentials
    package var bucket = "cairn-bench"
    /// Put before the eight digits of each object's number; may hold any characters.
    package var prefix = "bench/"
    /// Bytes of an object.
    package var size = 1 << 20
    /// Bytes of a range, and what its offsets are multiples of.
    package var rangeSize = 256 << 10
    /// Bytes of a part.
    package var partSize = 16 << 20
    /// Connections, each with a thread of its own.
    package var concurrency = 4
    package var limit = LoadLimit.duration(.seconds(10))
    /// Objects to work on, for works that read or delete; nil: as `workingSet` says.
    package var objects: Int?
    /// Whether the objects are there already, from a run with `cleanup` off.
    package var existing = false
    package var verify = false
    package var isCompressible = false
    package var warmUp = TimeSpan(nanoseconds: 0)
    package var payload = PayloadMode.unsigned
    package var cleanup = true
    /// Keys of a list page.
    package var pageSize = 1_000
    package var mix = Mix()
    package var seed: UInt64 = 1
    /// Processes that make up the server, to account for their CPU and memory.
    package var serverProcesses: [Int32] = []

    package init(work: Work, endpoint: Endpoint, credentials: Credentials) {
        self.work = work
        self.endpoint = endpoint
        self.credentials = credentials
    }

    /// Objects that are there when the measured part begins.
    package var workingSet: Int {
        switch work {
        case .put, .multipart: 0
        case .list: objects ?? 10_000
        case .delete: objects ?? countLimit ?? 2_000
        case .range: objects ?? 1
        // Half a gigabyte at most, so that a first try is quick and fits the page cache.
        case .get, .head, .mixed: objects ?? min(1_000, max(concurrency, (512 << 20) / max(1, size)))
        }
    }

    /// What is wrong with the options, in a sentence; nil when they can be run.
    package var problem: String? {
        if concurrency < 1 || concurrency > 4_096 { return "--concurrency must be 1 to 4096" }
        if case .count(let count) = limit, count < 1 { return "--count must be at least 1" }
        if let objects, objects < 1 { return "--objects must be at least 1" }
        if !(1...1_000).contains(pageSize) { return "--page-size must be 1 to 1000" }
        if work == .range, rangeSize < 1 || rangeSize > size { return "--range-size must be 1 to --size" }
        if work == .multipart, partSize < 1 || size < 1 || partCount > 10_000 {
            return "--part-size must give 1 to 10000 parts"
        }
        if work != .multipart, size > 5 << 30 { return "--size is above 5 GiB, the most one PUT takes; use multipart" }
        return nil
    }

    var partCount: Int { size / partSize + (size % partSize == 0 ? 0 : 1) }

    private var countLimit: Int? {
        if case .count(let count) = limit { return count }
        return nil
    }
}
