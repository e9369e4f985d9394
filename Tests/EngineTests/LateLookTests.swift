import BlobStorage
import ClusterProtocol
import Coordination
import DiskFormat
import Metadata
import ObjectModel
import Placement
import ShardStorage
import StorageNode
import Synchronization
import SystemInterface
import Testing

/// Answers of a node that come when something else has been decided of its disk.
@Suite("Late answers about disks")
struct LateLookTests {
    /// Holds the first answer until it is let go.
    private final class Gate: Sendable {
        private enum State { case open, waiting, passed }

        private let state = Mutex(State.open)

        /// True for the first who asks.
        func isFirst() -> Bool {
            state.withLock { state in
                defer { if state == .open { state = .waiting } }
                return state == .open
            }
        }

        var isWaiting: Bool { state.withLock { $0 == .waiting } }
        func letGo() { state.withLock { $0 = .passed } }
    }

    @Test("what was seen of a disk before it was taken up again does not lose it anew", .timeLimit(.minutes(10)))
    func beforeItsReturn() async throws {
        let cluster = try await ClusterHarness()
        let (node, store, gate) = (cluster.nodes[1], cluster.store, Gate())
        let disk = try #require(try await store.metadata.disks().first { $0.node == node.name }).id
        cluster.board.plug(node.name.name) { message, caller in
            let isLook = (try? NodeCall(decoding: message.header))?.request == .watch
            guard isLook, gate.isFirst() else { return await node.service.answer(message, from: caller) }
            while gate.isWaiting { try? await Task.sleep(for: .milliseconds(5)) }
            return TransportMessage(header: NodeResponse.disks([]).encoded)
        }
        async let late: Void = store.watchDisks()
        while !gate.isWaiting { try await Task.sleep(for: .milliseconds(5)) }
        try await Self.release(disk, of: node, store)
        await store.watchDisks()
        #expect(store.absentSlots.map(\.reason).count { $0.hasPrefix("its node began anew") } == 1)
        await store.takeUpReturned()
        #expect(store.absentSlots.isEmpty)
        gate.letGo()
        await late
        #expect(store.absentSlots.isEmpty)
        #expect(node.agent.service.disks.map(\.shards.identity.disk) == [disk])
        await cluster.close()
    }

    /// Found by a test that failed by chance: what was written just after the background work had ended was refused.
    @Test("a look at disks that is cancelled tells nothing of them", .timeLimit(.minutes(10)))
    func cancelled() async throws {
        let store = try await StoreHarness.open()
        let look = Task { [store = try store.store] in
            withUnsafeCurrentTask { $0?.cancel() }
            await store.watchDisks()
        }
        await look.value
        let conditions = try store.store.blobs.view.conditions
        #expect(conditions.count == 6 && conditions.values.allSatisfy(\.isUsable))
        #expect(try store.store.absentSlots.isEmpty)
        try await store.close()
    }

    /// Found by the simulator, seed 1611 of `store`: the next disk in its slot was told as away for good.
    @Test("a disk that comes back while it leaves, since it is empty, is not served", .timeLimit(.minutes(10)))
    func backWhileItLeaves() async throws {
        let cluster = try await ClusterHarness()
        let (store, gate) = (cluster.store, Gate())
        let node = ClusterHarness.Node(4, board: cluster.board)
        cluster.board.plug(node.name.name) { await node.service.answer($0, from: $1) }
        await node.feed.beat()
        let disk = try #require(try await store.addDisks(of: node.name).first).id
        try await Self.release(disk, of: node, store)
        await store.watchDisks()
        #expect(store.absentSlots.count == 1)
        cluster.board.plug(node.name.name) { message, caller in
            let request = (try? NodeCall(decoding: message.header))?.request
            if case .open? = request, gate.isFirst() {
                while gate.isWaiting { try? await Task.sleep(for: .milliseconds(5)) }
            }
            return await node.service.answer(message, from: caller)
        }
        async let back: Void = store.takeUpReturned()
        while !gate.isWaiting { try await Task.sleep(for: .milliseconds(5)) }
        _ = try await store.beginMoves(.empty([disk]))
        gate.letGo()
        await back
        await store.lookForEmptied()
        let record = try await store.metadata.disks().first { $0.id == disk }
        #expect(record?.state == .retired)
        #expect(node.agent.service.disks.isEmpty && store.absentSlots.isEmpty)
        await cluster.close()
        await node.agent.close()
    }

    private static func release(_ disk: DiskID, of node: ClusterHarness.Node, _ store: Store) async throws {
        let release = NodeCall(incarnation: store.journal.incarnation, request: .release(disk))
        _ = await node.service.answer(TransportMessage(header: release.encoded), from: .coordinator)
    }
}
