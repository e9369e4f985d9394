import ClusterProtocol
import Metadata
import ObjectInterface
import ObjectModel
import Synchronization
import SystemInterface
import TestKit
import Testing

@Suite("The metadata of another node")
struct RemoteMetadataTests {
    private let local = JournaledMetadataStore.inMemory(journal: FakeJournal())
    private let confirmed = Flag(true)
    private let time = SteppingTime()

    /// A value that a service asks for.
    final class Flag: Sendable {
        private let state: Mutex<Bool>
        init(_ value: Bool) { state = Mutex(value) }
        var value: Bool {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }

    private func connect(timeout: Duration = .seconds(30)) -> (RemoteMetadataStore, LoopbackTransport) {
        let service = MetadataService(metadata: local, isConfirmed: { [confirmed] in confirmed.value })
        let transport = LoopbackTransport(service, from: NodeName("gateway"))
        return (RemoteMetadataStore(transport: transport, coordinator: "c", time: time, timeout: timeout), transport)
    }

    @Test("reads are repeated, whatever became of the call before")
    func reads() async throws {
        let (remote, transport) = connect()
        transport.fail(.answerLost, .unreachable)
        #expect(try await remote.buckets(owner: nil).isEmpty)
        #expect(transport.calls.count == 3)
        #expect(time.monotonic == MonotonicTime(nanoseconds: 100_000_000))
        transport.fail(.unreachable, .unreachable, .unreachable)
        #expect(await code { _ = try await remote.buckets(owner: nil) } == .unavailable)
        transport.fail(.answerLost, .answerLost, .answerLost)
        #expect(await code { _ = try await remote.buckets(owner: nil) } == .unavailable)
        #expect(transport.calls.count == 9)
        let (hasty, quick) = connect(timeout: .milliseconds(60))
        quick.fail(.unreachable, .unreachable)
        #expect(await code { _ = try await hasty.buckets(owner: nil) } == .unavailable)
        #expect(quick.calls.count == 2)
    }

    @Test("a change is repeated only when it was not carried out")
    func changes() async throws {
        let (remote, transport) = connect()
        transport.fail(.unreachable, .unreachable)
        try await remote.createBucket(Sample.bucket("a"))
        #expect(transport.calls.count == 3)
        transport.fail(.answerLost)
        #expect(await code { try await remote.createBucket(Sample.bucket("b")) } == .unknownOutcome)
        #expect(transport.calls.count == 4)
        #expect(try await local.bucket("b") != nil)
        transport.fail(.unreachable, .unreachable, .unreachable)
        #expect(await code { try await remote.createBucket(Sample.bucket("c")) } == .unavailable)
        #expect(try await local.bucket("c") == nil)
    }

    @Test("an answer that cannot be understood says nothing of what a change did")
    func misanswered() async throws {
        let (remote, transport) = connect()
        for bytes in [[], [1, 2, 3], MetadataResponse.buckets([]).encoded, MetadataRequest.grantLease.encoded] {
            transport.fail(.answer(bytes))
            #expect(await code { _ = try await remote.bucket("b") } == .internalFailure)
            transport.fail(.answer(bytes))
            #expect(await code { try await remote.deleteBucket("b") } == .unknownOutcome)
        }
        transport.fail(.answer(MetadataResponse.outcomes([]).encoded))
        let one = WriteTransaction(lease: nil, blobs: [], writes: [.version(Sample.version("b", "k"), .none)])
        #expect(await code { _ = try await remote.commit(one) } == .unknownOutcome)
    }

    @Test("leases are granted to who calls, whatever it says")
    func leases() async throws {
        try await local.beginIncarnation(1)
        let (remote, _) = connect()
        let lease = try await remote.grantLease(holder: NodeName("somebody else"))
        let active = try await remote.activeLeases()
        #expect(active.map(\.lease) == [lease] && active.map(\.holder) == [NodeName("gateway")])
    }

    @Test("what is the coordinator's own is refused without a call")
    func own() async throws {
        let (remote, transport) = connect()
        let disk = Sample.disks[0]
        let record = DiskRecord(id: disk, site: SiteName("s"), node: Sample.node, slot: "d", state: .active, epoch: 1)
        let shard = ShardID(blob: BlobID(incarnation: 1, lease: 1, sequence: 1), index: 0)
        let move = MoveTransaction(lease: WriteLease(incarnation: 1, number: 1), blobs: [], moves: [])
        let codes = [
            await code { try await remote.addUser(Sample.user("u")) },
            await code { try await remote.removeUser(name: "u") },
            await code { try await remote.putDisk(record) },
            await code { try await remote.putGroups([]) },
            await code { try await remote.replaceMember(disk, with: disk) },
            await code { try await remote.forgetBlobs([]) },
            await code { _ = try await remote.deadBlobs(after: nil, limit: 1) },
            await code { _ = try await remote.sparseBlobs(share: 1, limit: 1) },
            await code { _ = try await remote.move(move) },
            await code { _ = try await remote.users() },
            await code { _ = try await remote.uploads(createdBefore: WallTime(milliseconds: 0), limit: 1) },
            await code { _ = try await remote.blob(shard.blob) },
            await code { _ = try await remote.blobs(after: nil, limit: 1) },
            await code { _ = try await remote.owners(of: shard.blob) },
            await code { _ = try await remote.missingShards(limit: 1) },
            await code { _ = try await remote.missingShardCount() },
            await code { _ = try await remote.missingBlobs(spares: 0...0, after: nil, limit: 1) },
            await code { try await remote.markMissing([PlacedShard(shard, on: disk)]) },
            await code { _ = try await remote.registerShards([NewShard(shard, groupEpoch: 1)]) },
            await code { try await remote.spreadMember(disk, over: [:]) },
            await code { _ = try await remote.disks() },
            await code { _ = try await remote.groups() },
            await code { _ = try await remote.statistics() },
        ]
        #expect(codes.allSatisfy { $0 == .invalidArgument })
        #expect(transport.calls.isEmpty)
    }

    @Test("a coordinator that is not confirmed answers nothing that its rows alone say")
    func unconfirmed() async throws {
        let lease = try await local.prepare()
        try await local.put(lease, 1, "k", missing: [2])
        let own = try await local.grantLease(holder: NodeName("gateway"))
        let (remote, _) = connect()
        #expect(await code { try await remote.endLease(lease) } == .invalidArgument, "another node's lease")
        confirmed.value = false
        // Reads, also of what is not there.
        #expect(await code { _ = try await remote.bucket("b") } == .unavailable)
        #expect(await code { _ = try await remote.version(bucket: "none", key: "k") } == .unavailable)
        // Refusals, and changes that found nothing to do: an old coordinator's rows may be wrong in both.
        #expect(await code { try await remote.createBucket(Sample.bucket("b")) } == .unavailable)
        let none = DeleteRequest(bucket: "b", key: "none")
        #expect(await code { _ = try await remote.delete(bucket: "b", [none]) } == .unavailable)
        let version = Sample.version("b", "k")
        let refused = WriteTransaction(lease: nil, blobs: [], writes: [.version(version, .isAbsent)])
        #expect(await code { _ = try await remote.commit(refused) } == .unavailable)
        #expect(await code { try await remote.endLease(own) } == .unknownOutcome)
        // What made a record is proven by it.
        let put = WriteTransaction(lease: nil, blobs: [], writes: [.version(version, .none)])
        #expect(try await remote.commit(put).count == 1)
        let key = DeleteRequest(bucket: "b", key: "k")
        #expect(try await remote.delete(bucket: "b", [none, key]).count == 2)
        try await remote.createBucket(Sample.bucket("new"))
        confirmed.value = true
        #expect(try await remote.bucket("new") != nil)
    }

    @Test("the keepers are asked behind the evaluation, and only for what needs them")
    func order() async throws {
        let asked = Mutex(0)
        let service = MetadataService(metadata: local) { [local] in
            asked.withLock { $0 += 1 }
            try? await local.createBucket(Sample.bucket("later"))
            return true
        }
        let transport = LoopbackTransport(service)
        let remote = RemoteMetadataStore(transport: transport, coordinator: "c", time: time)
        try await remote.createBucket(Sample.bucket("b"))
        #expect(asked.withLock { $0 } == 0)
        #expect(try await remote.bucket("later") == nil)
        #expect(asked.withLock { $0 } == 1)
        #expect(try await remote.bucket("later") != nil)
    }

    @Test("long lists come in pages, and limits are kept", arguments: [-1, 0, 1, 1_001, 1_002, 2_500, 5_000, .max])
    func pages(limit: Int) async throws {
        let lease = try await local.prepare()
        let blobs = (1...2_400).map { Sample.blob(lease, UInt64($0)) }
        try await local.createUpload(Sample.upload("b", "k", "u"))
        let writes = blobs.enumerated().map { index, blob in
            WriteTransaction.Write.part(Sample.part("u", index + 1, [Sample.extent(blob)]), bucket: "b", key: "k")
        }
        _ = try await local.commit(WriteTransaction(lease: lease, blobs: blobs, writes: writes))
        let (remote, transport) = connect()
        let expected = max(0, min(limit, 2_400))
        let parts = try await remote.parts(of: UploadID("u"), after: 0, limit: limit)
        #expect(parts.map(\.summary.number) == Array(1...2_400).prefix(expected).map { $0 })
        #expect(transport.calls.count <= 3)
        #expect(try await remote.parts(of: UploadID("u"), after: 2_399, limit: limit).count == min(expected, 1))
    }

    @Test("calls that cannot be read are answered, and other protocols' are not")
    func strangers() async throws {
        let service = MetadataService(metadata: local, isConfirmed: { true })
        #expect(await service.answer([1, 0, 0x01, 0x4B, 1], from: Sample.node) == nil)
        #expect(await service.answer([], from: Sample.node) == nil)
        #expect(await service.answer(MetadataResponse.done.encoded, from: Sample.node) == nil)
        for call in [[9, 0, 0x01, 0x4D], [1, 0, 0x01, 0x4D, 99], MetadataRequest.grantLease.encoded + [0]] as [[UInt8]]
        {
            let answer = try #require(await service.answer(call, from: Sample.node))
            guard case .failed(let error) = try MetadataResponse(decoding: answer) else {
                Issue.record("not refused")
                continue
            }
            #expect(error.code == .internalFailure)
        }
    }

    @Test("whatever a gateway asks with generated values, the coordinator answers")
    func generated() async throws {
        _ = try await local.prepare()
        let service = MetadataService(metadata: local, isConfirmed: { true })
        var generator = MessageGenerator(seed: 77)
        for _ in 0..<200 {
            for request in generator.requests() {
                let answer = try #require(await service.answer(request.encoded, from: Sample.node))
                #expect(throws: Never.self) { try MetadataResponse(decoding: answer) }
            }
        }
    }
}
