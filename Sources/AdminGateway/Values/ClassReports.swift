/// A storage class: its scheme, and what that is worth on this cluster.
package struct ClassReport: Codable, Hashable, Sendable {
    package var name: String
    package var scheme: String
    /// k and k + m.
    package var dataShards: Int
    package var totalShards: Int
    package var groups: Int
    package var survives: ProtectionReport
    package var durability: DurabilityReport
    /// Buckets whose writes get it where they name no class.
    package var buckets: [String]

    package init(
        name: String,
        scheme: String,
        dataShards: Int,
        totalShards: Int,
        groups: Int,
        survives: ProtectionReport,
        durability: DurabilityReport,
        buckets: [String]
    ) {
        self.name = name
        self.scheme = scheme
        self.dataShards = dataShards
        self.totalShards = totalShards
        self.groups = groups
        self.survives = survives
        self.durability = durability
        self.buckets = buckets
    }
}

/// All classes of a store, `STANDARD` first.
package struct ClassesReport: Codable, Hashable, Sendable {
    package var classes: [ClassReport]
    /// Journal keepers there are, and those that the strongest class needs: the rest joins in the background.
    package var keepers: Int
    package var keepersNeeded: Int
    /// What is left of classes that were removed.
    @Added package var closed: [ClosedGroupsReport]

    package init(classes: [ClassReport], keepers: Int, keepersNeeded: Int, closed: [ClosedGroupsReport] = []) {
        self.closed = closed
        self.classes = classes
        self.keepers = keepers
        self.keepersNeeded = keepersNeeded
    }
}

/// Placement groups of a scheme that no class has any more: they stay until nothing lies in them.
package struct ClosedGroupsReport: Codable, Hashable, Sendable {
    package var scheme: String
    package var groups: Int

    package init(scheme: String, groups: Int) {
        self.scheme = scheme
        self.groups = groups
    }
}

/// A class that is to be added.
package struct ClassRequest: Codable, Hashable, Sendable {
    package var name: String
    package var scheme: String
    /// Only tell what it would be worth.
    package var isDryRun: Bool

    package init(name: String, scheme: String, isDryRun: Bool = false) {
        self.name = name
        self.scheme = scheme
        self.isDryRun = isDryRun
    }
}

/// A class that was added, or would be.
package struct ClassAddition: Codable, Hashable, Sendable {
    package var storageClass: ClassReport
    /// Groups that were made for it; none where its scheme had some.
    package var groupsMade: Int
    package var keepers: Int
    package var keepersNeeded: Int
    package var isDryRun: Bool

    package init(storageClass: ClassReport, groupsMade: Int, keepers: Int, keepersNeeded: Int, isDryRun: Bool) {
        self.storageClass = storageClass
        self.groupsMade = groupsMade
        self.keepers = keepers
        self.keepersNeeded = keepersNeeded
        self.isDryRun = isDryRun
    }
}

/// The class of writes into a bucket that name none.
package struct BucketClass: Codable, Hashable, Sendable {
    package var bucket: String
    /// nil for `STANDARD`.
    package var storageClass: String?

    package init(bucket: String, storageClass: String?) {
        self.bucket = bucket
        self.storageClass = storageClass
    }
}
