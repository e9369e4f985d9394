import ArgumentParser
import ClusterTransport
import Foundation
import LinuxSystem
import ObjectModel
import SystemInterface

/// `cairn cluster`: what is done once, before a cluster's processes run.
struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Make a cluster of many nodes.",
        subcommands: [Init.self]
    )

    struct Init: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "init",
            abstract: "Make the cluster's id, its certificate authority, its keys, and the coordinator's folder."
        )

        @Option(help: "The coordinator's data folder; must not hold a store.")
        var data: String
        @Option(help: "Address and port on which the coordinator takes calls of the nodes.")
        var listen = "127.0.0.1:7400"
        @Option(help: "The erasure code: rs-K-M.")
        var scheme = "rs-4-2"
        @Option(help: "The region that clients sign for.")
        var region = "us-east-1"

        func run() async throws {
            guard let scheme = Scheme(name: scheme) else {
                throw ValidationError(
                    "--scheme \(self.scheme): give rs-K-M with K + M at most \(Scheme.maximumShardCount)"
                )
            }
            _ = try ListenAddress(listen, option: "--listen")
            let folder = DataFolder(path: data)
            let store = ClusterFiles(files: try await folder.open())
            try store.checkNotTakingOver()
            if try DataFolder.read(store.root + "/cluster.json") != nil {
                throw ServeError("\(data) has a cluster already: start `cairn coordinator --data \(data)`")
            }
            let random = LinuxRandom()
            var generator = random.generator
            let cluster = ClusterID(.random(using: &generator))
            _ = try await MasterKey.load(given: nil, folder: folder, files: store.files, isExpected: false)
            let root = try await RootCredentials.load(folder: folder, files: store.files, random: random)
            try await store.write(try ClusterAuthority.make(cluster: cluster.description, now: LinuxTime().wall))
            try await store.write(
                ClusterFiles.Settings(
                    cluster: cluster.description,
                    scheme: scheme.name,
                    region: region,
                    listen: listen
                )
            )
            print(text(cluster: cluster, root: root))
            RootCredentials.noteSeen(in: folder)
        }

        private func text(cluster: ClusterID, root: RootCredentials) -> String {
            var lines = ["cluster \(cluster) is made in \(data)"]
            lines += root.lines(folder: data)
            return
                (lines + [
                    "Next:",
                    "  cairn coordinator --data \(data)",
                    "  cairn admin node token --data \(data)          once for each node; on the node then:",
                    "  cairn node --data DIR --join \(listen) --token TOKEN --name NAME --site SITE \\",
                    "      --listen ADDRESS:PORT --s3 ADDRESS:PORT --disk PATH …",
                    "  cairn admin cluster form --data \(data)        when all of them have joined",
                ]).joined(separator: "\n")
        }
    }
}
