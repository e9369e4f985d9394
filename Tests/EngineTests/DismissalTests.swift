import ClusterProtocol
import Coordination
import Metadata
import ObjectModel
import Synchronization
import SystemInterface
import TestKit
import Testing

/// A machine that was removed or replaced keeps a certificate for weeks: nobody answers it.
@Suite("Certificates that count no more")
struct DismissalTests {
    /// A coordinator's service for the cluster's store that notes whom it dismisses.
    private static func noting(_ cluster: ClusterHarness, _ told: ClusterHarness.Told) -> CoordinatorService {
        let service = CoordinatorService(
            membership: cluster.membership,
            onDismissal: { name, address in told.refusals.withLock { $0.append("\(name) \(address)") } },
            certify: { _ in throw StoreHarness.HarnessError.notOpen }
        )
        service.attach(cluster.store)
        return service
    }

    private static func call(_ node: ClusterHarness.Node) -> [UInt8] {
        let beat = NodeBeat(
            address: NodeAddress(name: node.name, site: SiteName("site-1"), host: "10.0.0.9", port: 1),
            incarnation: 0,
            mapVersion: 0,
            credentialsVersion: 0,
            suspects: []
        )
        return CoordinatorCall.beat(beat).encoded
    }

    /// Whether the first node answers a call with that certificate.
    private static func answers(_ cluster: ClusterHarness, to caller: ClusterCaller) async throws -> Bool {
        let shard = ShardID(blob: BlobID(incarnation: 1, lease: 1, sequence: 1), index: 0)
        let message = TransportMessage(header: ShardRequest.describe(try cluster.disk(0), shard).encoded())
        let answer = await cluster.nodes[0].service.answer(message, from: caller)
        if case .refused? = try? GatewayResponse(decoding: answer.header) { return false }
        _ = try ShardResponse(encoded: answer.header)
        return true
    }

    @Test(
        "a node that was removed gets no answer, from the coordinator at once and from nodes with their next beat",
        .timeLimit(.minutes(10))
    )
    func removed() async throws {
        let cluster = try await ClusterHarness()
        let told = ClusterHarness.Told()
        let coordinator = Self.noting(cluster, told)
        cluster.board.plug(CoordinatorName.name) { await coordinator.answer($0, from: $1) }
        let (gone, other) = (cluster.nodes[2], cluster.nodes[0])
        let caller = ClusterCaller.node(gone.name, generation: 0, address: "10.0.0.3:99")
        #expect(try await Self.answers(cluster, to: caller))
        cluster.membership.remove(gone.name, before: 1)

        let beat = await coordinator.answer(TransportMessage(header: Self.call(gone)), from: caller)
        guard case .dismissed = try CoordinatorResponse(decoding: beat.header) else {
            Issue.record("its beat is answered")
            return
        }
        #expect(!cluster.membership.nodes.contains { $0.name == gone.name }, "it is a member again")
        let renewal = CoordinatorCall.renew(publicKey: "key").encoded
        let renewed = await coordinator.answer(TransportMessage(header: renewal), from: caller)
        guard case .refused(let reason) = try CoordinatorResponse(decoding: renewed.header) else {
            Issue.record("its certificate is renewed")
            return
        }
        #expect(reason.contains("removed"))
        let leases = try await cluster.store.metadata.activeLeases().count
        let grant = TransportMessage(header: MetadataRequest.grantLease.encoded)
        _ = await coordinator.answer(grant, from: caller)
        #expect(try await cluster.store.metadata.activeLeases().count == leases, "its metadata calls are answered")
        #expect(told.refusals.withLock { $0 } == Array(repeating: "node-3 10.0.0.3:99", count: 3))

        #expect(gone.feed.dismissal == nil)
        await gone.feed.beat()
        #expect(try #require(gone.feed.dismissal).contains("removed"))
        await gone.feed.run()
        await other.feed.beat()
        #expect(try await !Self.answers(cluster, to: caller))
        #expect(try await Self.answers(cluster, to: .node(cluster.nodes[1].name)), "the others are members as before")
        await cluster.close()
    }

    @Test("once the machine that took a node's place has called, the one before gets no answer, whoever told of it")
    func replaced() async throws {
        let cluster = try await ClusterHarness()
        let node = cluster.nodes[1]
        let (old, new) = (ClusterCaller.node(node.name), ClusterCaller.node(node.name, generation: 2))
        // As after a take-over: the coordinator has not been told that the name was given anew.
        let message = TransportMessage(header: Self.call(node))
        let first = await cluster.coordinator.answer(message, from: new)
        guard case .state = try CoordinatorResponse(decoding: first.header) else {
            Issue.record("the new machine is refused")
            return
        }
        #expect(cluster.membership.floor(of: node.name) == 2)
        let answer = await cluster.coordinator.answer(message, from: old)
        guard case .dismissed = try CoordinatorResponse(decoding: answer.header) else {
            Issue.record("the old machine is answered")
            return
        }
        let other = cluster.nodes[0]
        #expect(try await Self.answers(cluster, to: old), "it has not heard of it")
        await other.feed.beat()
        #expect(try await !Self.answers(cluster, to: old))
        #expect(try await Self.answers(cluster, to: new))
        #expect(!other.feed.counts(node.name, generation: 1) && other.feed.counts(node.name, generation: 3))
        await cluster.close()
    }

    @Test("a coordinator of the version before does not know of it, and all certificates count as before")
    func older() async throws {
        let cluster = try await ClusterHarness()
        let told = ClusterHarness.Told()
        let coordinator = cluster.coordinator
        cluster.board.plug(CoordinatorName.name) { message, caller in
            guard case .certificates? = try? CoordinatorCall(decoding: message.header) else {
                return await coordinator.answer(message, from: caller)
            }
            told.refusals.withLock { $0.append("asked") }
            return TransportMessage(header: CoordinatorResponse.refused("unknown").encoded)
        }
        let node = cluster.nodes[0]
        cluster.membership.endCertificates(of: cluster.nodes[1].name, before: 1)
        await node.feed.beat()
        await node.feed.beat()
        #expect(told.refusals.withLock { $0.count } == 1, "asked once for each map")
        #expect(node.feed.counts(cluster.nodes[1].name, generation: 0))
        #expect(node.feed.dismissal == nil && node.feed.region != nil)
        await cluster.close()
    }
}
