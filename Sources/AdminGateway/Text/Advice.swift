/// What status and doctor say in the same words.
enum Advice {
    /// Without the recovery kit.
    static let lostWithTheMachine =
        "with this machine the users' secret keys would be lost, and a cluster's certificate authority; objects could "
        + "still be read from the disks"
    /// Where no disk is known that could bring shards back.
    static let bringBack =
        "bring back a disk that was taken out, or store the objects again from a copy or their source"
    /// Of a disk that is away or not in use, while something cannot be read.
    static let keep = "keep it as it is: what cannot be read now may need it"
    /// Where too few disks take shards.
    static let seeToDisks = "see to the disks that are away or take no writes"
    /// Of a disk to which a write does not end, or that can make no new segment.
    static let hanging =
        "look at dmesg and at its controller, and thaw it if somebody froze it (fsfreeze --unfreeze): it is written "
        + "again by itself once the write ends. If that never does, or it can make no new segment, take the disk out "
        + "like one that has failed"

    /// What to do with a disk that a node was given and that is not in use.
    static func unused(_ kind: UnusedDiskReport.Kind) -> String {
        switch kind {
        case .new: "once it is mounted, take it into use"
        case .retired: "take it out; with its folder emptied it can be added anew"
        case .foreign: "nothing on it is touched: put it where it belongs, or take its --disk option away"
        case .unusable: "see to its mount, its cable and its rights, or take its --disk option away"
        }
    }
}
