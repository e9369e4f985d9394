import BlobStorage
import ClusterProtocol
import Coordination
import LinuxSystem
import ObjectModel
import ObjectStorage
import Placement
import Synchronization
import SystemInterface
import TestKit
import Testing

/// A node follows the coordinator of the highest incarnation, and keeps what that one says.
@Suite("A node's link to its coordinator")
struct GatewayFeedTests {
    private static let scheme = Scheme(name: "rs-2-1")
    private static let disks = (1...3).map { DiskID(Identifier128(high: 5, low: $0)) }
    private static let lease = WriteLease(incarnation: 5, number: 1)
    private static let holder = NodeName("node-2")

    /// A coordinator that answers what a test wants, and the node's view of it.
    private final class Script: Transport, AddressBook {
        private struct State {
            var answer: ClusterState?
            /// As one of the version before does, which does not read it.
            var refusesProcess = false
            var beats: [NodeBeat] = []
            var addresses: [String: String] = [:]
        }

        private let state = Mutex(State())
        var beats: [NodeBeat] { state.withLock { $0.beats } }
        var addresses: [String: String] { state.withLock { $0.addresses } }

        /// What beats are answered with; nil is a coordinator that cannot be reached.
        func answer(_ state: ClusterState?) { self.state.withLock { $0.answer = state } }

        func refuseProcess(_ refuses: Bool) { state.withLock { $0.refusesProcess = refuses } }

        func setAddress(_ node: String, host: String, port: Int) {
            state.withLock { $0.addresses[node] = "\(host):\(port)" }
        }

        func call(
            _ node: String,
            _ message: TransportMessage,
            timeout: Duration
        ) async throws(TransportError) -> TransportMessage {
            let (answer, isRefused) = state.withLock { state in
                guard case .beat(let beat)? = try? CoordinatorCall(decoding: message.header) else {
                    return (state.answer, false)
                }
                state.beats.append(beat)
                return (state.answer, state.refusesProcess && beat.process != nil)
            }
            guard !isRefused else {
                return TransportMessage(header: CoordinatorResponse.refused("not known here").encoded)
            }
            guard let answer else { throw .unreachable(node: node) }
            return TransportMessage(header: CoordinatorResponse.state(answer).encoded)
        }
    }

    private let script = Script()
    private let view = ClusterView()
    private let told = ClusterHarness.Told()
    private let feed: GatewayFeed

    init() { feed = Self.feed(script, view, told, LinuxTime()) }

    private static func feed(
        _ script: Script,
        _ view: ClusterView,
        _ told: ClusterHarness.Told,
        _ time: any TimeSource,
        process: UInt64? = nil
    ) -> GatewayFeed {
        GatewayFeed(
            address: NodeAddress(name: NodeName("node-1"), site: SiteName("s"), host: "10.0.0.1", port: 1),
            process: process,
            transport: script,
            addresses: script,
            view: view,
            readers: BlobReaders(),
            time: time,
            handlers: GatewayFeed.Handlers(
                credentials: { entries in told.credentials.withLock { $0.append(entries) } },
                follow: { host, port in told.follow.withLock { $0.append("\(host):\(port)") } }
            )
        )
    }

    /// What a coordinator of that incarnation says, with a map of as many disks as `disks`.
    private static func state(_ incarnation: UInt32, disks count: Int, key: String) throws -> ClusterState {
        let nodes = (1...3).map {
            NodeAddress(name: NodeName("node-\($0)"), site: SiteName("s"), host: "10.0.0.\($0)", port: $0)
        }
        let group = MapUpdate.Group(id: GroupID(1), epoch: 1, scheme: try #require(scheme), members: disks)
        return ClusterState(
            incarnation: incarnation,
            region: "eu",
            map: MapUpdate(
                version: UInt64(count),
                nodes: nodes,
                disks: zip(disks, nodes).prefix(count).map { MapUpdate.Disk(id: $0, site: $1.site, node: $1.name) },
                groups: count == 3 ? [group] : []
            ),
            credentials: CredentialsUpdate(
                version: 7,
                entries: [.init(user: "u", displayName: "d", accessKey: key, secretKey: "s")]
            ),
            conditions: [
                DiskFitness(disk: disks[0], isUsable: true, room: 9),
                DiskFitness(disk: disks[2], isUsable: true, hangs: true, room: 0),
            ],
            leases: [HeldLease(lease: lease, holder: holder)]
        )
    }

    @Test("a beat brings the map, the keys, how disks do, and who holds which lease")
    func beat() async throws {
        #expect(feed.region == nil)
        await feed.beat()
        #expect(feed.region == nil, "nobody has answered")
        script.answer(try Self.state(5, disks: 3, key: "A"))
        await feed.beat()
        #expect(feed.region == "eu")
        #expect(view.map.disks.count == 3 && view.map.groups.count == 1)
        #expect(view.isUsable(Self.disks[0]) && !view.isUsable(Self.disks[1]))
        #expect(view.isUsable(Self.disks[2]) && !view.takesShards(Self.disks[2]), "it is read and not written")
        #expect(told.credentials.withLock { $0.map { $0.map(\.accessKey) } } == [["A"]])
        #expect(script.addresses == ["node-2": "10.0.0.2:2", "node-3": "10.0.0.3:3"], "not its own")
        #expect(feed.knownHolder(of: Self.lease) == Self.holder)
        await feed.beat()
        let beats = script.beats
        #expect(beats.map(\.incarnation) == [0, 0, 5])
        #expect(beats.map(\.mapVersion) == [0, 0, 3])
        #expect(beats.map(\.credentialsVersion) == [0, 0, 7])
    }

    @Test("a coordinator that has not answered for 10 s is missed, and one that answers again is not")
    func silence() async throws {
        let time = ManualTime()
        let feed = Self.feed(script, view, told, time)
        #expect(feed.problem == "the node does not know the cluster's map yet")
        script.answer(try Self.state(5, disks: 3, key: "A"))
        await feed.beat()
        script.answer(nil)
        time.advance(by: .milliseconds(9_999))
        await feed.beat()
        #expect(feed.problem == nil && feed.silence == .milliseconds(9_999))
        time.advance(by: .milliseconds(1))
        #expect(feed.problem == "the coordinator has not answered for 10 s")
        // One that starts answers beats, and serves nobody.
        var starting = try Self.state(5, disks: 3, key: "A")
        starting.incarnation = 0
        script.answer(starting)
        await feed.beat()
        #expect(feed.problem != nil)
        script.answer(try Self.state(5, disks: 3, key: "A"))
        await feed.beat()
        #expect(feed.problem == nil && feed.silence == .zero)
    }

    @Test("a beat says which process it is of, to a coordinator that reads it, and loses nothing to one that does not")
    func process() async throws {
        let feed = Self.feed(script, view, told, LinuxTime(), process: 7)
        script.answer(try Self.state(5, disks: 3, key: "A"))
        script.refuseProcess(true)
        let shard = ShardID(blob: BlobID(incarnation: 1, lease: 2, sequence: 3), index: 0)
        feed.suspect(shard)
        for _ in 0..<3 { await feed.beat() }
        // A first answer may be of one of a later version: it is tried once more.
        #expect(script.beats.map(\.process) == [7, nil, 7])
        #expect(script.beats[1].suspects == [shard])
        for _ in 0..<3 { await feed.beat() }
        #expect(script.beats.suffix(3).map(\.process) == [nil, nil, nil])
        #expect(feed.region == "eu")
        script.refuseProcess(false)
        script.answer(try Self.state(6, disks: 3, key: "A"))
        for _ in 0..<2 { await feed.beat() }
        #expect(script.beats.suffix(2).map(\.process) == [nil, 7])
    }

    @Test("half of what is needed is not enough to serve")
    func half() async throws {
        var state = try Self.state(5, disks: 3, key: "A")
        state.credentials = nil
        script.answer(state)
        await feed.beat()
        #expect(feed.region == nil)
        // A coordinator that starts.
        state.incarnation = 0
        state.map = nil
        script.answer(state)
        await feed.beat()
        #expect(feed.region == nil && script.beats.last?.incarnation == 5)
    }

    @Test("an older incarnation is not followed, neither in its answers nor in its calls")
    func older() async throws {
        script.answer(try Self.state(5, disks: 3, key: "A"))
        await feed.beat()
        var old = try Self.state(4, disks: 2, key: "OLD")
        old.leases = []
        script.answer(old)
        await feed.beat()
        #expect(view.map.disks.count == 3)
        #expect(told.credentials.withLock { $0.count } == 1)
        #expect(feed.knownHolder(of: Self.lease) == Self.holder)
        let follow = GatewayCall.follow(incarnation: 4, host: "10.9.9.9", port: 9)
        guard case .refused = await feed.answer(follow.encoded) else {
            Issue.record("an older coordinator is followed")
            return
        }
        #expect(told.follow.withLock { $0.isEmpty })
        #expect(script.addresses[CoordinatorName.name] == nil)
    }

    @Test("a newer incarnation is followed, and everything is asked for anew")
    func newer() async throws {
        script.answer(try Self.state(5, disks: 3, key: "A"))
        await feed.beat()
        let follow = GatewayCall.follow(incarnation: 6, host: "10.9.9.9", port: 9)
        guard case .nodes(let nodes) = await feed.answer(follow.encoded) else {
            Issue.record("a newer coordinator is refused")
            return
        }
        #expect(nodes.map(\.name.name) == ["node-1", "node-2", "node-3"])
        #expect(told.follow.withLock { $0 } == ["10.9.9.9:9"])
        #expect(script.addresses[CoordinatorName.name] == "10.9.9.9:9")
        #expect(feed.knownHolder(of: Self.lease) == nil, "its leases have ended")
        await feed.beat()
        #expect(script.beats.last?.incarnation == 6 && script.beats.last?.mapVersion == 0)
        #expect(script.beats.last?.credentialsVersion == 0)
        #expect(feed.knownHolder(of: Self.lease) == nil, "what incarnation 5 says no longer counts")
        script.answer(try Self.state(6, disks: 2, key: "B"))
        await feed.beat()
        #expect(view.map.disks.count == 2)
        #expect(told.credentials.withLock { $0.last?.map(\.accessKey) } == ["B"])
    }

    @Test("a node that follows knows the disks' condition before the coordinator has its answer")
    func followed() async throws {
        var state = try Self.state(5, disks: 3, key: "A")
        state.conditions = [DiskFitness(disk: Self.disks[0], isUsable: true, hangs: false, room: 1 << 40)]
        script.answer(state)
        await feed.beat()
        #expect(view.isUsable(Self.disks[0]))
        state.incarnation = 6
        state.conditions[0].isUsable = false
        script.answer(state)
        _ = await feed.answer(GatewayCall.follow(incarnation: 6, host: "10.9.9.9", port: 9).encoded)
        #expect(!view.isUsable(Self.disks[0]))
        let beats = script.beats.count
        // Said again, it is no news.
        _ = await feed.answer(GatewayCall.follow(incarnation: 6, host: "10.9.9.9", port: 9).encoded)
        #expect(script.beats.count == beats)
    }

    @Test("leases that could not be read leave the list as it was, and a newer coordinator ends it")
    func leases() async throws {
        var state = try Self.state(5, disks: 3, key: "A")
        script.answer(state)
        await feed.beat()
        state.leases = nil
        script.answer(state)
        await feed.beat()
        #expect(feed.knownHolder(of: Self.lease) == Self.holder)
        state.leases = []
        script.answer(state)
        await feed.beat()
        #expect(feed.knownHolder(of: Self.lease) == nil)
        script.answer(try Self.state(5, disks: 3, key: "A"))
        await feed.beat()
        state.incarnation = 6
        state.leases = nil
        script.answer(state)
        await feed.beat()
        #expect(feed.knownHolder(of: Self.lease) == nil)
    }

    @Test("a lease that is not known is asked for, by one beat for all who wait, and not for the known")
    func asking() async throws {
        script.answer(try Self.state(5, disks: 3, key: "A"))
        let feed = feed
        await withTaskGroup(of: NodeName?.self) { group in
            for _ in 0..<200 { group.addTask { await feed.holder(of: Self.lease) } }
            for await holder in group { #expect(holder == Self.holder) }
        }
        #expect(script.beats.count < 20)
        let count = script.beats.count
        #expect(await feed.holder(of: Self.lease) == Self.holder)
        #expect(script.beats.count == count)
        #expect(await feed.holder(of: WriteLease(incarnation: 5, number: 2)) == nil)
        #expect(script.beats.count == count + 1)
    }

    @Test("callers that give up take the answer from nobody")
    func cancelled() async throws {
        script.answer(try Self.state(5, disks: 3, key: "A"))
        let feed = feed
        await feed.beat()
        let other = WriteLease(incarnation: 5, number: 2)
        var state = try Self.state(5, disks: 3, key: "A")
        state.leases?.append(HeldLease(lease: other, holder: Self.holder))
        script.answer(state)
        let task = Task { await feed.holder(of: other) }
        task.cancel()
        #expect(await feed.holder(of: other) == Self.holder)
        #expect(await task.value == Self.holder)
    }
}
