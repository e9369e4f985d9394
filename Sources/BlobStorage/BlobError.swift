package import ObjectModel

/// Why a blob could not be written or read.
package enum BlobError: Error, Hashable, Sendable {
    /// Too few usable disks for the scheme; the text names the numbers.
    case tooFewDisks(String)
    /// Too little room on the disks that could take it.
    case full
    /// The write lease has ended: what is to be stored must be written again under a new one.
    case leaseEnded
    /// Fewer than k good shards could be reached: `good` of `needed`.
    case unreadable(BlobID, good: Int, needed: Int)
    /// The decoded bytes are not those that were written: the digest taken at ingest differs.
    case digestMismatch(BlobID)
    /// The map has no such group.
    case unknownGroup(GroupID)
    /// The scheme cannot be coded by this program.
    case unsupportedScheme(String)
}
