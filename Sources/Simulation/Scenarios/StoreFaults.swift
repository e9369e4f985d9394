import Synchronization
import SystemInterface
import TestKit

/// What one seed does to the store.
struct StorePlan: Sendable, CustomStringConvertible {
    /// The operation at which the power goes, and how long after it.
    var crashOperation: Int
    var crashDelay: Duration
    /// How many copies back the database falls; nil when it keeps all that was committed.
    var olderDatabase: Int?
    /// Slots whose disks are lost, and at which operation.
    var lost: Set<Int> = []
    var lossOperation: Int
    /// Slots whose disks flip bits, and at which operation.
    var flipped: Set<Int> = []
    var flipOperation: Int
    var checksRepair: Bool
    /// Slots pulled when all is whole again.
    var pulledAtLast: [Int]

    init(using generator: inout SplitMix64) {
        let limit = UInt64(StoreScenario.operationCount)
        crashOperation = 1 + Int(generator.next() % limit)
        crashDelay = .microseconds(Int(generator.next() % 6_000))
        olderDatabase = generator.next() % 2 == 0 ? nil : Int(generator.next() % 3)
        lossOperation = 1 + Int(generator.next() % limit)
        flipOperation = 1 + Int(generator.next() % limit)
        var slots = Array(0..<StoreServer.slotCount)
        slots.shuffle(using: &generator)
        // None, one lost, two lost, one lost and one flipped, one flipped, two flipped.
        let kind = generator.next() % 6
        lost = Set(slots.prefix(kind == 1 || kind == 3 ? 1 : kind == 2 ? 2 : 0))
        flipped = Set(slots.suffix(kind == 3 || kind == 4 ? 1 : kind == 5 ? 2 : 0))
        checksRepair = generator.next() % 3 == 0
        slots.shuffle(using: &generator)
        pulledAtLast = Array(slots.prefix(2)).sorted()
    }

    var description: String {
        "crash at \(crashOperation), lost \(lost.sorted()) at \(lossOperation), flipped \(flipped.sorted()) at "
            + "\(flipOperation), database \(olderDatabase.map { "\($0) back" } ?? "whole"), repair \(checksRepair)"
    }
}

/// Carries a plan out as the clients reach its operations.
final class StoreFaults: Sendable {
    /// Bits flipped on one disk: several per record, so that headers, tables, bodies and trailers are all met.
    private static let flipCount = 200
    /// Operations between two copies of the database.
    private static let copyInterval = 20

    private let plan: StorePlan
    private let server: StoreServer
    private let world: World
    private let crash = Mutex<Task<Void, Never>?>(nil)

    init(plan: StorePlan, server: StoreServer, world: World) {
        self.plan = plan
        self.server = server
        self.world = world
    }

    func reached(_ operation: Int) {
        if operation % Self.copyInterval == 1 { server.keepCopy() }
        if operation == plan.lossOperation { lose() }
        if operation == plan.flipOperation { flip() }
        guard operation == plan.crashOperation else { return }
        let task = Task { [self] in
            try? await world.time.sleep(for: plan.crashDelay)
            try? await server.crash(olderDatabase: plan.olderDatabase)
        }
        crash.withLock { $0 = task }
    }

    /// Waits until what was begun is over.
    func finish() async { await crash.withLock { $0 }?.value }

    private func lose() {
        for slot in plan.lost.sorted() {
            world.trace.record("lost \(server.disk(slot))")
            world.disk(server.disk(slot)).isGone = true
        }
    }

    private func flip() {
        for slot in plan.flipped.sorted() {
            let disk = world.disk(server.disk(slot))
            world.trace.record("flips on \(server.disk(slot))")
            for path in disk.files where path.hasPrefix("segments/") {
                for _ in 0..<Self.flipCount {
                    let offset = Int(world.random.next() % UInt64(Self.flippedLength))
                    disk.flip(path, offset: offset, mask: 1 << UInt8(world.random.next() % 8))
                }
            }
        }
    }

    /// Where in a segment bits flip: as far as a run of this length fills one.
    private static let flippedLength = 1 << 20
}
