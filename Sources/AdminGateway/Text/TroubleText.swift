/// What the store does not get on with by itself, in words that status and doctor share.
enum TroubleText {
    /// What is wrong.
    static func problem(_ trouble: TroubleReport) -> String {
        switch trouble.work {
        case .checkpoints: "no checkpoint of the metadata can be taken: the journal grows, and a start takes longer"
        case .garbage: "what was deleted is not erased"
        case .keepers: "the journal's keepers cannot be changed"
        case .metadata: "the metadata takes nothing new"
        case .moves: "what was said of moves is not kept"
        case .orphans: "shards that nothing names are not erased"
        case .repack: "mostly dead blobs are not rewritten: their dead bytes stay"
        case .repair: "what was said of a pause of repair is not kept"
        case .rewrites: "objects are not rewritten into their class"
        case .other: "a work of the background does not get on"
        }
    }

    static func action(_ trouble: TroubleReport) -> String {
        switch trouble.work {
        case .moves: "see to the room and the rights of the data folder; then give the pause or the rate again"
        case .repair: "see to the room and the rights of the data folder; then pause or resume it again"
        case .metadata: "free room on the file system of its folder: `df` tells how much there is"
        case .checkpoints, .repack, .rewrites: "see to disks that are away or full; it is tried again by itself"
        case .keepers:
            "see to the disk that is named, bring back what is away, or add a disk; it is tried again by itself"
        case .garbage, .orphans, .other: "look at the log; it is tried again by itself"
        }
    }

    static func command(_ trouble: TroubleReport) -> String {
        switch trouble.work {
        case .moves: "cairn admin moves"
        case .repair: "cairn admin repair"
        case .rewrites: "cairn admin class rewrites"
        default: Ward.listCommand
        }
    }
}
