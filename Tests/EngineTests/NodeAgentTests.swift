import ClusterProtocol
import DiskFormat
import JournalStorage
import ObjectModel
import ShardStorage
import StorageNode
import Synchronization
import SystemInterface
import TestKit
import Testing

/// A node does with its slots what a coordinator may ask for, and nothing else.
@Suite("A node and its slots")
struct NodeAgentTests {
    private static let cluster = ClusterID(Identifier128(high: 1, low: 1))
    private static let disk = DiskID(Identifier128(high: 2, low: 2))
    private static let other = DiskID(Identifier128(high: 3, low: 3))

    private static func agent(
        on disks: MemoryDisk...,
        slot: String? = nil,
        time: any TimeSource = ManualTime()
    ) -> NodeAgent {
        var configuration = ShardDiskConfiguration()
        configuration.segmentLength = 8 << 20
        configuration.growthLength = 1 << 20
        configuration.reserveLength = 1 << 20
        let slots = disks.enumerated().map { number, disk in
            let name = slot ?? "disk-\(number + 1)"
            return StoreSlot(site: SiteName("s"), node: NodeName("n"), name: name) { () throws(FileError) in
                disk.mount()
            }
        }
        return NodeAgent(
            slots: slots,
            configuration: configuration,
            keeper: KeeperLog.Configuration(),
            time: time,
            random: SeededRandom(seed: 1)
        )
    }

    /// Each call to a disk takes until `end`.
    private final class Hang: Sendable {
        private let lasts = Mutex(true)
        private let isMet = Mutex(false)

        init(_ disk: MemoryDisk) {
            disk.setLatency { _, _, _ in
                self.isMet.withLock { $0 = true }
                while self.lasts.withLock({ $0 }) { try? await Task.sleep(for: .milliseconds(1)) }
            }
        }

        /// Waits for the first call that hangs.
        func met() async throws {
            while !isMet.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(1)) }
        }

        func end() { lasts.withLock { $0 = false } }
    }

    /// A clock that runs a hundred times as fast, until the task is cancelled.
    private static func run(_ time: ManualTime) -> Task<Void, Never> {
        Task {
            while (try? await Task.sleep(for: .milliseconds(1))) != nil { time.advance(by: .milliseconds(100)) }
        }
    }

    private static func ask(
        _ agent: NodeAgent,
        _ request: NodeRequest,
        incarnation: UInt32 = 1
    ) async throws -> NodeResponse {
        let message = TransportMessage(header: NodeCall(incarnation: incarnation, request: request).encoded)
        return try NodeResponse(decoding: await agent.answer(message).header)
    }

    private static func survey(_ agent: NodeAgent) async throws -> [SlotReport.Finding] {
        guard case .slots(let slots) = try await ask(agent, .survey) else { throw MessageError.invalid(field: "") }
        return slots.map(\.finding)
    }

    private static let format = NodeRequest.format(slot: "disk-1", NewDisk(cluster: cluster, disk: disk))

    @Test("an empty slot is formatted, served, watched and let go; all of it may be repeated")
    func life() async throws {
        let agent = Self.agent(on: MemoryDisk())
        #expect(try await Self.survey(agent) == [.empty])
        let expected = ExpectedDisk(cluster: Self.cluster, disk: Self.disk, wantsLog: true)
        for _ in 0..<2 {
            #expect(try await Self.ask(agent, Self.format) == .done)
            let opened = try await Self.ask(agent, .open(slot: "disk-1", expected))
            #expect(opened == .opened(OpenedDisk(hasLog: true, isUnused: true)))
        }
        guard case .disks(let disks) = try await Self.ask(agent, .watch) else { throw MessageError.invalid(field: "") }
        #expect(disks.map(\.disk) == [Self.disk])
        #expect(disks.map(\.log) == [.working])
        for _ in 0..<2 { #expect(try await Self.ask(agent, .release(Self.disk)) == .done) }
        #expect(try await Self.ask(agent, .watch) == .disks([]))
        await agent.close()
    }

    @Test("a disk says in which slot it was served last: one that an older version formatted, and one that has moved")
    func slotOnDisk() async throws {
        let disk = MemoryDisk()
        var identity = DiskIdentity(
            cluster: Self.cluster,
            disk: Self.disk,
            site: SiteName("s"),
            node: NodeName("m"),
            epoch: 1
        )
        try await ShardDisk.format(fileSystem: disk.mount(), identity: identity)
        for slot in ["disk-1", "disk-7", "disk-7"] {
            let agent = Self.agent(on: disk, slot: slot)
            _ = try await Self.ask(agent, .open(slot: slot, ExpectedDisk(cluster: Self.cluster, disk: Self.disk)))
            await agent.close()
            identity.node = NodeName("n")
            identity.slot = slot
            #expect(try await ShardDisk.readIdentity(disk.mount()) == identity)
        }
        let fresh = MemoryDisk()
        let agent = Self.agent(on: fresh)
        #expect(try await Self.ask(agent, Self.format) == .done)
        #expect(try await ShardDisk.readIdentity(fresh.mount()).slot == "disk-1")
        // A name that an identity does not take is no reason not to serve the disk.
        let long = String(repeating: "/mnt", count: 64)
        let other = Self.agent(on: fresh, slot: long)
        let opened = try await Self.ask(other, .open(slot: long, ExpectedDisk(cluster: Self.cluster, disk: Self.disk)))
        #expect(opened == .opened(OpenedDisk(hasLog: false, isUnused: true)))
        #expect(try await ShardDisk.readIdentity(fresh.mount()).slot == nil)
        await other.close()
    }

    @Test("a coordinator older than one that was heard of is refused, and one that starts may only look and serve")
    func superseded() async throws {
        let agent = Self.agent(on: MemoryDisk())
        #expect(try await Self.ask(agent, Self.format, incarnation: 0) == .done)
        #expect(try await Self.ask(agent, .watch, incarnation: 5) == .disks([]))
        #expect(try await Self.ask(agent, .watch, incarnation: 4) == .refused(.superseded(5)))
        #expect(try await Self.ask(agent, Self.format, incarnation: 0) == .refused(.superseded(5)))
        #expect(try await Self.ask(agent, .release(Self.disk), incarnation: 0) == .refused(.superseded(5)))
        guard case .slots = try await Self.ask(agent, .survey, incarnation: 0) else {
            Issue.record("a coordinator that starts may look")
            return
        }
        await agent.close()
    }

    /// Found with a disk of which each call took a minute: its node did not answer, and none of its disks was used.
    @Test("a disk that hangs keeps no other from being told, looked at or let go", .timeLimit(.minutes(10)))
    func hangs() async throws {
        let (hanging, good, time) = (MemoryDisk(device: 1), MemoryDisk(device: 2), ManualTime())
        let agent = Self.agent(on: hanging, good, time: time)
        for (slot, disk) in [("disk-1", Self.disk), ("disk-2", Self.other)] {
            _ = try await Self.ask(agent, .format(slot: slot, NewDisk(cluster: Self.cluster, disk: disk)))
            let expected = ExpectedDisk(cluster: Self.cluster, disk: disk)
            guard case .opened = try await Self.ask(agent, .open(slot: slot, expected)) else {
                Issue.record("\(slot) is not served")
                return
            }
        }
        let hangs = Hang(hanging)
        let clock = Self.run(time)
        defer { clock.cancel() }

        var told: [Bool] = []
        repeat {
            guard case .disks(let disks) = try await Self.ask(agent, .watch) else { break }
            told = disks.map(\.isInPlace)
        } while told.first == true
        #expect(told == [false, true])
        #expect(try await Self.survey(agent) == [.unusable("it does not answer"), .disk(Self.cluster, Self.other)])
        let release = Task { try await Self.ask(agent, .release(Self.disk)) }
        #expect(try await Self.ask(agent, .release(Self.other)) == .done)
        hangs.end()
        #expect(try await release.value == .done)
        await agent.close()
    }

    /// All changes of a node waited for one another: while one disk was opened, and hung, none of the others was.
    @Test("a disk that hangs while it is opened keeps only its own slot from being changed", .timeLimit(.minutes(10)))
    func hangsInOpening() async throws {
        let (hanging, good) = (MemoryDisk(device: 1), MemoryDisk(device: 2))
        let agent = Self.agent(on: hanging, good)
        #expect(try await Self.ask(agent, Self.format) == .done)
        let hangs = Hang(hanging)
        let expected = ExpectedDisk(cluster: Self.cluster, disk: Self.disk)
        let opening = Task { try await Self.ask(agent, .open(slot: "disk-1", expected)) }
        try await hangs.met()

        let format = NodeRequest.format(slot: "disk-2", NewDisk(cluster: Self.cluster, disk: Self.other))
        #expect(try await Self.ask(agent, format) == .done)
        let open = NodeRequest.open(slot: "disk-2", ExpectedDisk(cluster: Self.cluster, disk: Self.other))
        #expect(try await Self.ask(agent, open) == .opened(OpenedDisk(hasLog: false, isUnused: true)))
        #expect(try await Self.ask(agent, .release(Self.other)) == .done)

        // What is asked of the slot and of its disk waits: the disk is let go once it is open, and not before.
        let stranger = NodeRequest.format(slot: "disk-1", NewDisk(cluster: Self.cluster, disk: Self.other))
        let formatting = Task { try await Self.ask(agent, stranger) }
        let releasing = Task { try await Self.ask(agent, .release(Self.disk)) }
        try await Task.sleep(for: .milliseconds(50))
        hangs.end()
        #expect(try await opening.value == .opened(OpenedDisk(hasLog: false, isUnused: true)))
        #expect(try await releasing.value == .done)
        guard case .refused(.notEmpty) = try await formatting.value else {
            Issue.record("a slot with a disk was formatted")
            return
        }
        #expect(try await Self.ask(agent, .watch) == .disks([]))
        await agent.close()
    }

    @Test("a disk that hangs is told of at a node's start, which goes on with the others", .timeLimit(.minutes(10)))
    func hangsAtStart() async throws {
        let (hanging, time) = (MemoryDisk(), ManualTime())
        let files = hanging.mount()
        let hangs = Hang(hanging)
        defer { hangs.end() }
        let clock = Self.run(time)
        defer { clock.cancel() }
        let disk = await GivenDisk.lookPatiently("/d1", time: time) { () throws(FileError) in files }
        #expect(disk.path == "/d1" && disk.finding == .unusable("it does not answer"))
    }

    @Test("what was put in the place of a disk that hangs for good is found, however late", .timeLimit(.minutes(10)))
    func insteadOfOneThatHangs() async throws {
        let (hanging, good, time) = (MemoryDisk(device: 1), MemoryDisk(device: 2), ManualTime())
        let isReplaced = Mutex(false)
        let slot = StoreSlot(site: SiteName("s"), node: NodeName("n"), name: "disk-1") { () throws(FileError) in
            isReplaced.withLock { $0 } ? good.mount() : hanging.mount()
        }
        let agent = NodeAgent(
            slots: [slot],
            configuration: ShardDiskConfiguration(),
            keeper: KeeperLog.Configuration(),
            time: time,
            random: SeededRandom(seed: 1)
        )
        let hangs = Hang(hanging)
        defer { hangs.end() }
        let clock = Self.run(time)
        defer { clock.cancel() }

        // Several looks hang before anybody comes to change the disk.
        for minutes in [0, 1, 2, 4] {
            time.advance(by: .seconds(minutes * 60))
            #expect(try await Self.survey(agent) == [.unusable("it does not answer")])
        }
        isReplaced.withLock { $0 = true }
        clock.cancel()
        time.advance(by: .seconds(8 * 60))
        #expect(try await Self.survey(agent) == [.empty])
        await agent.close()
    }
}
