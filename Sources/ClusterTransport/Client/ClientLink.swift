internal import NIOCore
internal import Synchronization
internal import SystemInterface

/// One attempt at a connection of a lane, and the connection if it succeeds.
///
/// The server's name and role are checked before anything is sent; calls start with its welcome.
final class ClientLink: ConnectionOwner {
    private struct State {
        var connection: Connection?
        var isClosed = false
    }

    let lane: Int
    private let peer: PeerLanes
    private let state = Mutex(State())

    init(peer: PeerLanes, lane: Int) {
        self.peer = peer
        self.lane = lane
    }

    /// The connection exists, though nothing has been said yet.
    func start(_ connection: Connection) {
        let isClosed = state.withLock { state in
            state.connection = connection
            return state.isClosed
        }
        if isClosed { connection.close(.closedHere) }
    }

    /// Gives the connection or the attempt up.
    func close(_ error: WireError) {
        let connection = state.withLock { state in
            state.isClosed = true
            return state.connection
        }
        connection?.close(error)
    }

    /// No connection came about.
    func failed(_ error: any Error) { peer.closed(self, error) }

    func isSecure(_ connection: Connection, certificate: [UInt8]?) throws(WireError) {
        guard let certificate, let leaf = try? CertificateReading.parse(der: certificate),
            let subject = try? CertificateReading.subject(leaf)
        else { throw .unwelcome("the server's certificate is not a member's") }
        guard subject.name == peer.name, subject.role == .expected(of: peer.name) else {
            throw .unwelcome("the server is \(subject.role.rawValue) \(subject.name), not \(peer.name)")
        }
        let server = ClusterPeer(name: subject.name, role: subject.role, generation: subject.generation)
        guard peer.admits(server) else { throw .unwelcome("the server's certificate counts no more") }
    }

    func mayReceive(_ head: FrameHead, _ connection: Connection) -> Bool { true }

    func received(_ frame: Frame, _ connection: Connection) throws(WireError) {
        switch frame.kind {
        case .welcome:
            connection.stopTimer()
            try peer.ready(self, connection)
        case .response:
            try peer.answered(self, frame.call, .success(frame.message))
        case .refusal:
            let wasDone = frame.message.header.first != RefusalReason.shuttingDown.rawValue
            try peer.answered(
                self,
                frame.call,
                .failure(wasDone ? .unknownOutcome(node: peer.name) : .unreachable(node: peer.name))
            )
        case .request, .ping, .pong, .cancel:
            throw .malformed("a \(frame.kind) from a server")
        }
    }

    func nextFrame(_ connection: Connection) -> Frame? { peer.take(self, connection) }

    func written(_ kind: FrameKind, call: UInt64, _ connection: Connection) {}

    func closed(_ connection: Connection, _ error: any Error) {
        state.withLock { $0.connection = nil }
        peer.closed(self, error)
    }
}
