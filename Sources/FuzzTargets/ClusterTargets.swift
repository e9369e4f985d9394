import ClusterProtocol
import Metadata

/// What the processes of a cluster send one another beside shards and journal: membership, slots, gateways, metadata.
extension FuzzTarget {
    static let clusterTargets: [FuzzTarget] = [
        // Short enough that words which are no text, and grow when they are read, still fit their limit.
        FuzzTarget(
            "cluster-messages",
            maximumLength: 1_024,
            seeds: { try ClusterSeeds.all() },
            run: { try clusterMessage($0) }
        ),
        FuzzTarget(
            "metadata-messages",
            maximumLength: 4_096,
            seeds: { MetadataMessageSeeds.all() },
            run: { try metadataMessage($0) }
        ),
    ]

    /// Every decoder gets every message; the head says whose it is.
    private static func clusterMessage(_ bytes: [UInt8]) throws -> Bool {
        let owners = [
            try call(bytes, "a node call", { try NodeCall(decoding: $0) }, \.encoded),
            try call(bytes, "a coordinator call", { try CoordinatorCall(decoding: $0) }, \.encoded),
            try call(bytes, "a gateway call", { try GatewayCall(decoding: $0) }, \.encoded),
            try response(bytes, "a node response", { try NodeResponse(decoding: $0) }, \.encoded),
            try response(bytes, "a coordinator response", { try CoordinatorResponse(decoding: $0) }, \.encoded),
            try response(bytes, "a gateway response", { try GatewayResponse(decoding: $0) }, \.encoded),
        ].count { $0 }
        try require(owners <= 1, "one message is two")
        return owners == 1
    }

    /// A message that has one encoding. Whether the bytes are one.
    private static func call<Value: Equatable>(
        _ bytes: [UInt8],
        _ what: String,
        _ decode: ([UInt8]) throws -> Value,
        _ encode: (Value) -> [UInt8]
    ) throws -> Bool {
        guard let value = try? decode(bytes) else { return false }
        try require(encode(value) == bytes, "\(what) has two encodings")
        try roundTrip(value, what, encode: encode, decode: decode)
        return true
    }

    /// A message with words for people in it, which need not be text when they come. Whether the bytes are one.
    private static func response<Value: Equatable>(
        _ bytes: [UInt8],
        _ what: String,
        _ decode: ([UInt8]) throws -> Value,
        _ encode: (Value) -> [UInt8]
    ) throws -> Bool {
        guard let value = try? decode(bytes) else { return false }
        try roundTrip(value, what, encode: encode, decode: decode)
        return true
    }

    private static func metadataMessage(_ bytes: [UInt8]) throws -> Bool {
        let isCall = MetadataMessage.isCall(bytes)
        if let request = try? MetadataRequest(decoding: bytes) {
            try require(isCall, "a metadata call is not taken for one")
            try again(request.encoded, "a metadata call") { try MetadataRequest(decoding: $0).encoded }
            return true
        }
        guard let response = try? MetadataResponse(decoding: bytes) else { return false }
        try require(!isCall, "a metadata response is taken for a call")
        try again(response.encoded, "a metadata response") { try MetadataResponse(decoding: $0).encoded }
        return true
    }

    /// These values cannot be compared; their encodings can.
    private static func again(_ bytes: [UInt8], _ what: String, _ pass: ([UInt8]) throws -> [UInt8]) throws {
        let second: [UInt8]
        do {
            second = try pass(bytes)
        } catch {
            throw FuzzFinding("\(what): what was encoded cannot be decoded: \(error)")
        }
        try require(second == bytes, "\(what): another value comes back")
    }
}
