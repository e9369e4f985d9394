import BlobStorage
import Coordination
import ObjectModel
import Placement
import Synchronization
import SystemInterface
import TestKit

/// Carries a plan's faults out as the clients reach their operations, and mends them at the end of a round.
final class StoreNemesis: Sendable {
    /// How much longer a slow disk takes.
    private static let slowness = 100
    /// What a full disk still has room for.
    private static let lastRoom = 32 << 10
    /// Operations between two copies of the database and of the disks.
    private static let copyInterval = 20
    private static let roomOfDisk = 1 << 40

    private struct State {
        /// Faults that end at an operation.
        var ends: [(operation: Int, end: @Sendable () -> Void)] = []
        /// Slots whose disk must be replaced at the end of the round.
        var replaced: Set<Int> = []
        /// A disk's journal may lack what its keeper believes to have.
        var mustReopen = false
        var images: [Int: MemoryDisk] = [:]
        var tasks: [Task<Void, Never>] = []
    }

    private let faults: [StoreFault]
    private let server: StoreServer
    private let world: World
    private let state = Mutex(State())

    init(faults: [StoreFault], server: StoreServer, world: World) {
        self.faults = faults
        self.server = server
        self.world = world
    }

    /// A client begins operation `number`.
    func reached(_ number: Int) {
        if number % Self.copyInterval == 1 { keepCopies() }
        let ended = state.withLock { state in
            let ended = state.ends.filter { $0.operation <= number }
            state.ends.removeAll { $0.operation <= number }
            return ended
        }
        for item in ended { item.end() }
        for fault in faults where fault.operation == number {
            world.trace.record("fault \(fault)")
            strike(fault.kind, at: number)
        }
    }

    /// Ends all faults, and returns the slots whose disks must be replaced.
    func mend() async -> [Int] {
        let ended = state.withLock { state in
            defer { state.ends = [] }
            return state.ends
        }
        for item in ended { item.end() }
        // Of those that have just ended, too.
        let tasks = state.withLock { state in
            defer { state.tasks = [] }
            return state.tasks
        }
        for task in tasks { await task.value }
        for slot in 0..<StoreServer.slotCount { world.disk(server.disk(slot)).clearFaults() }
        await reopen()
        return state.withLock { state in
            defer { state.replaced = [] }
            return state.replaced.sorted()
        }
    }

    /// What a journal lacks is found when its log is opened: before the next round hurts other keepers.
    private func reopen() async {
        let mustReopen = state.withLock { state in
            defer { state.mustReopen = false }
            return state.mustReopen
        }
        if mustReopen { await server.crash(losingPower: false, databaseBack: nil) }
    }

    private func keepCopies() {
        server.keepCopy()
        state.withLock { state in
            for fault in faults {
                guard case .rollBack(let slot) = fault.kind else { continue }
                state.images[slot] = world.disk(server.disk(slot)).copy()
            }
        }
    }

    /// Whose disk lied about syncs, or about writes to more than shards.
    var liars: Set<Int> {
        Set(
            faults.compactMap { fault -> Int? in
                switch fault.kind {
                case .lieAboutSync(let slot, _): slot
                case .lostWrite(let slot, _, let files), .misdirectedWrite(let slot, _, _, let files):
                    files.mustBeReopened ? slot : nil
                default: nil
                }
            }
        )
    }

    // MARK: Faults

    private func strike(_ kind: StoreFault.Kind, at number: Int) {
        switch kind {
        case .crash(let delay, let losesPower, let back):
            crash(after: delay, losingPower: losesPower, databaseBack: back)
        case .lose(let slot):
            world.disk(server.disk(slot)).isGone = true
            noteReplaced(slot)
        case .pull(let slot, let operations): pull(slot, until: number + operations)
        case .goOut(let slot, let operations):
            pull(slot, until: number + operations)
            operate { await $0.lookForAway() }
        case .retire(let slot):
            world.disk(server.disk(slot)).isGone = true
            noteReplaced(slot)
            operate { _ = try? await $0.retireDisk(inSlot: StoreServer.slotName(slot), of: StoreServer.node) }
        case .swapEmpty(let slot):
            server.useSpare(slot)
            noteReplaced(slot)
            crash(after: .zero, losingPower: false, databaseBack: nil)
        case .rollBack(let slot): rollBack(slot)
        case .rot(let slot, let bits): world.rot(server.disk(slot), bits: bits)
        case .lostWrite(let slot, let count, let files): lie(.lost, slot, files, after: count)
        case .misdirectedWrite(let slot, let count, let distance, let files):
            lie(.misdirected(by: distance), slot, files, after: count)
        case .misread(let slot, let count, let times, let kind):
            world.disk(server.disk(slot)).inject(ReadLie(kind, after: count, times: times))
        case .lieAboutSync(let slot, let operations):
            world.disk(server.disk(slot)).liesAboutSync = true
            end(at: number + operations) { [self] in
                begin { [server, world] in
                    await server.crash(losingPower: true, databaseBack: nil) {
                        world.disk(server.disk(slot)).liesAboutSync = false
                    }
                }
            }
        case .slow(let slot, let operations):
            let name = server.disk(slot)
            world.slow(name, times: Self.slowness)
            end(at: number + operations) { [world] in world.slow(name, times: 1) }
        case .full(let slot, let operations):
            let disk = world.disk(server.disk(slot))
            disk.capacity = disk.used + Self.lastRoom
            end(at: number + operations) { disk.capacity = Self.roomOfDisk }
        case .fail(let slot, let operation, let count, let times):
            world.disk(server.disk(slot)).inject(DiskFault(operation, after: count, times: times))
        case .flaky(let slot, let operations):
            server.link.disturb(slot: StoreServer.slotName(slot))
            end(at: number + operations) { [server] in server.link.calm() }
        case .maintain(let work):
            operate { [world] in await $0.maintain(work, random: world.random) }
        case .set: break
        }
    }

    private func lie(_ kind: WriteLie.Kind, _ slot: Int, _ files: LiedFiles, after count: Int) {
        world.disk(server.disk(slot)).inject(WriteLie(kind, pathPrefix: files.pathPrefix, after: count))
        if files.mustBeReopened { state.withLock { $0.mustReopen = true } }
    }

    private func pull(_ slot: Int, until operation: Int) {
        let disk = world.disk(server.disk(slot))
        disk.isGone = true
        end(at: operation) { [self] in
            // What was lost for good meanwhile, or before, does not come back.
            if !state.withLock({ $0.replaced.contains(slot) }) { disk.isGone = false }
        }
    }

    private func noteReplaced(_ slot: Int) { state.withLock { _ = $0.replaced.insert(slot) } }

    private func end(at operation: Int, _ end: @escaping @Sendable () -> Void) {
        state.withLock { $0.ends.append((operation, end)) }
    }

    private func crash(after delay: Duration, losingPower: Bool, databaseBack: Int?) {
        begin { [server, world] in
            try? await world.time.sleep(for: delay)
            await server.crash(losingPower: losingPower, databaseBack: databaseBack)
        }
    }

    private func rollBack(_ slot: Int) {
        guard let image = state.withLock({ $0.images.removeValue(forKey: slot) }) else { return }
        begin { [server, world] in
            await server.crash(losingPower: true, databaseBack: nil) {
                let disk = server.disk(slot)
                // What was pulled or lost meanwhile stays away, and what stood in the slot before is not this disk.
                guard !world.disk(disk).isGone, disk == StoreServer.diskName(slot, 0) else { return }
                image.isGone = false
                image.capacity = Self.roomOfDisk
                image.clearFaults()
                world.setImage(disk, image)
            }
        }
    }

    /// Beside everything else, in the server's process; what fails is the store's own to try again.
    private func operate(_ work: @escaping @Sendable (Store) async -> Void) {
        begin { [server] in await server.call(work) }
    }

    private func begin(_ body: @escaping @Sendable () async -> Void) {
        let task = Task { await body() }
        state.withLock { $0.tasks.append(task) }
    }
}
