import ArgumentParser

/// `cairn admin class …`.
package struct ClassCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "class",
        abstract: "Add, list, remove and apply storage classes: several schemes side by side.",
        subcommands: [Add.self, List.self, Remove.self, Apply.self, Rewrites.self]
    )

    package init() {}

    /// `cairn admin class add NAME`.
    package struct Add: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Add a class, and show what its objects survive.",
            discussion: """
                Clients choose it by x-amz-storage-class, buckets by `cairn admin bucket class`. It is refused when \
                these disks could not hold what its scheme promises.
                """
        )

        @Argument(help: "Upper-case letters, digits, _ and -.")
        var name: String
        @Option(help: "rs-K-M: any K of K + M shards are enough to read.")
        var scheme: String
        @Flag(help: "Only show what it would survive.")
        var dryRun = false
        @Flag(help: "Print everything as JSON.")
        var json = false
        @OptionGroup package var target: AdminTarget

        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            let done = try client.addClass(ClassRequest(name: name, scheme: scheme, isDryRun: dryRun))
            return json ? try JSONText.text(done) : ClassText.addition(done)
        }
    }

    /// `cairn admin class list`.
    package struct List: AdminSubcommand {
        package static let configuration = CommandConfiguration(abstract: "Show every class and what it survives.")

        @Flag(help: "Print everything as JSON.")
        var json = false
        @OptionGroup package var target: AdminTarget

        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            let report = try client.classes()
            return json ? try JSONText.text(report) : ClassText.list(report)
        }
    }

    /// `cairn admin class remove NAME`.
    package struct Remove: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Remove a class that is no bucket's default.",
            discussion: "Its objects stay as they are; new ones with its label are stored as the bucket's default says."
        )

        @Argument(help: "The class's name.")
        var name: String
        @OptionGroup package var target: AdminTarget

        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            try client.removeClass(named: name)
            return "Class \(name) is removed. Objects that were written in it stay as they are."
        }
    }
}

/// `cairn admin bucket …`.
package struct BucketCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "bucket",
        abstract: "Set what applies to a bucket.",
        subcommands: [Class.self]
    )

    package init() {}

    /// `cairn admin bucket class BUCKET CLASS`.
    package struct Class: AdminSubcommand {
        package static let configuration = CommandConfiguration(
            abstract: "Set the storage class of writes into a bucket that name none.",
            discussion: "Objects that are there already stay as they are, until `cairn admin class apply`."
        )

        @Argument(help: "The bucket's name.")
        var bucket: String
        @Argument(help: "A class, as `cairn admin class list` shows it, or none.")
        var storageClass: String
        @OptionGroup package var target: AdminTarget

        package init() {}

        package func perform(_ client: AdminClient) throws -> String {
            let name = storageClass == "none" ? nil : storageClass
            let done = try client.setBucketClass(BucketClass(bucket: bucket, storageClass: name))
            return "Writes into \(done.bucket) that name no class get \(done.storageClass ?? "STANDARD") from now on."
        }
    }
}
