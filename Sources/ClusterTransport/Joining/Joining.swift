package import SystemInterface

/// Why a call to join brought no answer.
package enum JoinError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nobody there, or the connection did not come about; `reason` is for people.
    case unreachable(reason: String)
    /// Whoever is there is not a coordinator of the cluster that the token names. Nothing was sent.
    case untrusted(reason: String)
    /// The call was sent, but no answer came in time: it may have been carried out.
    case unknownOutcome

    package var description: String {
        switch self {
        case .unreachable(let reason): reason
        case .untrusted(let reason): "whoever is there is not to be trusted: \(reason)"
        case .unknownOutcome: "no answer came in time, and the token may be used up"
        }
    }
}

/// The one call of a machine that is no member yet: at most 64 KiB, without buffers.
package enum Joining {
    /// Calls the coordinator there, without a certificate of our own. The message is sent only once the server has
    /// proved to be a coordinator under the authority with that fingerprint (32 bytes, from the join token). Throws
    /// after `timeout` at the latest, but for the time it takes to look the host's name up.
    package static func call(
        host: String,
        port: Int,
        fingerprint: [UInt8],
        message: TransportMessage,
        timeout: Duration,
        time: any TimeSource
    ) async throws(JoinError) -> TransportMessage {
        guard FrameLimits.strangers.allow(Frame(kind: .request, call: 0, message: message).head) else {
            throw .unreachable(reason: "the message is too large")
        }
        let link = JoinLink(message)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                link.begin(continuation)
                do {
                    let tls = try TLSContexts.stranger()
                    JoinAttempt(link: link, fingerprint: fingerprint, timeout: timeout, time: time, tls: tls)
                        .connect(host: host, port: port)
                } catch {
                    link.finish(.failure(.unreachable(reason: "\(error)")))
                }
            }
        } onCancel: {
            // Not here: the runtime holds a lock of the task that would go on inline.
            Task { link.giveUp() }
        }
        return try result.get()
    }
}
