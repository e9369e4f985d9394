import BlobStorage
import ClusterProtocol
import Coordination
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import Placement
import ShardStorage
import StorageNode
import SystemInterface
import TestKit
import Testing

/// What a coordinator learns from the beats of its nodes, and what it does when they stop.
@Suite("The nodes of a cluster as their beats tell")
struct MembershipTests {
    private static func beat(
        _ node: ClusterHarness.Node,
        incarnation: UInt32 = 0,
        map: UInt64 = 0,
        credentials: UInt64 = 0
    ) -> NodeBeat {
        NodeBeat(
            address: NodeAddress(name: node.name, site: SiteName("site-1"), host: "10.0.0.9", port: 1),
            incarnation: incarnation,
            mapVersion: map,
            credentialsVersion: credentials,
            suspects: []
        )
    }

    @Test(
        "a cluster is formed of the nodes that have joined, also of those whose first beat is on its way",
        .timeLimit(.minutes(10))
    )
    func joinedAMomentAgo() async throws {
        let cluster = try await ClusterHarness()
        let line = ClusterHarness.Line(board: cluster.board, caller: .coordinator)
        // Nobody is waited for longer than that, by this clock.
        let time = ManualTime()
        time.advance(by: .seconds(1))
        let membership = Membership(
            known: [],
            region: ClusterHarness.region,
            addresses: ClusterHarness.NoAddresses(),
            transport: line,
            time: time
        ) { _ in }
        let duties = CoordinatorDuties(
            membership: membership,
            transport: line,
            host: "10.0.0.1",
            port: 7_400,
            time: time
        )
        _ = await membership.answer(Self.beat(cluster.nodes[0]), from: cluster.nodes[0].name)
        membership.expect(cluster.nodes[1].name)
        let waiting = Task {
            await duties.awaitNodes()
            return membership.nodes.map(\.name)
        }
        await time.waitForSleepers()
        _ = await membership.answer(Self.beat(cluster.nodes[1]), from: cluster.nodes[1].name)
        // Its next look finds it.
        time.advance(by: .milliseconds(200))
        #expect(await waiting.value == cluster.nodes[..<2].map(\.name))
        await cluster.close()
    }

    @Test("nodes learn of a storage class by their next beat, and of a bucket's default at once")
    func classes() async throws {
        let cluster = try await ClusterHarness()
        let scheme = try #require(Scheme(name: "rs-1-1"))
        _ = try await cluster.store.addClass(StorageClass(name: "COLD", scheme: scheme))
        let bytes = Content.random(70_000)
        // Not heard of yet: stored as if there were none.
        try await Self.put(cluster, "before/0", bytes, "COLD", at: 0)
        for node in cluster.nodes { await node.feed.beat() }
        for node in 0..<3 { try await Self.put(cluster, "after/\(node)", bytes, "COLD", at: node) }
        try await cluster.store.setBucketClass(ClusterHarness.bucket, "COLD")
        try await Self.put(cluster, "default/0", bytes, ObjectAttributes.storageClassNotSaid, at: 2)
        for (key, name) in [
            ("before/0", "rs-2-1"), ("after/0", "rs-1-1"), ("after/2", "rs-1-1"), ("default/0", "rs-1-1"),
        ] {
            let detail = try await cluster.store.metadata.version(bucket: ClusterHarness.bucket, key: key)
            let groups = try #require(detail).blobs.values.compactMap { cluster.nodes[0].view.map.groups[$0.group] }
            #expect(groups.map(\.scheme.name) == [name], "\(key)")
            #expect(try await cluster.get(key, at: 1) == bytes)
        }
        #expect(cluster.nodes[1].view.map.classes == ["COLD": scheme])
        try await cluster.store.setBucketClass(ClusterHarness.bucket, nil)
        try await cluster.store.removeClass("COLD")
        await cluster.nodes[1].feed.beat()
        #expect(cluster.nodes[1].view.map.classes.isEmpty)
        await cluster.close()
    }

    private static func put(
        _ cluster: ClusterHarness,
        _ key: String,
        _ bytes: [UInt8],
        _ label: String,
        at node: Int
    ) async throws {
        _ = try await cluster.nodes[node].objects.put(
            PutRequest(
                bucket: ClusterHarness.bucket,
                key: key,
                owner: ClusterHarness.owner,
                length: bytes.count,
                attributes: ObjectAttributes(storageClass: label)
            ),
            body: ArrayBody(bytes)
        )
    }

    @Test(
        "a coordinator without its keepers' word gives nodes nothing to serve clients by",
        .timeLimit(.minutes(10))
    )
    func unconfirmed() async throws {
        let cluster = try await ClusterHarness(confirmation: .seconds(1))
        let node = cluster.nodes[0]
        let services = cluster.nodes.map { ($0.name.name, cluster.board.service($0.name.name)) }
        for (name, _) in services { cluster.board.plug(name, nil) }
        while cluster.store.journal.isConfirmed { try await Task.sleep(for: .milliseconds(20)) }
        let silent = await cluster.membership.answer(Self.beat(node), from: node.name)
        #expect(silent.incarnation == 0 && silent.map == nil && silent.leases == nil)
        for (name, service) in services { cluster.board.plug(name, service) }
        while await cluster.membership.answer(Self.beat(node), from: node.name).incarnation == 0 {
            try await Task.sleep(for: .milliseconds(20))
        }
        await cluster.close()
    }

    @Test("a beat is answered with what the node lacks, and with nothing that it has")
    func answers() async throws {
        let cluster = try await ClusterHarness()
        let node = cluster.nodes[0]
        let first = await cluster.membership.answer(Self.beat(node), from: node.name)
        let incarnation = cluster.store.journal.incarnation
        #expect(first.incarnation == incarnation && first.region == ClusterHarness.region)
        let map = try #require(first.map)
        #expect(map.disks.map(\.node) == cluster.store.blobs.view.map.disks.values.sorted { $0.id < $1.id }.map(\.node))
        #expect(map.groups.count == cluster.store.blobs.view.map.groups.count)
        let credentials = try #require(first.credentials)
        #expect(credentials.entries.map(\.secretKey) == ["SK"])
        #expect(first.conditions.count == 3 && first.conditions.allSatisfy(\.isUsable))
        var beat = Self.beat(node, incarnation: incarnation, map: map.version, credentials: credentials.version)
        let second = await cluster.membership.answer(beat, from: node.name)
        #expect(second.map == nil && second.credentials == nil)
        // Other keys: they come, and they alone.
        cluster.membership.setCredentials([])
        let third = await cluster.membership.answer(beat, from: node.name)
        #expect(third.map == nil && third.credentials?.entries == [])
        // What another incarnation gave is not of this one, whatever its number.
        beat.incarnation += 1
        #expect(await cluster.membership.answer(beat, from: node.name).map?.disks == map.disks)
        await cluster.close()
    }

    @Test("the name of a node is its certificate's, and one that moves is a new map to all")
    func names() async throws {
        let cluster = try await ClusterHarness()
        let before = await cluster.membership.answer(Self.beat(cluster.nodes[0]), from: NodeName("node-1"))
        // Says that it is node-3.
        _ = await cluster.membership.answer(Self.beat(cluster.nodes[2]), from: NodeName("node-2"))
        let nodes = cluster.membership.nodes
        #expect(nodes.map(\.name.name) == ["node-1", "node-2", "node-3"])
        #expect(nodes.map(\.host) == ["10.0.0.9", "10.0.0.9", "10.0.0.3"])
        let map = try #require(before.map)
        let beat = Self.beat(cluster.nodes[0], incarnation: before.incarnation, map: map.version)
        let after = await cluster.membership.answer(beat, from: NodeName("node-1"))
        #expect(after.map.map { $0.version > map.version } == true)
        await cluster.close()
    }

    @Test("a shard that a gateway found bad is repaired")
    func suspects() async throws {
        let cluster = try await ClusterHarness()
        let bytes = Content.random(9_000)
        _ = try await cluster.put("a", bytes, at: 0)
        let disk = try #require(cluster.nodes[1].agent.service.disks.first).shards
        let shard = try #require(disk.inventory(after: nil, limit: 1).first?.shard)
        _ = try await disk.erase([shard])
        await cluster.store.repairer.pass()
        #expect(disk.inventory(after: nil, limit: 1).isEmpty, "nobody has told yet")
        cluster.nodes[2].feed.suspect(shard)
        await cluster.nodes[2].feed.beat()
        await cluster.store.repairer.pass()
        #expect(try await disk.verify(shard).isGood)
        #expect(try await cluster.get("a", at: 1) == bytes)
        await cluster.close()
    }

    @Test("a suspect waits for a coordinator that answers")
    func keptSuspects() async throws {
        let cluster = try await ClusterHarness()
        _ = try await cluster.put("a", Content.random(9_000), at: 0)
        let disk = try #require(cluster.nodes[1].agent.service.disks.first).shards
        let shard = try #require(disk.inventory(after: nil, limit: 1).first?.shard)
        _ = try await disk.erase([shard])
        cluster.nodes[2].feed.suspect(shard)
        let coordinator = cluster.coordinator
        cluster.board.plug(CoordinatorName.name, nil)
        await cluster.nodes[2].feed.beat()
        cluster.board.plug(CoordinatorName.name) { await coordinator.answer($0, from: $1) }
        await cluster.nodes[2].feed.beat()
        await cluster.store.repairer.pass()
        #expect(try await disk.verify(shard).isGood)
        await cluster.close()
    }

    @Test("leases of nodes that are silent end after the patience and not before; those of others stay")
    func silence() async throws {
        let cluster = try await ClusterHarness()
        for node in 0..<3 { _ = try await cluster.put("\(node)", Content.random(10), at: node) }
        let own = try await cluster.store.metadata.grantLease(holder: NodeName(CoordinatorName.name))
        func holders() async throws -> Set<String> {
            Set(try await cluster.store.metadata.activeLeases().map(\.holder.name))
        }
        let all: Set = ["node-1", "node-2", "node-3", "coordinator"]
        cluster.time.advance(by: .seconds(59))
        await cluster.membership.endLeasesOfTheSilent()
        #expect(try await holders() == all)
        for node in cluster.nodes.dropFirst() { await node.feed.beat() }
        cluster.time.advance(by: .seconds(2))
        await cluster.membership.endLeasesOfTheSilent()
        #expect(try await holders() == all.subtracting(["node-1"]))
        // The node that was silent hears of it by its next commit, and goes on under another lease.
        _ = try await cluster.put("again", Content.random(10), at: 0)
        await cluster.nodes[0].feed.beat()
        cluster.time.advance(by: .seconds(61))
        await cluster.membership.endLeasesOfTheSilent()
        #expect(try await cluster.store.metadata.activeLeases().map(\.lease) == [own])
        await cluster.close()
    }

    @Test("a node that is removed is told no more")
    func removal() async throws {
        let cluster = try await ClusterHarness()
        let gone = cluster.nodes[2]
        _ = await cluster.membership.answer(Self.beat(gone), from: gone.name)
        let before = await cluster.membership.answer(Self.beat(cluster.nodes[0]), from: cluster.nodes[0].name)
        #expect(before.map?.nodes.contains { $0.name == gone.name } == true)
        cluster.membership.remove(gone.name, before: 1)
        #expect(!cluster.membership.nodes.contains { $0.name == gone.name })
        let after = await cluster.membership.answer(Self.beat(cluster.nodes[0]), from: cluster.nodes[0].name)
        #expect(after.map?.nodes.contains { $0.name == gone.name } == false)
        #expect(try #require(after.map).version > (try #require(before.map)).version)
        await cluster.close()
    }

    @Test("a node's site is that of its disks in use; a node without any has none, while that can be known")
    func site() async throws {
        let cluster = try await ClusterHarness()
        let (node, other) = (cluster.nodes[0], ClusterHarness.Node(4, board: cluster.board))
        var moved = Self.beat(node)
        moved.address.site = SiteName("site-2")
        _ = await cluster.membership.answer(moved, from: node.name)
        _ = await cluster.membership.answer(Self.beat(other), from: other.name)
        #expect(cluster.membership.site(of: node.name) == SiteName("site-1"))
        #expect(cluster.membership.site(of: other.name) == nil)
        cluster.coordinator.detach()
        #expect(cluster.membership.site(of: other.name) == SiteName("site-1"))
        #expect(cluster.membership.site(of: NodeName("node-9")) == nil)
        await cluster.close()
    }

    @Test("a node is silent while it was never heard of, and when it gives no answer")
    func silentNode() async throws {
        let cluster = try await ClusterHarness()
        let name = cluster.nodes[1].name
        #expect(cluster.store.isSilent(NodeName("node-9")) && !cluster.store.isSilent(name))
        cluster.board.plug(name.name, nil)
        await cluster.store.watchDisks()
        #expect(cluster.nodes.map { cluster.store.isSilent($0.name) } == [false, true, false])
        await cluster.close()
    }

    @Test("a node's standing comes of its answers and its beats: half of them make it suspect, silence down")
    func standing() {
        let (node, other) = (NodeName("node-1"), NodeName("node-2"))
        func at(_ seconds: Int) -> MonotonicTime {
            MonotonicTime(nanoseconds: 0).advanced(by: .seconds(100 + seconds))
        }
        var hearing = NodeHearing()
        #expect(hearing.standing(of: node, now: at(0)) == .up, "a process that has all disks itself hears no beats")
        hearing.note(beatOf: node, now: at(0))
        #expect(hearing.standing(of: node, now: at(10)) == .up)
        #expect(hearing.standing(of: node, now: at(11)) == .suspect, "it answers, and does not beat")
        hearing.note(beatOf: node, now: at(11))
        hearing.note(silent: [node], now: at(12))
        #expect(hearing.standing(of: node, now: at(12)) == .suspect && hearing.isSilent(node))
        // It beats, and does not answer.
        hearing.note(beatOf: node, now: at(21))
        hearing.note(silent: [node, other], now: at(21))
        #expect(hearing.standing(of: node, now: at(21)) == .suspect)
        #expect(hearing.standing(of: node, now: at(22)) == .down)
        #expect(hearing.standing(of: other, now: at(22)) == .suspect)
        hearing.note(silent: [], now: at(23))
        #expect(hearing.standing(of: node, now: at(23)) == .up && !hearing.isSilent(node))
    }

    @Test("a node that beats and gives no answer is not up for anybody")
    func halfHeard() async throws {
        let cluster = try await ClusterHarness()
        let name = cluster.nodes[1].name
        func standings() -> [NodeStanding] { cluster.nodes.map { cluster.store.standing(of: $0.name) } }
        for node in cluster.nodes { await node.feed.beat() }
        await cluster.store.watchDisks()
        #expect(standings() == [.up, .up, .up])
        cluster.board.plug(name.name, nil)
        await cluster.store.watchDisks()
        await cluster.nodes[1].feed.beat()
        #expect(standings() == [.up, .suspect, .up])
        #expect(cluster.store.isSilent(name) && cluster.membership.present().contains { $0.name == name })
        #expect(cluster.store.standing(of: NodeName("node-9")) == .down)
        cluster.membership.remove(name, before: 1)
        #expect(cluster.store.standing(of: name) == .down)
        await cluster.close()
    }

    @Test("a disk that is added of a node that joined after the start is shown with where it lies")
    func pathOfANewNode() async throws {
        let cluster = try await ClusterHarness()
        let node = ClusterHarness.Node(4, board: cluster.board)
        cluster.board.plug(node.name.name) { await node.service.answer($0, from: $1) }
        await node.feed.beat()
        let added = try await cluster.store.addDisks(of: node.name)
        #expect(added.map(\.node) == [node.name])
        let disks = try await cluster.store.status().disks
        // By site, node and slot, whatever the disks' ids are.
        #expect(disks.map(\.record.node) == (cluster.nodes + [node]).map(\.name))
        let paths = disks.map(\.path)
        #expect(paths == Array(repeating: ClusterHarness.Node.path, count: 4))
        await cluster.close()
        await node.agent.close()
    }

    @Test(
        "right after a start nothing is erased that a node may be reading which has not beaten yet, for a minute",
        arguments: [true, false]
    )
    func readersOfBefore(allBeat: Bool) async throws {
        let cluster = try await ClusterHarness()
        let time = ManualTime()
        time.advance(by: .seconds(3_600))
        let membership = Membership(
            known: cluster.nodes.map { Self.beat($0).address },
            region: ClusterHarness.region,
            addresses: ClusterHarness.NoAddresses(),
            transport: ClusterHarness.Line(board: cluster.board, caller: .coordinator),
            time: time
        ) { _ in }
        membership.attach(cluster.store)
        func deadAfterAPass() async throws -> Int {
            try await cluster.store.collector.pass()
            return try await cluster.store.metadata.statistics().deadBlobs
        }
        _ = try await cluster.put("a", Content.random(100_000), at: 0)
        _ = try await cluster.put("a", Content.random(10), at: 0)
        #expect(try await deadAfterAPass() == 1)
        for node in cluster.nodes.dropLast(allBeat ? 0 : 1) {
            _ = await membership.answer(Self.beat(node), from: node.name)
            if node.name != cluster.nodes[2].name { #expect(try await deadAfterAPass() == 1) }
        }
        #expect(try await deadAfterAPass() == (allBeat ? 0 : 1))
        time.advance(by: .seconds(61))
        #expect(try await deadAfterAPass() == 0)
        // The store holds it weakly.
        withExtendedLifetime(membership) {}
        await cluster.close()
    }

    @Test("a coordinator that has just begun gives nodes the time to beat")
    func begin() async throws {
        let cluster = try await ClusterHarness()
        _ = try await cluster.put("a", Content.random(10), at: 0)
        cluster.time.advance(by: .seconds(3_600))
        cluster.coordinator.detach()
        cluster.coordinator.attach(cluster.store)
        await cluster.membership.endLeasesOfTheSilent()
        #expect(try await cluster.store.metadata.activeLeases().count == 1)
        cluster.time.advance(by: .seconds(61))
        await cluster.membership.endLeasesOfTheSilent()
        #expect(try await cluster.store.metadata.activeLeases().isEmpty)
        await cluster.close()
    }
}
