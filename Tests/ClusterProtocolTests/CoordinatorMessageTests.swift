import ClusterProtocol
import ObjectModel
import TestKit
import Testing

@Suite("Messages of and to the coordinator")
struct CoordinatorMessageTests {
    static let cluster = ClusterID(Identifier128(high: 1, low: 2))
    static let disk = DiskID(Identifier128(high: 3, low: 4))
    static let shard = ShardID(blob: BlobID(incarnation: 1, lease: 2, sequence: 3), index: 4)
    static let address = NodeAddress(name: NodeName("node-1"), site: SiteName("site-1"), host: "10.0.0.1", port: 65_535)

    static let calls: [CoordinatorCall] = [
        .join(JoinRequest(secret: [1, 2, 3], name: NodeName("n"), site: SiteName("s"), publicKey: "-----BEGIN")),
        .renew(publicKey: "key"),
        .beat(NodeBeat(address: address, incarnation: 3, mapVersion: .max, credentialsVersion: 0, suspects: [shard])),
        .beat(
            NodeBeat(
                address: address,
                incarnation: 3,
                mapVersion: 1,
                credentialsVersion: 2,
                suspects: [],
                degraded: [shard.blob],
                process: .max
            )
        ),
        .certificates,
    ]

    static func responses() throws -> [CoordinatorResponse] {
        let scheme = try #require(Scheme(dataCount: 2, parityCount: 1))
        let map = MapUpdate(
            version: 9,
            nodes: [address],
            disks: [MapUpdate.Disk(id: disk, site: SiteName("s"), node: NodeName("n"))],
            groups: [MapUpdate.Group(id: GroupID(7), epoch: 2, scheme: scheme, members: [disk, disk, disk])],
            classes: [StorageClass(name: "COLD", scheme: scheme), StorageClass(name: "HOT", scheme: scheme)]
        )
        let credentials = CredentialsUpdate(
            version: 4,
            entries: [CredentialsUpdate.Entry(user: "u", displayName: "d", accessKey: "a", secretKey: "s")]
        )
        let conditions = [
            DiskFitness(disk: disk, isUsable: true, room: 1 << 40),
            DiskFitness(disk: disk, isUsable: true, hangs: true, room: 0),
        ]
        let leases = [HeldLease(lease: shard.blob.writeLease, holder: NodeName("n"))]
        return [
            .joined(NodeCertificate(cluster: cluster, certificate: "c", authority: "a")),
            .state(ClusterState(incarnation: 0, region: "", map: nil, credentials: nil, conditions: [], leases: nil)),
            .state(
                ClusterState(
                    incarnation: 3,
                    region: "eu",
                    map: map,
                    credentials: credentials,
                    conditions: conditions,
                    leases: leases
                )
            ),
            .refused("no"),
            .certificates([CertificateFloor(node: NodeName("n"), generation: 3)]),
            .dismissed("gone"),
        ]
    }

    static let gatewayCalls: [GatewayCall] = [
        .held([shard.blob]), .follow(incarnation: 9, host: "::1", port: 7_400), .nodes,
    ]

    @Test("Calls come back, and nothing shorter or longer", arguments: calls)
    func call(call: CoordinatorCall) throws {
        #expect(try CoordinatorCall(decoding: call.encoded) == call)
        for length in 0..<call.encoded.count {
            #expect(throws: MessageError.self) { _ = try CoordinatorCall(decoding: Array(call.encoded[..<length])) }
        }
        #expect(throws: MessageError.trailingBytes(1)) { _ = try CoordinatorCall(decoding: call.encoded + [0]) }
    }

    @Test("Answers come back, and nothing shorter")
    func response() throws {
        for response in try Self.responses() {
            #expect(try CoordinatorResponse(decoding: response.encoded) == response)
            for length in 0..<response.encoded.count {
                #expect(throws: MessageError.self) {
                    _ = try CoordinatorResponse(decoding: Array(response.encoded[..<length]))
                }
            }
        }
    }

    @Test("Calls to gateways come back, and nothing shorter", arguments: gatewayCalls)
    func gatewayCall(call: GatewayCall) throws {
        #expect(try GatewayCall(decoding: call.encoded) == call)
        for length in 0..<call.encoded.count {
            #expect(throws: MessageError.self) { _ = try GatewayCall(decoding: Array(call.encoded[..<length])) }
        }
    }

    @Test("Changed bytes are an error or another message, never a trap")
    func corrupted() throws {
        var generator = SplitMix64(seed: 1)
        let responses = try Self.responses().map(\.encoded)
        for bytes in Self.calls.map(\.encoded) + responses + Self.gatewayCalls.map(\.encoded) {
            for _ in 0..<500 {
                var changed = bytes
                changed[Int(generator.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: generator.next())
                _ = try? CoordinatorCall(decoding: changed)
                _ = try? CoordinatorResponse(decoding: changed)
                _ = try? GatewayCall(decoding: changed)
            }
        }
    }
}
