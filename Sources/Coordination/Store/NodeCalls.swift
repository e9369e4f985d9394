internal import ClusterProtocol
package import ObjectModel
internal import SystemInterface

/// A slot of the whole store.
package struct SlotPlace: Hashable, Comparable, Sendable {
    package var node: NodeName
    package var slot: String

    package init(node: NodeName, slot: String) {
        self.node = node
        self.slot = slot
    }

    package static func < (left: Self, right: Self) -> Bool { (left.node, left.slot) < (right.node, right.slot) }
}

/// Why a node did not do what it was asked.
enum NodeCallError: Error, CustomStringConvertible {
    /// Whether it was done is not known.
    case unreachable
    case refused(NodeRefusal)

    var description: String {
        switch self {
        case .unreachable: "its node does not answer"
        case .refused(let refusal): refusal.description
        }
    }
}

/// Asks nodes about their slots, one method a message.
struct NodeCalls: Sendable {
    /// How long looking at slots and opening a disk may take: a disk is recovered from its segments then.
    private static let timeout = Duration.seconds(120)
    /// How long a watch may take: a node that is slower is taken for one that does not answer.
    private static let watchTimeout = Duration.seconds(5)
    /// How long compaction and mending may take.
    private static let upkeepTimeout = Duration.seconds(3_600)

    let transport: any Transport
    /// 0 while the coordinator starts.
    var incarnation: UInt32

    func survey(_ node: NodeName) async throws(NodeCallError) -> [SlotReport] {
        guard case .slots(let slots) = try await call(node, .survey, Self.timeout) else { throw .unreachable }
        return slots
    }

    func format(_ place: SlotPlace, _ disk: NewDisk) async throws(NodeCallError) {
        try await act(place.node, .format(slot: place.slot, disk))
    }

    func open(_ place: SlotPlace, _ disk: ExpectedDisk) async throws(NodeCallError) -> OpenedDisk {
        let answer = try await call(place.node, .open(slot: place.slot, disk), Self.timeout)
        guard case .opened(let opened) = answer else { throw .unreachable }
        return opened
    }

    func release(_ disk: DiskID, on node: NodeName) async throws(NodeCallError) {
        let answer = try await call(node, .release(disk), Self.watchTimeout)
        guard case .done = answer else { throw .unreachable }
    }

    func reopenLog(of disk: DiskID, on node: NodeName) async throws(NodeCallError) {
        try await act(node, .reopenLog(disk))
    }

    func renewLog(of disk: DiskID, on node: NodeName) async throws(NodeCallError) {
        try await act(node, .renewLog(disk))
    }

    func watch(_ node: NodeName) async throws(NodeCallError) -> [HostedDiskReport] {
        guard case .disks(let disks) = try await call(node, .watch, Self.watchTimeout) else { throw .unreachable }
        return disks
    }

    /// The shards found bad.
    func compact(_ node: NodeName) async throws(NodeCallError) -> [ShardID] {
        guard case .bad(let shards) = try await call(node, .compact, Self.upkeepTimeout) else { throw .unreachable }
        return shards
    }

    /// How many segments were mended.
    func mend(_ node: NodeName) async throws(NodeCallError) -> Int {
        guard case .count(let count) = try await call(node, .mend, Self.upkeepTimeout) else { throw .unreachable }
        return count
    }

    private func act(_ node: NodeName, _ request: NodeRequest) async throws(NodeCallError) {
        guard case .done = try await call(node, request, Self.timeout) else { throw .unreachable }
    }

    private func call(
        _ node: NodeName,
        _ request: NodeRequest,
        _ timeout: Duration
    ) async throws(NodeCallError) -> NodeResponse {
        let message = TransportMessage(header: NodeCall(incarnation: incarnation, request: request).encoded)
        guard let answer = try? await transport.call(node.name, message, timeout: timeout),
            let response = try? NodeResponse(decoding: answer.header)
        else { throw .unreachable }
        if case .refused(let refusal) = response { throw .refused(refusal) }
        return response
    }
}
