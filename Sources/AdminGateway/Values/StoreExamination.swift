/// A node by its site and name.
package struct NamedNode: Codable, Hashable, Sendable {
    package var site: String
    package var name: String

    package init(site: String, name: String) {
        self.site = site
        self.name = name
    }

    /// `SITE/NODE`.
    var place: String { "\(site)/\(name)" }
}

/// Everything that `cairn admin doctor` judges a running store by.
package struct StoreExamination: Codable, Hashable, Sendable {
    package var status: StatusReport
    /// Why the store has stopped, if it has.
    package var stopReason: String?
    /// It has stopped because another coordinator has taken over.
    @Added package var isSuperseded = false
    /// J keepers have confirmed this coordinator just now: it may answer.
    @AddedAsTrue package var isConfirmed = true
    /// Shards in quarantine that no metadata places.
    @Added package var suspectShards = 0
    /// Blobs that repair could not make whole in its last pass, and mostly dead ones that repack could not read.
    @Added package var blobsNotRepaired = 0
    @Added package var blobsNotRepacked = 0
    /// Shards that the last verification found bad.
    @Added package var badShards = 0
    /// Of those, shards that their disks do not have at all; the others are damaged.
    @Added package var absentShards = 0
    /// By a disk's id: why it is not served.
    @Added package var reasons: [String: String] = [:]
    /// Nodes that do not answer.
    @Added package var silentNodes: [NamedNode] = []
    /// Nodes that answer, so that their disks are used, and do not report.
    @Added package var unheardNodes: [NamedNode] = []
    /// Disks that work and stand in no group, as `SITE/NODE/SLOT`.
    @Added package var idleDisks: [String] = []
    /// Groups with more shards in one place than the disks ask for.
    @Added package var groupsAgainstTheRule = 0
    /// The groups, with the disks that are away left out.
    package var now: OutcomeReport
    /// By the shards, and by the journal.
    package var protection: ProtectionReport?
    package var journal: ProtectionReport?
    package var durability: DurabilityReport

    package init(
        status: StatusReport,
        now: OutcomeReport,
        protection: ProtectionReport?,
        journal: ProtectionReport?,
        durability: DurabilityReport
    ) {
        self.status = status
        self.now = now
        self.protection = protection
        self.journal = journal
        self.durability = durability
    }
}

/// What lies in a data folder, for when no store answers there.
package struct FolderMarks: Codable, Hashable, Sendable {
    package enum Role: String, Codable, Sendable, CaseIterable {
        /// There is no such folder, or it may not be read.
        case none
        case empty
        case store, coordinator, node
    }

    package var role: Role
    /// Another coordinator has taken this one's place.
    package var isSuperseded: Bool

    package init(role: Role, isSuperseded: Bool = false) {
        self.role = role
        self.isSuperseded = isSuperseded
    }
}
