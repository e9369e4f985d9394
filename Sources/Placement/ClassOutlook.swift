package import ObjectModel

/// What the blobs of a class survive now, and what they would once shards and journal have moved; as if every disk in
/// use answered.
package struct ClassOutlook: Hashable, Sendable {
    /// The class, or the scheme of blobs that a removed class has left.
    package let name: String
    package let now: Survival
    package let then: Survival
    /// The journal bears less than the shards, now and then, and they would bear less than they do: data could be lost
    /// by fewer losses, though the store would stop no sooner.
    package let isOfShardsAlone: Bool

    /// Less would be survived, of anything that can be lost at all.
    package var isLower: Bool { then.isLess(than: now) }

    /// nil when the scheme has no groups.
    package init?(
        _ name: String,
        _ scheme: Scheme,
        from before: GrowthPlan.State,
        keptBy keepers: LossPlan.Keepers,
        to after: GrowthPlan.State,
        keptBy keepersThen: LossPlan.Keepers
    ) {
        guard let shards = before.survival(of: scheme), let shardsThen = after.survival(of: scheme) else { return nil }
        let whole = shards.limited(by: before.survival(of: keepers))
        let wholeThen = shardsThen.limited(by: after.survival(of: keepersThen))
        self.name = name
        isOfShardsAlone = shardsThen.isLess(than: shards) && !wholeThen.isLess(than: whole)
        (now, then) = isOfShardsAlone ? (shards, shardsThen) : (whole, wholeThen)
    }
}

extension GrowthPlan.State {
    /// The same disks once these places have moved.
    package func moved(_ moves: [PlaceMove]) -> Self {
        var members = Dictionary(groups.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        for move in moves { members[move.group]?.members[Int(move.shard)] = move.to }
        return Self(disks: disks, groups: members.values.sorted { $0.id < $1.id }, bytes: [:])
    }
}
