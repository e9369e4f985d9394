/// What status and doctor say of room that is short, in the same words.
enum RoomText {
    static func problem(_ room: RoomReport) -> String {
        let classes = room.classes.joined(separator: " and ")
        return switch room.state {
        case .nearlyFull: "large objects of \(classes) are soon refused: too many disks are nearly full"
        case .degraded: "large objects of \(classes) are kept with fewer shards than they should be, for want of room"
        case .largeRefused: "large objects of \(classes) are refused (507): too little room"
        case .refused: "new objects of \(classes) are refused (507): no room"
        }
    }

    static func disks(_ room: RoomReport) -> String {
        if room.disks.isEmpty { return "no disk is too full: some are away, or metadata or journal have no room" }
        return room.state == .nearlyFull
            ? "at \(DiskReport.nearlyFullPercent) % or more: \(Ward.names(room.disks))"
            : "too full: \(Ward.names(room.disks))"
    }

    static let action =
        "add disks or nodes (`cairn admin plan add` says beforehand what they bring), or delete objects: reads and "
        + "deletes go on"

    static func isRefusal(_ room: RoomReport) -> Bool { room.state == .largeRefused || room.state == .refused }
}
