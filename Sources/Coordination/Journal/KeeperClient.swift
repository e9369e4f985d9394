package import ClusterProtocol
internal import DiskFormat
package import ObjectModel
package import SystemInterface

/// One keeper as a coordinator reaches it.
///
/// Every call ends by itself within a bounded time. One that throws `.unreachable` may have been carried out; all calls
/// may be repeated.
package protocol KeeperClient: Sendable {
    /// The disk whose log it is.
    var keeper: DiskID { get }
    func call(_ request: KeeperRequest) async throws(KeeperCallError) -> KeeperResponse
}

/// A call to a keeper that did not do what was asked.
package enum KeeperCallError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No answer: it may or may not have happened.
    case unreachable(String)
    case refused(KeeperError)

    package var description: String {
        switch self {
        case .unreachable(let reason): "no answer: \(reason)"
        case .refused(let error): error.description
        }
    }
}

extension KeeperClient {
    func state() async throws(KeeperCallError) -> KeeperState { try Self.state(try await call(.state)) }

    func promise(incarnation: UInt32, holder: UInt64) async throws(KeeperCallError) -> KeeperState {
        try Self.state(try await call(.promise(incarnation: incarnation, holder: holder)))
    }

    /// The last sequence that is durable there.
    func append(
        incarnation: UInt32,
        previous: JournalPosition,
        _ records: [JournalRecord]
    ) async throws(KeeperCallError) -> UInt64 {
        try Self.last(try await call(.append(incarnation: incarnation, previous: previous, records: records)))
    }

    /// To the keeper a mark is an append without records.
    func mark(incarnation: UInt32, at place: JournalPosition) async throws(KeeperCallError) {
        _ = try await append(incarnation: incarnation, previous: place, [])
    }

    func read(from sequence: UInt64, limit: Int) async throws(KeeperCallError) -> [JournalRecord] {
        let response = try await call(.read(sequence: sequence, limit: limit))
        guard case .records(let records) = response else { throw Self.unexpected(response) }
        var next = sequence
        for record in records {
            guard record.position.sequence == next else { throw .unreachable("the answer is not what was asked for") }
            next += 1
        }
        return records
    }

    func trim(incarnation: UInt32, base: JournalPosition, reference: [UInt8]) async throws(KeeperCallError) {
        _ = try Self.last(try await call(.trim(incarnation: incarnation, base: base, reference: reference)))
    }

    func confirm(incarnation: UInt32) async throws(KeeperCallError) {
        _ = try Self.last(try await call(.confirm(incarnation: incarnation)))
    }

    private static func state(_ response: KeeperResponse) throws(KeeperCallError) -> KeeperState {
        guard case .state(let state) = response else { throw unexpected(response) }
        return state
    }

    private static func last(_ response: KeeperResponse) throws(KeeperCallError) -> UInt64 {
        guard case .done(let last) = response else { throw unexpected(response) }
        return last
    }

    private static func unexpected(_ response: KeeperResponse) -> KeeperCallError {
        if case .refused(let error) = response { return .refused(error) }
        return .unreachable("the answer is not what was asked for")
    }
}

/// A keeper reached through the cluster's transport.
package struct TransportKeeperClient: KeeperClient {
    package let keeper: DiskID
    private let node: String
    private let transport: any Transport
    private let timeout: Duration

    /// `node` is the transport's name of the node that holds the disk.
    package init(keeper: DiskID, node: String, transport: any Transport, timeout: Duration) {
        self.keeper = keeper
        self.node = node
        self.transport = transport
        self.timeout = timeout
    }

    package func call(_ request: KeeperRequest) async throws(KeeperCallError) -> KeeperResponse {
        let message = TransportMessage(header: KeeperCall(keeper: keeper, request: request).encoded)
        let answer: TransportMessage
        do throws(TransportError) {
            answer = try await transport.call(node, message, timeout: timeout)
        } catch {
            throw .unreachable("node \(node): \(error)")
        }
        do throws(MessageError) {
            return try KeeperResponse(decoding: answer.header)
        } catch {
            throw .unreachable("node \(node): \(error)")
        }
    }
}
