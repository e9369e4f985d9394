package import Metadata
internal import ObjectInterface
import Synchronization
package import SystemInterface

/// Reads every row of the metadata and compares it with its checksum, at the start and once a day.
///
/// A row whose key is damaged is not met by who looks for it: what it names seems to be garbage. So nothing that is
/// only inferred is erased before all rows have been read.
package final class RowChecker: Sendable {
    /// How often all rows are read.
    private static let interval = Duration.seconds(24 * 3_600)
    /// Rows read in one go, and the pause behind: some hundred thousand a second, beside all else.
    private static let page = 4_096
    private static let pause = Duration.milliseconds(5)

    private let metadata: any ReplicatedMetadata
    private let time: any TimeSource
    /// When all rows had been read last.
    private let finished = Mutex<MonotonicTime?>(nil)

    package init(metadata: any ReplicatedMetadata, time: any TimeSource) {
        self.metadata = metadata
        self.time = time
    }

    /// Checks until cancelled.
    package func run() async {
        while !Task.isCancelled {
            _ = await isSound()
            try? await time.sleep(for: Self.interval)
        }
    }

    /// Whether all rows were read within a day, now if need be, and no damage was found by anyone.
    package func isSound() async -> Bool {
        let last = finished.withLock { $0 }
        let isRecent = last.map { time.monotonic.duration(since: $0) < Self.interval } ?? false
        if !isRecent { await pass() }
        return metadata.damage == nil && finished.withLock { $0 } != nil
    }

    private func pass() async {
        var place: RowPlace? = .first
        while let next = place {
            do {
                place = try await metadata.checkRows(from: next, limit: Self.page)
            } catch {
                return
            }
            guard !Task.isCancelled else { return }
            if place != nil { try? await time.sleep(for: Self.pause) }
        }
        finished.withLock { $0 = time.monotonic }
    }
}
