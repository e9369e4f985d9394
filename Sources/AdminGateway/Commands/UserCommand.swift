import ArgumentParser

/// `cairn admin user …`.
package struct UserCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Add, list and remove users.",
        subcommands: [Add.self, List.self, Remove.self]
    )

    package init() {}

    /// `cairn admin user add NAME`.
    package struct Add: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Add a user and print its keys, this once."
        )

        @Argument(help: "The user's name.")
        var name: String
        @Option(help: "Made by the store when not given.")
        var accessKey: String?
        @Option(help: "Made by the store when not given.")
        var secretKey: String?
        @Option(help: "The canonical id that owns buckets; made by the store when not given.")
        var id: String?
        @Option(help: "The name that S3 answers show.")
        var displayName: String?
        @Option(help: "For your own records.")
        var email: String?
        @OptionGroup package var target: AdminTarget

        package init() {}

        package func validate() throws {
            if secretKey != nil, accessKey == nil { throw ValidationError("--secret-key needs --access-key.") }
        }

        package func perform(_ client: AdminClient) throws -> String {
            let keys = try client.addUser(
                NewUser(
                    name: name,
                    accessKey: accessKey,
                    secretKey: secretKey,
                    id: id,
                    displayName: displayName,
                    email: email
                )
            )
            return """
                User        \(keys.name)
                Id          \(keys.id)
                Access key  \(keys.accessKey)
                Secret key  \(keys.secretKey)
                The secret key is not shown again: keep it now.
                """
        }
    }

    /// `cairn admin user list`.
    package struct List: AdminSubcommand {
        package static let configuration = CommandConfiguration(abstract: "Show every user, without secrets.")

        @OptionGroup package var target: AdminTarget
        @Flag(help: "Print everything as JSON.")
        var json = false

        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            let users = try client.users()
            if json { return try JSONText.text(users) }
            guard !users.isEmpty else { return "There are no users. Add one with: cairn admin user add NAME" }
            var table = TextTable(
                ("NAME", .left),
                ("ACCESS KEY", .left),
                ("BUCKETS", .right),
                ("DISPLAY NAME", .left),
                ("EMAIL", .left),
                ("ID", .left)
            )
            for user in users {
                table.add(
                    user.name,
                    user.accessKey,
                    Words.count(user.buckets),
                    user.displayName ?? "-",
                    user.email ?? "-",
                    user.id
                )
            }
            return table.lines.joined(separator: "\n")
        }
    }

    /// `cairn admin user remove NAME`.
    package struct Remove: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Remove a user: its keys stop working, its buckets stay."
        )

        @Argument(help: "The user's name.")
        var name: String
        @OptionGroup package var target: AdminTarget

        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            try client.removeUser(named: name)
            return "User \(name) is removed."
        }
    }
}
