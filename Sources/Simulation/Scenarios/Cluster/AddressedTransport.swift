import Coordination
import Synchronization
import SystemInterface

/// The calls of one simulated process, and where it believes the others to be: a host's name is its process's.
final class AddressedTransport: Transport, AddressBook {
    private let transport: any Transport
    private let hosts = Mutex<[String: String]>([:])

    init(_ transport: any Transport) { self.transport = transport }

    func setAddress(_ node: String, host: String, port: Int) { hosts.withLock { $0[node] = host } }

    func call(
        _ node: String,
        _ message: TransportMessage,
        timeout: Duration
    ) async throws(TransportError) -> TransportMessage {
        try await transport.call(hosts.withLock { $0[node] } ?? node, message, timeout: timeout)
    }
}
