package import DiskFormat
package import ObjectInterface

/// Makes journal records durable before a change becomes visible.
package protocol JournalWriter: Sendable {
    /// Returns once enough keepers hold all the records durably. A record that was sent and has not reached them is
    /// neither dropped nor overtaken: the call goes on trying, and throws only when this coordinator must stop.
    func append(_ records: [JournalRecord]) async throws

    /// Why only what brings room back should be appended just now; nil as long as there is room. Each change asks,
    /// so it must cost next to nothing.
    var shortage: StorageError? { get }
}
