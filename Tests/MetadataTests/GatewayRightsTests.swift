import Metadata
import ObjectInterface
import ObjectModel
import Synchronization
import SystemInterface
import TestKit
import Testing

/// What a node's certificate opens of the coordinator's metadata, and what it does not.
@Suite("What a gateway may ask of the coordinator's metadata")
struct GatewayRightsTests {
    private let local = JournaledMetadataStore.inMemory(journal: FakeJournal())
    private let refused = Refusals()

    final class Refusals: Sendable {
        private let state = Mutex<[String]>([])
        var callers: [String] { state.withLock { $0 } }
        func add(_ caller: NodeName) { state.withLock { $0.append(caller.name) } }
    }

    private var service: MetadataService {
        MetadataService(metadata: local, onRefusal: { [refused] caller, _ in refused.add(caller) }) { true }
    }

    private func connect(as name: String) -> RemoteMetadataStore {
        let transport = LoopbackTransport(service, from: NodeName(name))
        return RemoteMetadataStore(transport: transport, coordinator: "c", time: SteppingTime())
    }

    private static func transaction(_ lease: WriteLease, _ sequence: UInt64, _ key: String) -> WriteTransaction {
        let blob = Sample.blob(lease, sequence)
        let version = Sample.version("b", key, [Sample.extent(blob)])
        return WriteTransaction(lease: lease, blobs: [blob], writes: [.version(version, .none)])
    }

    /// The operations by their numbers in messages: whoever adds one must say so here, too.
    private static let gateways: Set<UInt8> = [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 25, 26, 27]

    @Test("every operation that is no gateway's is refused and reported", arguments: UInt8.min...UInt8.max)
    func others(number: UInt8) async throws {
        let lease = try await local.prepare()
        let blob = try await local.put(lease, 1, "k", missing: [2])
        let before = try await local.statistics()
        // With the bodies that marking, registering and the like would have had.
        for body in [[], [1, 1, 1, 1, 0], [1, 1, 1, 1, 0, 1, 0, 0, 0]] as [[UInt8]] {
            let call: [UInt8] = [1, 0, 0x01, 0x4D, number] + body
            let isTaken = (try? MetadataRequest(decoding: call)) != nil
            #expect(!isTaken || Self.gateways.contains(number))
            guard !Self.gateways.contains(number) else { continue }
            let answer = try #require(await service.answer(call, from: NodeName("gateway")))
            guard case .failed(let error) = try MetadataResponse(decoding: answer) else {
                Issue.record("operation \(number) is not refused")
                continue
            }
            #expect(error.code == .internalFailure)
            #expect(error.message.contains("\(number)"))
        }
        #expect(refused.callers.count == (Self.gateways.contains(number) ? 0 : 3))
        #expect(try await local.statistics() == before)
        #expect(try await local.blob(blob.id)?.missing == [2])
    }

    @Test("a node commits under its own leases, and under nobody else's")
    func commits() async throws {
        _ = try await local.prepare()
        let (gateway, other) = (connect(as: "gateway"), connect(as: "other"))
        let lease = try await gateway.grantLease(holder: NodeName("other"))
        #expect(await code { _ = try await other.commit(Self.transaction(lease, 1, "k")) } == .invalidArgument)
        #expect(try await local.version(bucket: "b", key: "k") == nil)
        #expect(refused.callers == ["other"])
        #expect(try await gateway.commit(Self.transaction(lease, 1, "k")).count == 1)
        #expect(try await local.version(bucket: "b", key: "k") != nil)
        // Also when the coordinator has learned who holds it.
        #expect(await code { _ = try await other.commit(Self.transaction(lease, 2, "k")) } == .invalidArgument)
        // The coordinator's own is no node's.
        let own = try await local.grantLease(holder: NodeName("coordinator"))
        #expect(await code { _ = try await gateway.commit(Self.transaction(own, 1, "k")) } == .invalidArgument)
        #expect(refused.callers == ["other", "other", "gateway"])
    }

    @Test("a node ends its own leases, and what has ended or was never granted stays so")
    func ends() async throws {
        _ = try await local.prepare()
        let (gateway, other) = (connect(as: "gateway"), connect(as: "other"))
        let lease = try await gateway.grantLease(holder: NodeName("gateway"))
        #expect(await code { try await other.endLease(lease) } == .invalidArgument)
        #expect(try await local.activeLeases().contains { $0.lease == lease })
        let later = WriteLease(incarnation: lease.incarnation, number: lease.number + 1)
        #expect(await code { _ = try await other.commit(Self.transaction(later, 1, "k")) } == .leaseEnded)
        try await other.endLease(later)
        try await gateway.endLease(lease)
        try await gateway.endLease(lease)
        #expect(try await !local.activeLeases().contains { $0.lease == lease })
        #expect(await code { _ = try await gateway.commit(Self.transaction(lease, 1, "k")) } == .leaseEnded)
        // What was not granted when it was asked about is its holder's all the same.
        #expect(try await gateway.grantLease(holder: NodeName("gateway")) == later)
        #expect(try await gateway.commit(Self.transaction(later, 1, "k")).count == 1)
    }
}
