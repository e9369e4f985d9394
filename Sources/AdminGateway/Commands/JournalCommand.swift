import ArgumentParser

/// `cairn admin journal …`.
package struct JournalCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "journal",
        abstract: "See to the metadata journal.",
        subcommands: [AcceptLoss.self]
    )

    package init() {}

    /// `cairn admin journal accept-loss`.
    package struct AcceptLoss: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Look no more for what a forced start, or metadata that was put back, may have lost.",
            discussion: """
                Behind a start with --force-journal, or with metadata and journal as they were at an earlier moment, \
                the metadata may lack objects whose shards are on the disks, so nothing is erased that only seems to \
                be garbage. Find and keep what is missing by `cairn salvage` first: from then on it \
                is erased.
                """
        )

        @OptionGroup package var target: AdminTarget

        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            try client.acceptForcedStart()
            return "Accepted: what no metadata names is garbage again, and is erased after its quarantine."
        }
    }
}
