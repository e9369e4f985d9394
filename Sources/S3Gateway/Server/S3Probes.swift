import HTTPTypes
import Hummingbird
internal import NIOCore

/// What `GET /-/ready` and `GET /-/metrics` answer; given by the composition root. They need no credentials and tell
/// nothing of buckets, keys or users.
package struct S3Probes: Sendable {
    /// nil when the store serves, else why not.
    package var ready: @Sendable () async -> String?
    /// Prometheus text.
    package var metrics: @Sendable () async -> String

    package init(
        ready: @escaping @Sendable () async -> String? = { nil },
        metrics: @escaping @Sendable () async -> String = { "" }
    ) {
        self.ready = ready
        self.metrics = metrics
    }

    /// The answer to a request below `/-/`.
    func response(to request: Request) async -> S3Response {
        let path = request.head.path ?? ""
        guard request.method == .get || request.method == .head else {
            var refused = S3Response(status: .methodNotAllowed)
            refused.fields.append(HTTPField(name: .allow, value: "GET, HEAD"))
            return refused
        }
        switch path.prefix(while: { $0 != "?" }) {
        case "/-/ready":
            guard let reason = await ready() else { return Self.text("ready\n", .ok) }
            return Self.text(reason + "\n", .serviceUnavailable)
        case "/-/metrics": return Self.text(await metrics(), .ok)
        default: return Self.text("not found\n", .notFound)
        }
    }

    private static func text(_ text: String, _ status: HTTPResponse.Status) -> S3Response {
        var response = S3Response(status: status, body: .bytes(Array(text.utf8)))
        response.fields.append(HTTPField(name: .contentType, value: "text/plain; version=0.0.4; charset=utf-8"))
        return response
    }
}
