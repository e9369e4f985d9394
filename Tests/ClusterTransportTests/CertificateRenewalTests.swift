import ClusterTransport
import Synchronization
import SystemInterface
import Testing

@Suite("Renewal of certificates")
struct CertificateRenewalTests {
    private static let day: Int64 = 86_400_000

    /// What a renewal did.
    private final class Log: Sendable {
        let renewals = Mutex(0)
        let failures = Mutex<[WallTime?]>([])
    }

    private struct Unreachable: Error {}

    private func renewal(of identity: ClusterIdentity?, _ log: Log, fails: Bool = false) throws -> CertificateRenewal {
        CertificateRenewal(
            time: try Fixture().time,
            current: { identity },
            renew: {
                log.renewals.withLock { $0 += 1 }
                if fails { throw Unreachable() }
            },
            onFailure: { _, expires in log.failures.withLock { $0.append(expires) } }
        )
    }

    @Test func aCertificateIsRenewedAtTheStartOnceAThirdOfItsLifeIsLeft() async throws {
        let fixture = try Fixture()
        let log = Log()
        try await renewal(of: try fixture.identity("node-1", age: 59 * Self.day), log).attempt()
        try await renewal(of: nil, log).attempt()
        #expect(log.renewals.withLock { $0 } == 0)
        try await renewal(of: try fixture.identity("node-1", age: 61 * Self.day), log).attempt()
        #expect(log.renewals.withLock { $0 } == 1)
        #expect(log.failures.withLock { $0.isEmpty })
    }

    @Test func runningTriesBeforeItWaits() async throws {
        let identity = try Fixture().identity("node-1", age: 61 * Self.day)
        let (renewed, told) = AsyncStream.makeStream(of: Void.self)
        let renewal = CertificateRenewal(
            time: try Fixture().time,
            current: { identity },
            renew: { told.yield() },
            onFailure: { _, _ in }
        )
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await renewal.run() }
            for await _ in renewed.prefix(1) {}
            group.cancelAll()
        }
    }

    @Test func aFailureIsTold() async throws {
        let identity = try Fixture().identity("node-1", age: 61 * Self.day)
        let log = Log()
        try await renewal(of: identity, log, fails: true).attempt()
        #expect(log.failures.withLock { $0 } == [identity.notAfter])
    }
}
