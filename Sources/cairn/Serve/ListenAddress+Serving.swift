import Glibc
import NIOCore
import ServiceLifecycle

extension ListenAddress {
    /// Runs a server that listens here; what keeps it from that is said with the address and what to do.
    func serving(option: String, _ server: () async throws -> Void) async throws {
        do {
            try await server()
        } catch let error as IOError {
            guard let reason = Self.reason(error.errnoCode) else { throw error }
            throw ServeError("\(option) \(text): \(reason)")
        } catch is SocketAddressError.UnknownHost {
            throw ServeError("\(option) \(text): no address is known for this name: give one of this machine's")
        }
    }

    /// Of the numbers that only bind(2) gives.
    private static func reason(_ number: CInt) -> String? {
        switch number {
        case EADDRINUSE: "another program listens there: stop it, or give another port"
        case EADDRNOTAVAIL: "this machine has no such address: give one that it has"
        case EACCES: "the system does not allow this port: give one above 1023, or the right to bind it"
        default: nil
        }
    }
}

/// A service that listens, and says what keeps it from that.
struct Listening<Base: Service>: Service {
    let address: ListenAddress
    let option: String
    let base: Base

    func run() async throws {
        try await address.serving(option: option) { try await base.run() }
    }
}
