import ObjectModel
import ShardStorage
import TestKit
import Testing

/// One thing done to an index. Ids are small numbers, so that they meet.
private enum IndexStep: CustomStringConvertible {
    /// As a disk does that is filled: ids that rise, several shards of a blob now and then.
    case fill(from: Int, count: Int, every: Int)
    /// Changes in one call; several may concern one shard.
    case change([(id: Int, isInsert: Bool)])
    case removeAll(from: Int, count: Int)
    case page(after: Int?, limit: Int)
    /// The index is lost, as in a dirty reboot, and made anew from records in any order, replaced and erased ones too.
    case rebuild(seed: UInt64)

    var description: String {
        switch self {
        case .fill(let first, let count, let every): "fill \(first)+\(count) every \(every)"
        case .change(let changes): "change \(changes.map { ($0.isInsert ? "+" : "-") + String($0.id) })"
        case .removeAll(let first, let count): "remove \(first)+\(count)"
        case .page(let id, let limit): "page \(limit) after \(id.map(String.init) ?? "none")"
        case .rebuild(let seed): "rebuild \(seed)"
        }
    }

    /// More than several runs of an index in memory.
    static let ids = 3_000

    static func random(using generator: inout SplitMix64) -> Self {
        let id = Int.random(in: 0..<ids, using: &generator)
        let count = Int.random(in: 1...400, using: &generator)
        switch Int.random(in: 0..<20, using: &generator) {
        case 0...4: return .fill(from: id, count: count, every: Int.random(in: 1...3, using: &generator))
        case 5...9:
            let near = (0..<Int.random(in: 1...12, using: &generator)).map { _ in
                (id: id + Int.random(in: 0..<6, using: &generator), isInsert: Bool.random(using: &generator))
            }
            return .change(near)
        case 10...12: return .removeAll(from: id, count: count)
        case 13: return .rebuild(seed: generator.next())
        default: return .page(after: id % 5 == 0 ? nil : id, limit: count % 7 == 0 ? 0 : count)
        }
    }
}

/// The index beside a dictionary of what it was told.
private struct IndexModel {
    struct Difference: Error, CustomStringConvertible {
        var description: String
    }

    private var index: any ShardIndex
    private let make: () -> any ShardIndex
    private var expected: [ShardID: IndexEntry] = [:]
    private var sequence: UInt64 = 0

    init(_ make: @escaping () -> any ShardIndex) {
        self.make = make
        index = make()
    }

    /// Two shards in a row belong to one blob.
    private static func shard(_ id: Int) -> ShardID {
        ShardID(blob: BlobID(incarnation: 1, lease: UInt32(id / 1_000), sequence: UInt64(id / 2)), index: UInt8(id % 2))
    }

    /// No two are alike.
    private mutating func entry(_ id: Int) -> IndexEntry {
        sequence += 1
        let number = Int(sequence)
        return IndexEntry(
            shard: Self.shard(id),
            writeStamp: sequence &* 7,
            sequence: sequence,
            segment: sequence % 40,
            offset: number * 64,
            headerLength: 4_096 + number % 100,
            bodyLength: number * 3,
            bodyCapacity: number * 3 + 1,
            trailerCapacity: number + 2
        )
    }

    mutating func run(_ steps: [IndexStep]) throws {
        for step in steps {
            try take(step)
            try check(index.count == expected.count, "\(index.count) entries, not \(expected.count)")
        }
        for id in 0..<IndexStep.ids + 1_300 { try checkLookup(Self.shard(id)) }
        try checkPage(after: nil, limit: .max)
    }

    private mutating func take(_ step: IndexStep) throws {
        switch step {
        case .fill(let first, let count, let every):
            apply((0..<count).map { .insert(entry(first + $0 * every)) })
        case .change(let changes):
            apply(changes.map { $0.isInsert ? .insert(entry($0.id)) : .remove(Self.shard($0.id)) })
            for change in changes { try checkLookup(Self.shard(change.id)) }
        case .removeAll(let first, let count):
            apply((first..<first + count).map { .remove(Self.shard($0)) })
        case .page(let id, let limit):
            try checkPage(after: id.map(Self.shard), limit: limit)
        case .rebuild(let seed):
            rebuild(seed)
        }
    }

    private mutating func apply(_ changes: [IndexChange]) {
        index.apply(changes)
        for change in changes {
            switch change {
            case .insert(let entry): expected[entry.shard] = entry
            case .remove(let shard): expected[shard] = nil
            }
        }
    }

    private mutating func rebuild(_ seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        index = make()
        for entry in expected.values.sorted(by: { $0.shard < $1.shard }).shuffled(using: &generator) {
            var older = entry
            older.segment += 1
            let erased = Self.shard(Int.random(in: 0..<IndexStep.ids, using: &generator))
            index.apply([.insert(older), .insert(entry)])
            if expected[erased] == nil {
                older.shard = erased
                index.apply([.insert(older)])
                index.apply([.remove(erased)])
            }
        }
    }

    // MARK: What it says

    private func check(_ holds: Bool, _ text: @autoclosure () -> String) throws {
        if !holds { throw Difference(description: text()) }
    }

    private func checkLookup(_ shard: ShardID) throws {
        let found = index.lookup(shard)
        try check(
            found == expected[shard],
            "\(shard) is \(String(describing: found)), not \(String(describing: expected[shard]))"
        )
    }

    private func checkPage(after shard: ShardID?, limit: Int) throws {
        let behind = expected.values.filter { entry in shard.map { entry.shard > $0 } ?? true }
        let page = Array(behind.sorted { $0.shard < $1.shard }.prefix(limit))
        let found = index.entries(after: shard, limit: limit)
        try check(
            found == page,
            "\(found.count) entries after \(String(describing: shard)), not \(page.count), or others"
        )
    }
}

@Suite("The shard index against a dictionary")
struct IndexModelTests {
    @Test("lookups, pages and counts agree, whatever was put in, taken out and made anew", arguments: 1...40)
    func agrees(seed: Int) async throws {
        var generator = SplitMix64(seed: UInt64(seed))
        let steps = (0..<120).map { _ in IndexStep.random(using: &generator) }
        try await Shrinking.check(steps) { steps in
            var model = IndexModel { MemoryShardIndex() }
            try model.run(steps)
        }
    }
}
