import AdminGateway
import ArgumentParser
import Foundation
import Testing

@Suite("Dry runs of disk commands")
struct DiskDryRunTests {
    private func output(_ arguments: [String], _ client: AdminClient) throws -> String {
        let command = try #require(try AdminCommand.parseAsRoot(arguments) as? any AdminSubcommand)
        return try command.perform(client)
    }

    @Test("disks that would be added are named, with what would move to them")
    func added() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                let add = ["disk", "add", "--node", "node-1", "--dry-run"]
                let told = try output(add + ["--rate", "2"], client)
                #expect(
                    told.hasPrefix(
                        """
                        Would add: site-1/node-1/disk-7; taken for as large as the smallest disk in use, 4.0 TB each.
                        Would move 3 places, 6.3 MB: 3 s or more at the rate allowed.
                        Nothing lacks a shard meanwhile
                        """
                    )
                )
                #expect(told.hasSuffix("\nNothing was changed."))
                #expect(try output(add + ["--no-rebalance"], client).contains("\nThey would hold nothing until: cairn"))
                #expect(throws: AdminError.self) { try output(["disk", "add", "--node", "n", "--dry-run"], client) }
            }
        }
    }

    @Test("a disk that would be given up: bytes, time, what is survived meanwhile, and why it would be refused")
    func givenUp() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                let replaced = try output(["disk", "replace", "default/n1/2", "--dry-run"], client)
                #expect(
                    replaced == """
                        Would make 12 places anew on an empty disk at /data/disk2, 990 GB: 9 h or more at 30 MB/s \
                        a disk.
                        What lies there lacks a shard until that is made anew from others: about 1 in 4,000,000 that \
                        more falls below k before it is done.
                        STANDARD survives meanwhile any 1 disk; no node; no site (then: any 2 disks; no node; no site).
                        ! This is refused as things are: it is needed
                        Nothing was changed.
                        """
                )
                let retired = try output(["disk", "retire", "default/n1/2", "--dry-run", "--force"], client)
                #expect(retired.hasPrefix("Would make 12 places anew on other disks, 990 GB: 9 h or more"))
                #expect(retired.contains("\nThe disk would be in use no more.\n") && !retired.contains("refused"))
                #expect(throws: AdminError.self) { try output(["disk", "retire", "nowhere", "--dry-run"], client) }
            }
        }
    }

    @Test("each plan is told as JSON, too, with why it would be refused, and what is done is not")
    func json() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                func plan<Plan: Decodable>(_ type: Plan.Type, _ arguments: [String]) throws -> Plan {
                    let told = try output(["disk"] + arguments + ["--dry-run", "--json"], client)
                    return try JSONDecoder().decode(type, from: Data(told.utf8))
                }
                let added = try plan(DiskAdditionReport.self, ["add", "--node", "node-1"])
                #expect(added.disks == ["site-1/node-1/disk-7"] && added.moves.places == 3 && added.moves.isDryRun)
                let replaced = try plan(DiskLossReport.self, ["replace", "default/n1/2"])
                #expect(replaced.isReplaced && replaced.groupsMoved == 12 && replaced.refusal == "it is needed")
                let retired = try plan(DiskLossReport.self, ["retire", "default/n1/2", "--force"])
                #expect(!retired.isReplaced && retired.bytes == replaced.bytes && retired.refusal == nil)
            }
        }
        for command in [["add", "--node", "n"], ["replace", "d"], ["retire", "d"]] {
            #expect(throws: (any Error).self) { try AdminCommand.parseAsRoot(["disk"] + command + ["--json"]) }
        }
    }

    @Test("what cannot be made anew, has no other disk, or has no spare meanwhile, stands out")
    func worse() {
        var report = DiskLossReport.sample("s/n/1", isReplaced: false)
        report.groupsLeft = 2
        #expect(DiskLossText.text(report).contains("In 2 groups no disk is left that could take its place"))
        report.classes[0].meanwhile = .sample(spares: 0)
        #expect(DiskLossText.text(report).contains("\n! STANDARD survives meanwhile no disk"))
        report.classes[0].meanwhile = .sample(spares: 1)
        report.journal = .sample(spares: -1)
        #expect(DiskLossText.text(report).contains("\n! STANDARD survives meanwhile nothing more: the journal is 1"))
        (report.bytes, report.seconds, report.bytesBelowK) = (0, nil, 4_000_000)
        let text = DiskLossText.text(report)
        #expect(text.hasPrefix("Would make 12 places anew on other disks, 0 B.\n"))
        #expect(text.contains("! About 4.0 MB cannot be made anew: fewer shards are left than reading needs."))
        #expect(!text.contains("What lies there"))
        (report.isReplaced, report.refusal) = (true, nil)
        #expect(DiskLossText.text(report).hasPrefix("Would make 12 places anew on the empty disk at "))
        report.groupsMoved = 0
        #expect(DiskLossText.text(report).hasPrefix("Nothing would be made anew.\n"))
    }
}
