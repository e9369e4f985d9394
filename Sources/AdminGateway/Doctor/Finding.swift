/// Something that is not as it should be.
package struct Finding: Codable, Hashable, Sendable {
    /// From the least to the worst.
    package enum Severity: String, Codable, Sendable, CaseIterable, Comparable {
        /// Worth knowing; nothing is wrong.
        case hint
        /// To be seen to this week.
        case notice
        /// Redundancy is lower than it should be.
        case warning
        /// Objects cannot be read, nothing can be written, or one more loss would make it so.
        case critical

        package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    package var severity: Severity
    package var problem: String
    package var cause: String
    /// What the operator should do, and leave.
    package var action: String
    /// The safe next command; nil where none helps.
    package var command: String?

    package init(_ severity: Severity, _ problem: String, cause: String, action: String, command: String? = nil) {
        self.severity = severity
        self.problem = problem
        self.cause = cause
        self.action = action
        self.command = command
    }
}

/// What `cairn admin doctor --json` prints.
package struct Checkup: Codable, Hashable, Sendable {
    package var findings: [Finding]
    /// Of the store that answered, if one did.
    package var now: OutcomeReport?
    /// By the shards, and by the journal.
    package var protection: ProtectionReport?
    package var journal: ProtectionReport?
    package var durability: DurabilityReport?
    /// No finding is more than a hint.
    package var isHealthy: Bool

    package init(_ examination: StoreExamination) {
        findings = Doctor.findings(in: examination)
        now = examination.now
        protection = examination.protection
        journal = examination.journal
        durability = examination.durability
        isHealthy = Doctor.isHealthy(findings)
    }

    /// Of a store that gave an error instead of an answer.
    package init(_ error: AdminError, folder: FolderMarks, path: String) {
        findings = [Doctor.finding(for: error, folder: folder, path: path)]
        isHealthy = false
    }
}
