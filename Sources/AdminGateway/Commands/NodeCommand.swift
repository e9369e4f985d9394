import ArgumentParser

/// `cairn admin node …`.
struct NodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "Let nodes join the cluster, be away for a while, and leave it.",
        subcommands: [List.self, Token.self, MaintenanceCommand.self, Drain.self, Remove.self]
    )

    /// `cairn admin node drain NODE`.
    struct Drain: AdminSubcommand {
        static let configuration = CommandConfiguration(
            abstract: "Move everything off all disks of a node, and take them out of use.",
            discussion: """
                As `cairn admin disk drain`. When it is done the node can be stopped for good, and \
                `cairn admin node remove` forgets it.
                """
        )

        @Argument(help: "The node's name, as `cairn admin disk list` shows it.")
        var node: String
        @Flag(help: "Also when classes then survive fewer losses than now: --dry-run tells.")
        var force = false
        @OptionGroup var target: AdminTarget
        @OptionGroup var options: MoveOptions

        func perform(_ client: AdminClient) throws -> String {
            try options.run(MoveRequest(node: node, isForced: force), client)
        }
    }

    /// `cairn admin node list`.
    struct List: AdminSubcommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the nodes, whether they are heard of, and how many of their disks are in use."
        )

        @OptionGroup var target: AdminTarget
        @Flag(help: "Print everything as JSON.")
        var json = false

        func perform(_ client: AdminClient) throws -> String {
            let report = try client.nodes()
            return json ? try JSONText.text(report) : NodeText.text(report)
        }
    }

    /// `cairn admin node remove NODE`.
    struct Remove: AdminSubcommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget a node that was drained and stopped for good.",
            discussion: """
                Refused while the node runs, and while a disk of it is in use. Nothing is done to the node itself.
                """
        )

        @Argument(help: "The node's name, as `cairn admin node list` shows it.")
        var node: String
        @OptionGroup var target: AdminTarget

        func perform(_ client: AdminClient) throws -> String { NodeText.removed(try client.removeNode(named: node)) }
    }

    /// `cairn admin node token`.
    struct Token: AdminSubcommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a token with which one node may join, once.",
            discussion: """
                The name of a member cannot be taken with it, however long that one has been silent. A member that has \
                lost its folder, or whose certificate has expired, joins again with a token of --replace.
                """
        )

        /// A token that lies about for longer is more likely stolen than used.
        private static let longest = Duration.seconds(7 * 86_400)

        @Option(help: "How long it may be used: a number with s, m, h or d.")
        var valid = "1h"
        @Option(help: "The member that may join again with the token; no other name can.")
        var replace: String?
        @OptionGroup var target: AdminTarget

        func validate() throws {
            guard duration != nil else { throw ValidationError("--valid \(valid): give from 1s to 7d") }
        }

        private var duration: Duration? { DurationText.parse(valid).flatMap { $0 <= Self.longest ? $0 : nil } }

        func perform(_ client: AdminClient) throws -> String {
            try client.makeNodeToken(validFor: Int(duration?.components.seconds ?? 0), replacing: replace).text
        }
    }
}

/// `cairn admin cluster …`.
struct ClusterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Found the store once its nodes have joined.",
        subcommands: [Form.self]
    )

    /// `cairn admin cluster form`.
    struct Form: AdminSubcommand {
        static let configuration = CommandConfiguration(
            abstract: "Make one store of the empty disks of all nodes that have joined.",
            discussion: "Nothing is formatted that holds anything."
        )

        @OptionGroup var target: AdminTarget

        func perform(_ client: AdminClient) throws -> String {
            "The cluster is formed: \(try client.formCluster().text)."
        }
    }
}
