import ClusterProtocol
import ObjectModel
import TestKit
import Testing

@Suite("Messages about a node's slots")
struct NodeMessageTests {
    static let cluster = ClusterID(Identifier128(high: 1, low: 2))
    static let disk = DiskID(Identifier128(high: 3, low: 4))
    static let shard = ShardID(blob: BlobID(incarnation: 1, lease: 2, sequence: 3), index: 4)

    static let requests: [NodeRequest] = [
        .survey, .watch, .compact, .mend, .release(disk), .reopenLog(disk), .renewLog(disk),
        .format(slot: "disk-1", NewDisk(cluster: cluster, disk: disk)),
        .open(slot: "disk-é", ExpectedDisk(cluster: cluster, disk: disk, epoch: 7, wantsLog: true, isReturning: true)),
    ]

    static let responses: [NodeResponse] = [
        .slots([]),
        .slots([
            SlotReport(slot: "a", path: "/srv/a", finding: .disk(cluster, disk)),
            SlotReport(slot: "b", path: "", finding: .empty),
            SlotReport(slot: "d", path: "/srv/d", finding: .occupied("patient.dcm")),
            SlotReport(slot: "c", path: "/srv/c", finding: .unusable("not mounted")),
        ]),
        .opened(OpenedDisk(hasLog: true, isUnused: false)),
        .bad([shard]), .count(12), .done, .refused(.superseded(9)), .refused(.noSuchSlot("x")),
        .refused(.notEmpty("lost")), .refused(.failed("why")), .refused(.busy),
    ]

    @Test("What is encoded is decoded, and nothing shorter or longer", arguments: requests)
    func request(request: NodeRequest) throws {
        let call = NodeCall(incarnation: 5, request: request)
        #expect(try NodeCall(decoding: call.encoded) == call)
        for length in 0..<call.encoded.count {
            #expect(throws: MessageError.self) { _ = try NodeCall(decoding: Array(call.encoded[..<length])) }
        }
        #expect(throws: MessageError.trailingBytes(1)) { _ = try NodeCall(decoding: call.encoded + [0]) }
    }

    @Test("Answers too", arguments: responses)
    func response(response: NodeResponse) throws {
        #expect(try NodeResponse(decoding: response.encoded) == response)
        for length in 0..<response.encoded.count {
            #expect(throws: MessageError.self) { _ = try NodeResponse(decoding: Array(response.encoded[..<length])) }
        }
    }

    @Test("The bytes of version 1")
    func layout() {
        let call = NodeCall(incarnation: 5, request: .release(Self.disk))
        let disk: [UInt8] = [3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]
        #expect(call.encoded == [1, 0, 0x01, 0x4E, 5, 0, 0, 0, 4] + disk)
    }
}
