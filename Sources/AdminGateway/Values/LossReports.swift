/// `cairn admin plan lose`: what if these were lost at once?
package struct LossQuestion: Codable, Hashable, Sendable {
    /// As `LossTarget` reads them.
    package var targets: [String]
    /// What each disk reads and writes for a rebuild, in units of 1,000,000 bytes a second; above zero.
    package var megabytesPerSecond: Int

    package init(targets: [String], megabytesPerSecond: Int) {
        self.targets = targets
        self.megabytesPerSecond = megabytesPerSecond
    }
}

/// Placement groups by what they can still do.
package struct OutcomeReport: Codable, Hashable, Sendable {
    /// What a client's write meets.
    package enum Writes: String, Codable, Sendable, CaseIterable {
        case full, degraded, refused
    }

    package var groups: Int
    /// Every shard is there; readable with shards missing; some blob below k. They sum up to `groups`.
    package var whole: Int
    package var degraded: Int
    package var belowK: Int
    /// By the writes they take; they sum up to `groups` as well, but for those of classes that were removed.
    package var fullWrites: Int
    package var degradedWrites: Int
    package var noWrites: Int
    /// Of the whole store, which chooses its best groups, as far as shards go: the journal is another matter.
    package var writes: Writes

    /// Whether some groups still take writes: where writes are refused all the same, those of some class are.
    var areSomeWritten: Bool { fullWrites + degradedWrites > 0 }

    package init(
        groups: Int,
        whole: Int,
        degraded: Int,
        belowK: Int,
        fullWrites: Int,
        degradedWrites: Int,
        noWrites: Int,
        writes: Writes
    ) {
        self.groups = groups
        self.whole = whole
        self.degraded = degraded
        self.belowK = belowK
        self.fullWrites = fullWrites
        self.degradedWrites = degradedWrites
        self.noWrites = noWrites
        self.writes = writes
    }
}

/// What may be lost at once, whichever it is, with every blob still readable.
package struct ProtectionReport: Codable, Hashable, Sendable {
    package var disks: Int
    package var nodes: Int
    package var sites: Int
    /// Shards beyond k of the worst blob; below zero: shards it is short of.
    package var spares: Int
    /// The same after the loss of the site that hurts most.
    package var sparesWithoutSite: Int

    package init(disks: Int, nodes: Int, sites: Int, spares: Int, sparesWithoutSite: Int) {
        self.disks = disks
        self.nodes = nodes
        self.sites = sites
        self.spares = spares
        self.sparesWithoutSite = sparesWithoutSite
    }

    /// What may be lost where the journal, of which that much may be lost, has to go on as well: without it nothing is
    /// read. `spares` stay those of the shards.
    package func limited(by journal: ProtectionReport?) -> ProtectionReport {
        guard let journal else { return self }
        return ProtectionReport(
            disks: min(disks, journal.disks),
            nodes: min(nodes, journal.nodes),
            sites: min(sites, journal.sites),
            spares: spares,
            sparesWithoutSite: min(sparesWithoutSite, journal.sparesWithoutSite)
        )
    }

    /// Whether less may be lost than `other` says, of anything that may be lost at all.
    package func isLess(than other: ProtectionReport) -> Bool {
        disks < other.disks || nodes < other.nodes || sites < other.sites
            || (other.sites > 0 && sparesWithoutSite < other.sparesWithoutSite)
    }
}

/// How likely the store loses no data within a year, by a model (Docs/Placement.md).
package struct DurabilityReport: Codable, Hashable, Sendable {
    /// `-log10` of the chance of losing some data within a year: by disks that fail one by one, and with whole sites.
    package var ninesByDisks: Double
    package var nines: Double
    /// What the model was told: the share of disks that fail in a year, hours until a lost disk's shards are made anew,
    /// the chance that a site is destroyed within a year.
    package var diskFailuresPerYear: Double
    package var repairHours: Double
    package var siteLossPerYear: Double

    package init(
        ninesByDisks: Double,
        nines: Double,
        diskFailuresPerYear: Double,
        repairHours: Double,
        siteLossPerYear: Double
    ) {
        self.ninesByDisks = ninesByDisks
        self.nines = nines
        self.diskFailuresPerYear = diskFailuresPerYear
        self.repairHours = repairHours
        self.siteLossPerYear = siteLossPerYear
    }
}

/// The answer to a `LossQuestion`. Nothing was changed for it.
package struct LossPlanReport: Codable, Hashable, Sendable {
    /// The disks in question, and those that are away already and taken to stay so: `SITE/NODE/SLOT`.
    package var lost: [String]
    package var away: [String]
    package var before: OutcomeReport
    package var after: OutcomeReport
    /// By the shards, and by the journal, whose spares are keepers beyond those needed.
    package var protectionBefore: ProtectionReport?
    package var protectionAfter: ProtectionReport?
    package var journalBefore: ProtectionReport?
    package var journalAfter: ProtectionReport?
    /// Journal keepers: all, those left, those needed. With fewer the store stops until enough are back.
    package var keepers: Int
    package var keepersLeft: Int
    package var keepersNeeded: Int
    /// Changes that were acknowledged may lie on lost keepers alone: gone for good with them.
    @AddedAsTrue package var mayLoseChanges: Bool
    package var bytesToRebuild: Int
    /// Bytes of data, as it lies on disks and without parity, that could not be read.
    package var bytesBelowK: Int
    /// Groups whose lost shards wait for a new disk, because none is left that keeps them spread.
    package var groupsWithoutStandIn: Int
    package var megabytesPerSecond: Int
    /// At that rate, at least; nil when there is nothing to rebuild, or too little left to do it from.
    package var rebuildSeconds: Int?
    /// The chance that something more falls below k before the rebuild, once begun, is done.
    package var riskMeanwhile: Double
    /// Of the store as it is.
    package var durability: DurabilityReport
    /// False when more shards are missing than were looked at: the answer then may be too good.
    package var isComplete: Bool

    package init(
        lost: [String],
        away: [String],
        before: OutcomeReport,
        after: OutcomeReport,
        protectionBefore: ProtectionReport?,
        protectionAfter: ProtectionReport?,
        journalBefore: ProtectionReport?,
        journalAfter: ProtectionReport?,
        keepers: Int,
        keepersLeft: Int,
        keepersNeeded: Int,
        mayLoseChanges: Bool,
        bytesToRebuild: Int,
        bytesBelowK: Int,
        groupsWithoutStandIn: Int,
        megabytesPerSecond: Int,
        rebuildSeconds: Int?,
        riskMeanwhile: Double,
        durability: DurabilityReport,
        isComplete: Bool
    ) {
        self.lost = lost
        self.away = away
        self.before = before
        self.after = after
        self.protectionBefore = protectionBefore
        self.protectionAfter = protectionAfter
        self.journalBefore = journalBefore
        self.journalAfter = journalAfter
        self.keepers = keepers
        self.keepersLeft = keepersLeft
        self.keepersNeeded = keepersNeeded
        self.mayLoseChanges = mayLoseChanges
        self.bytesToRebuild = bytesToRebuild
        self.bytesBelowK = bytesBelowK
        self.groupsWithoutStandIn = groupsWithoutStandIn
        self.megabytesPerSecond = megabytesPerSecond
        self.rebuildSeconds = rebuildSeconds
        self.riskMeanwhile = riskMeanwhile
        self.durability = durability
        self.isComplete = isComplete
    }
}
