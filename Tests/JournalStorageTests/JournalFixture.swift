import Coordination
import DiskFormat
import JournalStorage
import LinuxSystem
import ObjectModel
import Synchronization
import SystemInterface
import TestKit

/// Several keepers and the coordinators that use them one after another.
final class JournalFixture: Sendable {
    let keepers: [TestKeeper]
    /// Short enough for tests, long enough for a busy machine.
    static let configuration = JournalConfiguration(confirmation: .milliseconds(40), patience: .milliseconds(1_500))

    init(_ count: Int) async throws {
        keepers = (1...UInt64(count)).map { TestKeeper(number: $0) }
        for keeper in keepers { try await keeper.open() }
    }

    var ids: [DiskID] { keepers.map(\.keeper) }

    /// Starts a journal on the keepers; `replayed` gets the records it hands over. `incarnation`: the highest that the
    /// coordinator has drawn itself, where there may be others.
    func start(
        _ clients: [any KeeperClient]? = nil,
        founding: [DiskID]? = nil,
        database: JournalPosition = .origin,
        own incarnation: UInt32? = nil,
        isForced: Bool = false,
        configuration: JournalConfiguration = JournalFixture.configuration,
        time: any TimeSource = LinuxTime(),
        random: any RandomSource = SeededRandom(seed: 5),
        replayed: Replayed = Replayed()
    ) async throws(JournalError) -> Journal {
        var opening = JournalOpening(
            clients: clients ?? keepers,
            founding: founding ?? ids,
            database: database,
            isForced: isForced
        )
        opening.ownIncarnation = incarnation
        return try await Journal.start(
            opening,
            configuration: configuration,
            time: time,
            random: random
        ) { records in
            replayed.add(records)
        }
    }

    /// Starts a journal, runs it beside `body`, and ends it.
    func withJournal(
        _ clients: [any KeeperClient]? = nil,
        database: JournalPosition = .origin,
        isForced: Bool = false,
        configuration: JournalConfiguration = JournalFixture.configuration,
        replayed: Replayed = Replayed(),
        _ body: (Journal) async throws -> Void
    ) async throws {
        let journal = try await start(
            clients,
            database: database,
            isForced: isForced,
            configuration: configuration,
            replayed: replayed
        )
        try await run(journal, body)
    }

    func run(_ journal: Journal, _ body: (Journal) async throws -> Void) async throws {
        let task = Task { await journal.run() }
        do {
            try await body(journal)
        } catch {
            task.cancel()
            await task.value
            throw error
        }
        task.cancel()
        await task.value
    }
}

/// The records a start handed over.
final class Replayed: Sendable {
    private let list = Mutex<[JournalRecord]>([])
    var records: [JournalRecord] { list.withLock { $0 } }
    func add(_ records: [JournalRecord]) { list.withLock { $0 += records } }
}

extension Journal {
    /// Appends `count` records one after another and returns them.
    @discardableResult
    func appendNext(_ count: Int = 1, length: Int = 40) async throws -> [JournalRecord] {
        let next = last.sequence + 1
        let batch = (next..<next + UInt64(count)).map { record(incarnation, $0, length: length) }
        try await append(batch)
        return batch
    }
}

/// The real time, but for jumps that a test makes.
final class JumpingTime: TimeSource {
    private let real = LinuxTime()
    private let offset = Mutex(Duration.zero)

    var monotonic: MonotonicTime { real.monotonic.advanced(by: offset.withLock { $0 }) }
    var wall: WallTime { real.wall }
    func jump(_ duration: Duration) { offset.withLock { $0 += duration } }
    func sleep(for duration: Duration) async throws { try await real.sleep(for: duration) }
}

/// Waits until `condition` holds, two minutes at most; false when it never does.
func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<24_000 {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(5))
    }
    return false
}
