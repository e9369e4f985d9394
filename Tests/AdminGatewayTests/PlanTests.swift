import AdminGateway
import ArgumentParser
import Foundation
import Testing

@Suite("Plans and checkups as commands")
struct PlanTests {
    private var disks: [DiskReport] {
        var disks = StatusReport.sample().disks
        for slot in 0..<6 {
            disks[slot].site = slot < 2 ? "a" : slot < 4 ? "b" : "c"
            disks[slot].node = slot < 4 ? "n1" : "n2"
        }
        return disks
    }

    private func lost(_ targets: String...) throws(AdminError) -> [Int] {
        try LossTarget.disks(targets, among: disks).compactMap { Int($0.slot) }
    }

    @Test("Targets name disks, nodes and sites, each disk once")
    func targets() throws {
        #expect(try lost("disk:n2/5") == [5])
        #expect(try lost("disk:a/n1/1", "disk:b/n1/2") == [1, 2])
        #expect(try lost("node:n2") == [4, 5])
        #expect(try lost("node:b/n1") == [2, 3])
        #expect(try lost("site:a", "disk:n1/0", "site:c") == [0, 1, 4, 5])
    }

    @Test("What is no name, or that of several, is refused with what there is")
    func wrongTargets() {
        func error(_ target: String) -> AdminError? { #expect(throws: AdminError.self) { try lost(target) } }
        #expect(error("site:d")?.advice == "There are: a, b, c")
        #expect(error("node:n1")?.advice.contains("a/n1, b/n1") == true)
        #expect(error("disk:n2/9")?.code == .notFound)
        for text in ["", "disk", "disk:", "rack:1", "n1"] { #expect(LossTarget(text) == nil) }
    }

    @Test("A slot may have a path for a name")
    func paths() throws {
        var disks = disks
        disks[5].slot = "/srv/disk 5"
        #expect(try LossTarget.disks(["disk:n2//srv/disk 5"], among: disks).map(\.id) == [disks[5].id])
    }

    @Test("The plan is asked for, and printed as text and as JSON")
    func command() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                let text = try output(["plan", "lose", "disk:n1/3", "disk:n1/4", "--rate", "60"], client)
                #expect(text.hasPrefix("BEARABLE: everything goes on."))
                #expect(text.contains("Lost           2 disks: default/n1/3, default/n1/4"))
                #expect(text.contains("4 of 5 journal keepers left, 3 needed: changes go on"))
                #expect(text.contains("Acknowledged   nothing is lost"))
                #expect(text.contains("990 GB, 9 h or more at 60 MB/s a disk; 12 groups only on new disks"))
                #expect(text.contains("about 1 in 4,000,000"))
                #expect(
                    text.contains("3.0 nines a year, 8.8 by disks alone\n  supposing    1.5 % of disks fail a year")
                )
                let json = try output(["plan", "lose", "disk:n1/3", "--json"], client)
                #expect(try JSONDecoder().decode(LossPlanReport.self, from: Data(json.utf8)) == .sample())
                #expect(throws: AdminError.self) { try output(["plan", "lose", "site:nowhere"], client) }
            }
        }
    }

    @Test("The verdict is that of the worst that would happen")
    func verdicts() {
        func verdict(_ change: (inout LossPlanReport) -> Void) -> String {
            var report = LossPlanReport.sample()
            change(&report)
            return LossPlanText.text(report).split(separator: "\n").first.map(String.init) ?? ""
        }
        #expect(verdict { $0.after = .sample(degraded: 12, writes: .degraded) }.hasPrefix("DEGRADED"))
        #expect(verdict { $0.protectionAfter = .sample(spares: 0) }.hasPrefix("NO SPARE LEFT"))
        #expect(verdict { $0.after = .sample(degraded: 12, writes: .refused) }.hasPrefix("NOT WRITABLE"))
        #expect(verdict { $0.journalAfter = .sample(spares: 0) }.hasPrefix("NO SPARE LEFT"))
        #expect(verdict { $0.keepersLeft = 2 }.hasPrefix("THE STORE WOULD STOP"))
        let changes = verdict {
            $0.keepersLeft = 2
            $0.mayLoseChanges = true
        }
        #expect(changes.hasPrefix("CHANGES COULD BE LOST"))
        let lost = verdict {
            $0.keepersLeft = 2
            $0.after = .sample(degraded: 9, belowK: 3, writes: .refused)
        }
        #expect(lost == "DATA COULD NOT BE READ: 3 of 12 groups (25 %) would have fewer shards than reading needs.")
    }

    @Test("With too few keepers left, nothing is said to go on, and it is said whether what was acknowledged is kept")
    func journal() {
        var report = LossPlanReport.sample()
        report.keepersLeft = 2
        report.journalAfter = .sample(spares: -1)
        var text = LossPlanText.text(report)
        #expect(text.contains("Writes         none while the store is stopped"))
        #expect(text.contains("Acknowledged   nothing is lost: if they never come back, a start with --force-journal"))
        #expect(text.contains("Survives then  nothing more: the journal is 1 keeper short of those it needs"))
        report.mayLoseChanges = true
        text = LossPlanText.text(report)
        #expect(text.contains("Acknowledged   the last changes may be lost"))
        #expect(!text.contains("nothing is lost"))
        report.keepersLeft = 0
        text = LossPlanText.text(report)
        #expect(text.contains("Acknowledged   NO KEEPER LEFT"))
        #expect(text.split(separator: "\n").filter { $0.count > 120 } == [])
    }

    @Test("What is survived is the lower of what shards and journal bear")
    func lower() {
        var report = LossPlanReport.sample()
        report.journalBefore = .sample(spares: 1)
        let text = LossPlanText.text(report)
        #expect(text.contains("Survives now   any 1 disk; no node; no site\n"))
        #expect(text.contains("\n  shards alone any 2 disks; no node; no site"))
        #expect(!text.contains("shards alone any 1 disk"))
    }

    @Test("A store on three sites is told what may go with a site, and no more nines than mean something")
    func sites() {
        var report = LossPlanReport.sample()
        report.protectionBefore = ProtectionReport(disks: 6, nodes: 3, sites: 1, spares: 6, sparesWithoutSite: 2)
        report.journalBefore = ProtectionReport(disks: 7, nodes: 3, sites: 1, spares: 7, sparesWithoutSite: 2)
        report.protectionAfter = ProtectionReport(disks: 0, nodes: 0, sites: 0, spares: -1, sparesWithoutSite: -5)
        report.durability.nines = 13.7
        let text = LossPlanText.text(report)
        #expect(text.contains("any 6 disks, or any 3 nodes, or any 1 site; or a site and any 2 disks"))
        #expect(text.contains("nothing more: some blobs are 1 shard short"))
        #expect(text.contains("over 11 nines a year"))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 120 })
    }

    @Test(
        "Arguments that make no sense are refused before anything is asked",
        arguments: [["lose"], ["lose", "disk"], ["lose", "disk:n1/1", "--rate", "0"], ["win", "disk:n1/1"]]
    )
    func refused(arguments: [String]) {
        #expect(throws: (any Error).self) { try AdminCommand.parseAsRoot(["plan"] + arguments) }
    }

    @Test("A healthy store ends the doctor with 0, a problem with 1")
    func exitCodes() async throws {
        try await withFolder { folder in
            let service = MemoryService()
            try await withServer(service, in: folder) { client throws in
                #expect(try output(["doctor"], client).hasPrefix("Healthy: no problem found."))
                var command = try AdminCommand.parseAsRoot(["doctor", "--data", folder])
                try command.run()
                service.change { $0.recoveryKitTaken = false }
                let text = try output(["doctor"], client)
                #expect(text.hasPrefix("1 problem:\n\n! notice: the recovery kit has not been taken"))
                #expect(text.contains("run   cairn admin recovery-kit --to FILE"))
                #expect(text.contains("May be lost     any 2 disks; no node; no site"))
                #expect(throws: ExitCode.failure) { try command.run() }
                let json = try output(["doctor", "--json"], client)
                let checkup = try JSONDecoder().decode(Checkup.self, from: Data(json.utf8))
                #expect(!checkup.isHealthy && checkup.findings.count == 2)
            }
        }
    }

    @Test("Where no store answers, the doctor still says what to do")
    func noStore() async throws {
        try await withFolder { folder in
            try Data().write(to: URL(fileURLWithPath: "\(folder)/cluster.json"))
            #expect(FolderMarks(of: folder) == FolderMarks(role: .coordinator))
            let checkup = try await blocking { DoctorCommand.checkup(AdminClient(directory: folder), folder) }
            #expect(checkup.findings.map(\.command) == ["cairn coordinator --data \(folder)"])
            try Data().write(to: URL(fileURLWithPath: "\(folder)/superseded"))
            #expect(FolderMarks(of: folder).isSuperseded)
            #expect(FolderMarks(of: folder + "/nothing") == FolderMarks(role: .none))
        }
    }

    private func output(_ arguments: [String], _ client: AdminClient) throws -> String {
        let command = try #require(try AdminCommand.parseAsRoot(arguments) as? any AdminSubcommand)
        return try command.perform(client)
    }
}
