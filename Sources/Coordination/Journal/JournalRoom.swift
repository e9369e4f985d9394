package import DiskFormat
internal import ObjectModel
import Synchronization

/// How many bytes the journal takes before its keepers have only their last room left: what their disks said last, less
/// what was appended since then.
///
/// A keeper that is full is lost until room comes back, and with J of them full the coordinator must stop. So what
/// clients change is refused before that, and the last room is left for what wins room back: checkpoints above all.
package final class JournalRoom: Sendable {
    /// Bytes appended since the beginning, as they lie in a keeper's log.
    private let appended = Atomic<UInt64>(0)
    /// What `appended` may become before the last room is touched.
    private let limit = Atomic<UInt64>(.max)

    package init() {}

    /// Where the journal was before the disks were asked: what is appended while they answer counts.
    package var mark: UInt64 { appended.load(ordering: .relaxed) }

    /// Whether only what brings room back should be appended.
    package var isShort: Bool { appended.load(ordering: .relaxed) >= limit.load(ordering: .relaxed) }

    /// So much less is left.
    package func spend(on records: [JournalRecord]) {
        let length = records.reduce(JournalFormat.batchHeaderLength) {
            $0 + JournalFormat.recordLength(payload: $1.payload.count)
        }
        appended.add(UInt64(JournalFormat.blocks(length)), ordering: .relaxed)
    }

    /// `rooms`: what each keeper's disk said when it was asked after `mark`. With fewer than `quorum` answers
    /// nothing is known, and nothing refused.
    package func update(_ rooms: [UInt64], quorum: Int, since mark: UInt64) {
        let left = rooms.count < quorum ? UInt64.max : rooms.sorted(by: >)[quorum - 1]
        let (sum, isBeyond) = mark.addingReportingOverflow(left)
        limit.store(isBeyond ? .max : sum, ordering: .relaxed)
    }
}
