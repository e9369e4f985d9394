import AdminGateway
import ArgumentParser
import Foundation
import Testing

@Suite("The commands of cairn admin")
struct AdminCommandTests {
    @Test("status, lists and users are parsed, asked for and printed")
    func commands() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                #expect(try output(["status"], client).hasPrefix("OK"))
                let json = try output(["status", "--json", "--data", folder], client)
                #expect(try JSONDecoder().decode(StatusReport.self, from: Data(json.utf8)) == .sample())
                #expect(try output(["disk", "list"], client).split(separator: "\n").count == 7)
                #expect(try output(["disk", "replace", "default/n1/2"], client).contains("1,234 shards, 5.0 MB"))
                let added = try output(
                    ["user", "add", "pacs", "--access-key", "AK", "--secret-key", "SK", "--display-name", "PACS"],
                    client
                )
                #expect(added.contains("Access key  AK") && added.contains("Secret key  SK"))
                let list = try output(["user", "list"], client)
                #expect(list.contains("pacs") && !list.contains("SK"))
                #expect(try output(["user", "remove", "pacs"], client) == "User pacs is removed.")
                #expect(try output(["user", "list"], client).contains("no users"))
                #expect(try output(["scrub"], client).contains("12,000 shards, 34.0 GB"))
            }
        }
    }

    @Test("the scrub is paused, resumed and asked to read now, everywhere or on what is named")
    func scrub() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                #expect(try output(["scrub", "now"], client).contains("12,000 shards"))
                #expect(try output(["scrub", "now", "--disk", "n1/3"], client).hasPrefix("Reading n1/3 - -."))
                #expect(try output(["scrub", "--node", "n1"], client).hasPrefix("Reading - n1 -."))
                #expect(try output(["scrub", "now", "--bucket", "b"], client).hasPrefix("Reading - - b."))
                let watched = try output(["scrub", "now", "--bucket", "b", "--watch"], client)
                #expect(watched.hasPrefix("Done: no disk is being read; "))
                #expect(try output(["scrub", "status", "--watch"], client) == watched)
                #expect(try output(["scrub", "pause"], client) == "Paused - -.")
                #expect(try output(["scrub", "status"], client).hasPrefix("PAUSED"))
                #expect(throws: AdminError.self) { try output(["scrub", "now", "--disk", "n1/3"], client) }
                #expect(try output(["scrub", "resume", "--node", "n1"], client) == "Resumed - n1.")
                let json = try output(["scrub", "status", "--json"], client)
                #expect(try JSONDecoder().decode(ScrubReport.self, from: Data(json.utf8)) == ScrubReport())
            }
        }
        let senseless = [
            ["now", "--disk", "a", "--node", "b"], ["now", "--disk", "a", "--bucket", "b"], ["halt"],
            ["status", "--watch", "--json"],
        ]
        for arguments in senseless {
            #expect(throws: (any Error).self) { try AdminCommand.parseAsRoot(["scrub"] + arguments) }
        }
    }

    @Test("classes are added, listed and removed, and become a bucket's default")
    func classes() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                let tried = try output(["class", "add", "COLD", "--scheme", "rs-6-3", "--dry-run"], client)
                #expect(tried.hasPrefix("Would add class COLD: rs-6-3.") && tried.hasSuffix("Nothing was changed."))
                #expect(tried.contains("any 3 disks") && tried.contains("1.50 bytes") && tried.contains("7 are needed"))
                #expect(try !output(["class", "list"], client).contains("COLD"))
                #expect(try output(["class", "add", "COLD", "--scheme", "rs-6-3"], client).contains("32 new"))
                #expect(throws: AdminError.self) { try output(["class", "add", "DEEP", "--scheme", "rs-8-7"], client) }
                let set = try output(["bucket", "class", "ct", "COLD"], client)
                #expect(set == "Writes into ct that name no class get COLD from now on.")
                let list = try output(["class", "list"], client)
                #expect(list.contains("COLD") && list.contains("rs-6-3") && list.contains("ct"))
                #expect(list.contains("3 groups of rs-9-3 left of a removed class"))
                let json = try output(["class", "list", "--json"], client)
                let report = try JSONDecoder().decode(ClassesReport.self, from: Data(json.utf8))
                #expect(report.classes.map(\.buckets) == [["ct"]])
                #expect(throws: AdminError.self) { try output(["class", "remove", "COLD"], client) }
                #expect(try output(["bucket", "class", "ct", "none"], client).contains("STANDARD"))
                #expect(try output(["class", "remove", "DEEP"], client).hasPrefix("Class DEEP is removed."))
            }
        }
        for arguments in [["class", "add", "COLD"], ["class", "remove"], ["bucket", "class", "ct"]] {
            #expect(throws: (any Error).self) { _ = try AdminCommand.parseAsRoot(arguments) }
        }
    }

    @Test("the rates of repair are said as they were given, and until when they hold")
    func repairRate() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                let text = try output(["repair", "rate", "--disk", "7", "--wan", "20"], client)
                #expect(text.contains("7 MiB/s of each disk") && text.contains("sites 20 MiB/s at most"))
                #expect(text.contains("holds until the program starts again") && text.contains("--repair-rate"))
            }
        }
    }

    @Test("repair is paused for a time or until it is resumed")
    func repairPause() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                let timed = try output(["repair", "pause", "--for", "2h"], client)
                #expect(timed.hasPrefix("Repair is paused for another 2 h: ") && timed.contains("repair resume\n"))
                let open = try output(["repair", "pause"], client)
                #expect(open.hasPrefix("Repair is paused until it is resumed: "))
                #expect(try output(["repair"], client).hasPrefix("Repair: PAUSED until it is resumed"))
                let json = try output(["repair", "status", "--json"], client)
                let report = try JSONDecoder().decode(RepairReport.self, from: Data(json.utf8))
                #expect(report.paused && report.pauseSecondsLeft == nil)
                #expect(try output(["repair", "resume"], client).hasPrefix("Going on. Repair: idle, nothing to do."))
            }
        }
        for time in ["0s", "31d", "soon", "-1h"] {
            #expect(throws: (any Error).self) { try AdminCommand.parseAsRoot(["repair", "pause", "--for", time]) }
        }
    }

    @Test("disks are added, emptied and evened out, and moves are shown, paused and cancelled")
    func moves() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                let added = try output(["disk", "add", "--node", "node-1", "--slot", "disk-9"], client)
                #expect(added.hasPrefix("Added: site-1/node-1/disk-9.\nMoving 3 places, 6.3 MB"))
                let only = try output(["disk", "add", "--node", "node-1", "--no-rebalance"], client)
                let slow = try output(["disk", "add", "--node", "node-1", "--rate", "2"], client)
                #expect(slow.contains("Moving 3 places, 6.3 MB: 3 s or more at the rate allowed."))
                #expect(only.contains("hold nothing until"))
                #expect(throws: AdminError.self) { try output(["disk", "add", "--node", "node-2"], client) }
                let plan = try output(["disk", "drain", "a", "b", "--dry-run", "--rate", "2"], client)
                #expect(plan.hasPrefix("Would move 3 places, 6.3 MB: 3 s") && plan.contains("a: 6.3 MB -> 0 B"))
                #expect(try output(["node", "drain", "n1"], client).contains("n1/all: 6.3 MB -> 0 B"))
                #expect(try output(["rebalance"], client).contains("every: 6.3 MB -> 0 B"))
                let json = try output(["rebalance", "--json", "--dry-run"], client)
                #expect(try JSONDecoder().decode(MovePlanReport.self, from: Data(json.utf8)).isDryRun)
                #expect(try output(["moves"], client).hasPrefix("To move: 2 places, 20 shards"))
                #expect(try output(["moves", "pause"], client).contains("; paused"))
                #expect(try output(["moves", "resume"], client).contains("being emptied: site-1/node-1/disk-1"))
                #expect(try output(["moves", "cancel"], client).hasSuffix("Nothing is being moved."))
            }
        }
        let senseless = [
            ["disk", "drain"], ["rebalance", "--rate", "0"], ["rebalance", "--watch", "--json"],
            ["repair", "--watch", "--json"],
            ["rebalance", "--rate", "9000000000000000000"],
            ["disk", "add", "--node", "node-1", "--rate", "0"],
            ["disk", "add", "--node", "node-1", "--rate", "2000000"],
            ["disk", "add", "--node", "node-1", "--no-rebalance", "--watch"],
        ]
        for arguments in senseless {
            #expect(throws: (any Error).self) { try AdminCommand.parseAsRoot(arguments) }
        }
    }

    @Test("a node is taken down for a while, with what is at risk meanwhile")
    func maintenance() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                let begin = ["node", "maintenance", "begin", "n1", "--for", "8h"]
                #expect(try output(begin + ["--dry-run"], client).contains("Survives then"))
                #expect(try output(["node", "maintenance"], client) == "No node is in maintenance.")
                let begun = try output(begin, client)
                #expect(begun.contains("n1 is in maintenance for another 8 h"))
                #expect(begun.hasSuffix("cairn admin node maintenance end n1"))
                #expect(try output(["status"], client).contains("\nMaintenance   "))
                #expect(try output(["node", "maintenance", "end", "n1"], client) == "No node is in maintenance.")
                #expect(throws: AdminError.self) {
                    try output(["node", "maintenance", "end", "nowhere"], client)
                }
            }
        }
        for time in ["8", "0h", "h", "31d", "-1h", "9223372036854775807d"] {
            #expect(throws: (any Error).self) {
                try AdminCommand.parseAsRoot(["node", "maintenance", "begin", "n1", "--for=\(time)"])
            }
        }
    }

    @Test("what a forced start may have lost is accepted once")
    func acceptLoss() async throws {
        try await withFolder { folder in
            let service = MemoryService()
            try await withServer(service, in: folder) { client throws in
                #expect(throws: AdminError.self) { try output(["journal", "accept-loss"], client) }
                service.change { $0.forcedStart = ForcedStartReport(time: 7, isAccepted: false) }
                #expect(try output(["status"], client).contains("a start was forced"))
                #expect(try output(["journal", "accept-loss"], client).hasPrefix("Accepted"))
                #expect(try !output(["status"], client).contains("a start was forced"))
                #expect(try client.status().forcedStart?.isAccepted == true)
            }
        }
    }

    @Test("nodes are listed, and one that has left is forgotten")
    func nodes() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                let list = try output(["node", "list"], client)
                #expect(list.contains("s1/n1  up"))
                #expect(list.contains("s1/n2  DOWN       0  10.0.0.2:7400"))
                #expect(try output(["node", "list", "--json"], client).contains("\"isPresent\""))
                #expect(try output(["node", "remove", "n2"], client).contains("s1/n2 is no member any more"))
                #expect(try !output(["node", "list"], client).contains("n2"))
                #expect(throws: AdminError.self) { try output(["node", "remove", "n2"], client) }
            }
        }
    }

    @Test("the recovery kit goes to a new file of mode 0600 and overwrites nothing")
    func recoveryKit() async throws {
        try await withFolder { folder in
            let service = MemoryService()
            service.change { $0.recoveryKitTaken = false }
            try await withServer(service, in: folder) { client throws in
                let file = "\(folder)/kit"
                try Data("other".utf8).write(to: URL(fileURLWithPath: file))
                #expect(throws: AdminError.self) { try output(["recovery-kit", "--to", file], client) }
                #expect(try !client.status().recoveryKitTaken)
                try FileManager.default.removeItem(atPath: file)
                _ = try output(["recovery-kit", "--to", file], client)
                #expect(try String(contentsOfFile: file, encoding: .utf8).contains("Zm9v äöü"))
                #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
                #expect(try client.status().recoveryKitTaken)
            }
        }
    }

    @Test("running a command speaks to the store on --data, and fails with advice when there is none")
    func run() async throws {
        try await withFolder { folder in
            let error = await #expect(throws: AdminError.self) {
                try await blocking {
                    var command = try AdminCommand.parseAsRoot(["status", "--data", folder])
                    try command.run()
                }
            }
            #expect(error?.code == .notRunning)
            #expect(AdminCommand.message(for: error ?? AdminError(.failed, "")).contains("cairn serve --data"))
            #expect(AdminCommand.exitCode(for: error ?? AdminError(.failed, "")) == .failure)
        }
    }

    @Test("the data folder comes from the option, else from the environment, else is asked for")
    func target() throws {
        let named = try AdminTarget.parse(["--data", "a"])
        let unnamed = try AdminTarget.parse([])
        #expect(try named.directory(["CAIRN_DATA": "b"]) == "a")
        #expect(try unnamed.directory(["CAIRN_DATA": "b"]) == "b")
        #expect(throws: AdminError.self) { try unnamed.directory([:]) }
    }

    @Test(
        "arguments that make no sense are refused",
        arguments: [["user", "add"], ["disk", "replace"], ["frobnicate"]]
    )
    func refused(arguments: [String]) {
        #expect(throws: (any Error).self) { try AdminCommand.parseAsRoot(arguments) }
        #expect(throws: (any Error).self) { try AdminCommand.parseAsRoot(["user", "add", "x", "--secret-key", "y"]) }
    }

    private func output(_ arguments: [String], _ client: AdminClient) throws -> String {
        let command = try #require(try AdminCommand.parseAsRoot(arguments) as? any AdminSubcommand)
        return try command.perform(client)
    }
}
