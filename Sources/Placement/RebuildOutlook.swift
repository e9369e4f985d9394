package import ObjectModel

/// What the blobs of a class survive, by their shards alone, until all that a lost disk held is made anew, and then.
package struct RebuildOutlook: Hashable, Sendable {
    /// The class, or the scheme of blobs that a removed class has left.
    package let name: String
    package let meanwhile: Survival
    package let then: Survival

    /// `standIns`: by group, the disk that takes the lost one's place, a group without one keeping it; nil when a new
    /// disk takes all its places. Disks that are away stay so. nil when the scheme has no groups.
    package init?(
        _ name: String,
        _ scheme: Scheme,
        of store: LossPlan.Store,
        losing lost: DiskID,
        standIns: [GroupID: DiskID]?
    ) {
        var layout = store.layout
        layout.groups.removeAll { $0.scheme != scheme }
        layout.damaged.removeAll { $0.group.scheme != scheme }
        // What it would be worth to what is written into it.
        layout.unused = []
        guard let meanwhile = Survival(layout, without: store.away.union([lost])) else { return nil }
        layout.damaged = []
        var away = store.away
        if let standIns {
            away.insert(lost)
            for index in layout.groups.indices {
                guard let standIn = standIns[layout.groups[index].id] else { continue }
                layout.groups[index].members = layout.groups[index].members.map { $0 == lost ? standIn : $0 }
            }
        } else {
            away.remove(lost)
        }
        guard let then = Survival(layout, without: away) else { return nil }
        (self.name, self.meanwhile, self.then) = (name, meanwhile, then)
    }
}
