package import ObjectModel

/// Why an operation on one disk failed; `description` tells an operator what to do next.
package enum ShardStorageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No sealed record of the shard is on this disk.
    case notFound(ShardID)
    /// Bytes are not what they were: where, and what is wrong. Repair brings the shard back from its peers.
    case corrupt(String)
    /// No room for new bytes; reads, erasures and compaction still work.
    case full
    /// The medium failed; the disk takes no more writes until it has been opened anew.
    case diskFailed(String)
    /// The folder belongs to another cluster, or is another disk than expected.
    case foreignDisk(String)
    /// The disk has missed an epoch: what it holds may be out of date.
    case staleDisk(found: UInt32, expected: UInt32)
    /// Nothing of Cairn's is here: a new, an emptied or an unmounted disk.
    case notFormatted
    /// `format` was asked of a folder that is not empty.
    case notEmpty(String)
    /// Another process has the disk open.
    case locked
    /// Written by a later version of Cairn.
    case unsupportedFormat(String)
    /// The caller broke a rule.
    case invalid(String)
    /// `close` was called.
    case closed

    package var description: String {
        switch self {
        case .notFound(let shard): "shard \(shard) is not on this disk"
        case .corrupt(let what): "corrupt: \(what); it will be repaired from the other disks, check this one's health"
        case .full: "the disk is full: delete objects, or add disks"
        case .diskFailed(let why): "the disk failed (\(why)): look at dmesg, at its mount and at the hardware"
        case .foreignDisk(let what): "this disk is not the expected one: \(what); check what is mounted here"
        case .staleDisk(let found, let expected):
            "this disk is out of date (epoch \(found), expected \(expected)): replace it, or admit it anew as empty"
        case .notFormatted: "no Cairn disk is here: check that it is mounted, or format it"
        case .notEmpty(let name): "refusing to format a folder that is not empty (\(name)): empty it first"
        case .locked: "another process has this disk open: stop it first"
        case .unsupportedFormat(let what): "written by a later version of Cairn (\(what)): upgrade this program"
        case .invalid(let what): "invalid: \(what)"
        case .closed: "the disk has been closed"
        }
    }
}
