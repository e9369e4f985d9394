/// What giving up a disk would come to. Nothing was changed for it.
package struct DiskLossReport: Codable, Hashable, Sendable {
    /// What a class survives by its shards.
    package struct Class: Codable, Hashable, Sendable {
        package var name: String
        /// Until all is made anew, and then.
        package var meanwhile: ProtectionReport
        package var then: ProtectionReport

        package init(name: String, meanwhile: ProtectionReport, then: ProtectionReport) {
            self.name = name
            self.meanwhile = meanwhile
            self.then = then
        }
    }

    /// `SITE/NODE/SLOT`.
    package var disk: String
    package var path: String
    /// A new disk stands in its place; else others take it.
    package var isReplaced: Bool
    /// Groups in which its shards would be made anew, and those that have no other disk for it.
    package var groupsMoved: Int
    package var groupsLeft: Int
    package var bytes: Int
    /// Bytes, as many as reading needs, of which too few shards are left.
    package var bytesBelowK: Int
    package var megabytesPerSecond: Int
    /// At that rate, at least; nil when nothing is made anew.
    package var seconds: Int?
    /// The chance that something more falls below k before it is done.
    package var riskMeanwhile: Double
    package var classes: [Class]
    /// What the journal survives until then, and then.
    package var journal: ProtectionReport?
    package var journalThen: ProtectionReport?
    /// Why it would be refused as things are.
    package var refusal: String?

    package init(
        disk: String,
        path: String,
        isReplaced: Bool,
        groupsMoved: Int,
        groupsLeft: Int,
        bytes: Int,
        bytesBelowK: Int,
        megabytesPerSecond: Int,
        seconds: Int?,
        riskMeanwhile: Double,
        classes: [Class],
        journal: ProtectionReport?,
        journalThen: ProtectionReport?,
        refusal: String?
    ) {
        self.disk = disk
        self.path = path
        self.isReplaced = isReplaced
        self.groupsMoved = groupsMoved
        self.groupsLeft = groupsLeft
        self.bytes = bytes
        self.bytesBelowK = bytesBelowK
        self.megabytesPerSecond = megabytesPerSecond
        self.seconds = seconds
        self.riskMeanwhile = riskMeanwhile
        self.classes = classes
        self.journal = journal
        self.journalThen = journalThen
        self.refusal = refusal
    }
}
