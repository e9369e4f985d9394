import AdminGateway
import ArgumentParser
import Foundation
import Testing

@Suite("Plans of growth as a command")
struct GrowthPlanTests {
    private static let arguments = [
        "add", "--site", "site-1", "--node", "node-4", "--disks", "4", "--size", "8TB", "--rate", "60",
    ]

    @Test("The plan is asked for, and printed as text and as JSON")
    func command() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                let text = try output(Self.arguments, client)
                #expect(text.hasPrefix("MORE ROOM: "))
                #expect(text.contains("Added          4 disks of 8.0 TB on the new node node-4 in site site-1"))
                #expect(
                    text.contains(
                        "Moves          3.0 TB in 40 places (the new disks' share is 3.1 TB), "
                            + "11 h or more at 60 MB/s a disk"
                    )
                )
                #expect(text.contains("Raw capacity   24.0 TB -> 56.0 TB"))
                #expect(text.contains("STANDARD       rs-4-2: data of 16.0 TB -> 32.0 TB in all, at most"))
                #expect(text.contains("any 2 disks; no node; no site, as now"))
                #expect(text.contains("`cairn admin disk add --node node-4`"))
                #expect(text.split(separator: "\n").allSatisfy { $0.count <= 140 })
                let json = try output(Self.arguments + ["--json"], client)
                let report = try JSONDecoder().decode(GrowthPlanReport.self, from: Data(json.utf8))
                #expect(report.question.size == 8_000_000_000_000 && report.question.disks == 4)
                #expect(report.seconds == 40_000)
            }
        }
    }

    @Test("The verdict is that of the class that fares worst")
    func verdicts() {
        func verdict(_ change: (inout ClassGrowth) -> Void) -> String {
            var report = GrowthPlanReport.sample()
            change(&report.classes[1])
            return GrowthPlanText.text(report).split(separator: "\n").first.map(String.init) ?? ""
        }
        #expect(verdict { $0.roomAfter = $0.roomBefore }.hasPrefix("NO MORE ROOM for COLD: "))
        #expect(verdict { $0.roomAfter = $0.roomBefore / 2 }.hasPrefix("LESS ROOM for COLD: "))
        #expect(verdict { $0.survivesAfter = .sample(spares: 1) }.hasPrefix("LESS IS SURVIVED by COLD: "))
    }

    @Test("Sizes are read as people write them")
    func sizes() {
        let texts = ["8TB", "8 TB", "8T", "8000GB", "7.2TiB", "1048576", "960g", "64MiB"]
        let sizes = [
            8_000_000_000_000, 8_000_000_000_000, 8_000_000_000_000, 8_000_000_000_000, 7_916_483_719_987, 1_048_576,
            960_000_000_000, 67_108_864,
        ]
        #expect(texts.map { DiskSize($0)?.bytes } == sizes)
        for text in ["", "TB", "8 apples", "-8TB", "0TB", "8TB8", "9e99", "1000000TB"] {
            #expect(DiskSize(text) == nil)
        }
    }

    @Test(
        "Arguments that make no sense are refused before anything is asked",
        arguments: [("--disks", "0"), ("--size", "many"), ("--rate", "0"), ("--site", ""), ("--disks", "10000")]
    )
    func refused(option: String, value: String) {
        var arguments = ["plan"] + Self.arguments
        if let place = arguments.firstIndex(of: option) { arguments[place + 1] = value }
        #expect(throws: (any Error).self) { try AdminCommand.parseAsRoot(arguments) }
    }

    private func output(_ arguments: [String], _ client: AdminClient) throws -> String {
        let command = try #require(try AdminCommand.parseAsRoot(["plan"] + arguments) as? any AdminSubcommand)
        return try command.perform(client)
    }
}

extension GrowthPlanReport {
    /// A server of six disks of 4 TB, to which a node with four of 8 TB would be added.
    static func sample() -> Self {
        GrowthPlanReport(
            question: GrowthQuestion(
                site: "site-1",
                node: "node-4",
                disks: 4,
                size: 8_000_000_000_000,
                megabytesPerSecond: 60
            ),
            isNewSite: false,
            isNewNode: true,
            places: 40,
            bytes: 3_000_000_000_000,
            idealShare: 3_100_000_000_000,
            seconds: 40_000,
            totalRate: 200 << 20,
            disks: [.init(name: "site-1/node-4/new-1", before: 0, after: 700_000_000_000)],
            capacityBefore: 24_000_000_000_000,
            capacityAfter: 56_000_000_000_000,
            classes: ["STANDARD", "COLD"].map {
                ClassGrowth(
                    name: $0,
                    scheme: "rs-4-2",
                    survivesBefore: .sample(),
                    survivesAfter: .sample(),
                    roomBefore: 16_000_000_000_000,
                    roomAfter: 32_000_000_000_000
                )
            },
            missingShards: 0,
            away: []
        )
    }
}

extension MemoryService {
    func planGrowth(_ question: GrowthQuestion) async throws(AdminError) -> GrowthPlanReport {
        var report = GrowthPlanReport.sample()
        report.question = question
        return report
    }
}
