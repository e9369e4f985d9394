package import SystemInterface

/// Renews a member's certificate long before it runs out: at once when less than a third of its life is left, and then
/// looks every hour.
///
/// A member that is started seldom, or restarted every day, has its first look all the same; one whose coordinator does
/// not answer has some seven hundred tries, and says of each that it failed.
package struct CertificateRenewal: Sendable {
    package static let interval = Duration.seconds(3_600)

    private let time: any TimeSource
    private let current: @Sendable () throws -> ClusterIdentity?
    private let renew: @Sendable () async throws -> Void
    private let onFailure: @Sendable (_ error: any Error, _ expires: WallTime?) -> Void

    /// `current`: the certificate in use; `renew`: puts another in its place; `onFailure`: for the log.
    package init(
        time: any TimeSource,
        current: @escaping @Sendable () throws -> ClusterIdentity?,
        renew: @escaping @Sendable () async throws -> Void,
        onFailure: @escaping @Sendable (_ error: any Error, _ expires: WallTime?) -> Void
    ) {
        self.time = time
        self.current = current
        self.renew = renew
        self.onFailure = onFailure
    }

    /// Until cancelled.
    package func run() async {
        repeat { await attempt() } while (try? await time.sleep(for: Self.interval)) != nil
    }

    /// Renews the certificate if it is time.
    package func attempt() async {
        var expires: WallTime?
        do {
            guard let identity = try current() else { return }
            expires = identity.notAfter
            if identity.needsRenewal(now: time.wall) { try await renew() }
        } catch {
            if !Task.isCancelled { onFailure(error, expires) }
        }
    }
}
