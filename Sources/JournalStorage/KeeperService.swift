package import ClusterProtocol
internal import DiskFormat

/// Answers keeper calls from one log: what stands between the wire and the log.
package struct KeeperService: Sendable {
    private let log: KeeperLog

    package init(log: KeeperLog) { self.log = log }

    /// Bytes of payload in one answer to a read at most, whatever was asked.
    private static let readLimit = 4 << 20

    /// Never throws: what went wrong is the answer.
    package func answer(_ request: KeeperRequest) async -> KeeperResponse {
        do throws(KeeperError) {
            switch request {
            case .state:
                return .state(try await log.state())
            case .promise(let incarnation, let holder):
                return .state(try await log.promise(incarnation: incarnation, holder: holder))
            case .append(let incarnation, let previous, let records):
                return .done(last: try await log.append(incarnation: incarnation, after: previous, records))
            case .read(let sequence, let limit):
                return .records(try await log.read(from: sequence, limitBytes: min(limit, Self.readLimit)))
            case .trim(let incarnation, let base, let reference):
                return .done(last: try await log.trim(incarnation: incarnation, to: base, reference: reference))
            case .confirm(let incarnation):
                return .done(last: try await log.confirm(incarnation: incarnation))
            }
        } catch {
            return .refused(error)
        }
    }
}
