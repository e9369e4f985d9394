import AdminGateway
import ArgumentParser
import Foundation
import Testing

@Suite("Rewriting objects into a class as a command")
struct ClassRewriteTests {
    private static let apply = ["apply", "--bucket", "archive", "--to", "COLD"]

    @Test("What would be done, is begun, and how it goes, as text and as JSON")
    func command() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                let plan = try output(Self.apply + ["--prefix", "2019/", "--dry-run", "--rate", "50"], client)
                #expect(plan.contains("Would rewrite 1,200 objects of archive/2019/… into class COLD: 6.0 GB"))
                #expect(plan.contains("114 s or more"))
                #expect(plan.contains("On the disks 9.0 GB -> 12.0 GB") && plan.hasSuffix("Nothing was changed."))
                let text = try output(Self.apply, client)
                #expect(text.hasPrefix("Rewriting 1,200 objects of archive into class COLD"))
                #expect(text.contains("cairn admin class rewrites --watch"))
                let json = try output(Self.apply + ["--json"], client)
                let report = try JSONDecoder().decode(ClassApplicationReport.self, from: Data(json.utf8))
                #expect(report.objects == 1_200 && report.application.rate == nil)
                let status = try output(["rewrites"], client)
                #expect(
                    status
                        == "archive/2019/… into COLD: 200 objects, 1.0 GB left; done since the start: 1,000 objects, "
                        + "5.0 GB; 3 changed by clients meanwhile; about 50 s left."
                )
                for (verb, word) in [("pause", "Paused."), ("resume", "Going on."), ("cancel", "Cancelled")] {
                    let said = try output(["rewrites", verb, "--bucket", "archive"], client)
                    #expect(said.hasPrefix(word), "\(said)")
                    #expect(said.contains("; paused") == (verb == "pause"), "\(said)")
                    #expect(said.contains("No objects are being rewritten") == (verb == "cancel"), "\(said)")
                }
                #expect(throws: AdminError.self) { try output(["rewrites", "pause", "--bucket", "none"], client) }
            }
        }
    }

    @Test("A count that was cut off, one that is under way, and what holds it, are said")
    func texts() {
        var report = ClassApplicationReport.sample(ClassApplication(bucket: "b", storageClass: "COLD"))
        report.isComplete = false
        #expect(ClassRewriteText.application(report).contains("Rewriting at least 1,200 objects"))
        report.isComplete = true
        report.objects = 0
        #expect(ClassRewriteText.application(report) == "Every object of b is in class COLD already.")
        var item = ClassRewriteReport.sample
        (item.objectsLeft, item.bytesLeft, item.secondsLeft) = (nil, nil, nil)
        item.problem = "the disks are full"
        let text = ClassRewriteText.list(ClassRewritesReport(rewrites: [item]))
        #expect(text.contains("into COLD: counting;") && text.hasSuffix("; not going on: the disks are full."))
    }

    @Test("One that is paused is a notice of the status, one that goes on is none")
    func paused() {
        var report = StatusReport.sample()
        report.rewrites = [.sample]
        #expect(!StatusText.text(report).contains("archive"))
        report.rewrites[0].isPaused = true
        let text = StatusText.text(report)
        #expect(text.hasPrefix("OK: every shard is in place. Something needs attention:"))
        #expect(text.contains("\n  - the rewriting of archive/2019/… into COLD is paused, with 200 objects left\n"))
        #expect(text.contains("run: cairn admin class rewrites resume --bucket archive; or"))
    }

    @Test("A rewrite that is watched and cancelled ends as that, and with an error; an old cancellation says nothing")
    func watched() throws {
        let open = ClassRewritesReport(rewrites: [.sample])
        let cancelled = ClassRewritesReport(rewrites: [], cancelled: ["archive", "other"])
        func watch(hasBegun: Bool = false, _ reports: [ClassRewritesReport]) throws -> (told: [String], end: String?) {
            var (left, told) = (reports, [String]())
            do {
                let end = try ClassRewritesWatch.run(
                    bucket: hasBegun ? "archive" : nil,
                    hasBegun: hasBegun,
                    show: { told.append($0) },
                    rest: {},
                    look: { left.removeFirst() }
                )
                return (told, end)
            } catch is ExitCode {
                return (told, nil)
            }
        }
        let end = try watch([open, cancelled])
        #expect(end.end == nil && end.told.last == "Cancelled: archive; what was rewritten stays so.")
        #expect(try watch(hasBegun: true, [cancelled]).end == nil)
        let done = "Done: nothing is being rewritten."
        #expect(try watch([cancelled]).end == done && watch([open, ClassRewritesReport(rewrites: [])]).end == done)
    }

    @Test(
        "Arguments that make no sense are refused before anything is asked",
        arguments: [["--rate", "0"], ["--watch", "--json"], ["--bucket"]]
    )
    func refused(arguments: [String]) {
        #expect(throws: (any Error).self) { try AdminCommand.parseAsRoot(["class"] + Self.apply + arguments) }
    }

    private func output(_ arguments: [String], _ client: AdminClient) throws -> String {
        let command = try #require(try AdminCommand.parseAsRoot(["class"] + arguments) as? any AdminSubcommand)
        return try command.perform(client)
    }
}

extension ClassApplicationReport {
    static func sample(_ application: ClassApplication) -> Self {
        ClassApplicationReport(
            application: application,
            objects: 1_200,
            bytes: 6_000_000_000,
            bytesOnDisks: 9_000_000_000,
            bytesOnDisksThen: 12_000_000_000,
            seconds: 6_000_000_000 / (application.rate ?? 100 << 20),
            isComplete: true
        )
    }
}

extension ClassRewriteReport {
    static var sample: Self {
        ClassRewriteReport(
            bucket: "archive",
            prefix: "2019/",
            storageClass: "COLD",
            isPaused: false,
            rate: 100 << 20,
            objectsLeft: 200,
            bytesLeft: 1_000_000_000,
            objectsDone: 1_000,
            bytesDone: 5_000_000_000,
            objectsChanged: 3,
            secondsLeft: 50,
            problem: ""
        )
    }
}

extension MemoryService {
    func applyClass(_ application: ClassApplication) async throws(AdminError) -> ClassApplicationReport {
        .sample(application)
    }

    func classRewrites() async throws(AdminError) -> ClassRewritesReport {
        ClassRewritesReport(rewrites: [.sample])
    }

    func control(_ control: ClassRewriteControl) async throws(AdminError) -> ClassRewritesReport {
        var item = ClassRewriteReport.sample
        guard control.bucket == item.bucket else { throw AdminError(.notFound, "no objects of it are rewritten") }
        item.isPaused = control.action == .pause
        return ClassRewritesReport(rewrites: control.action == .cancel ? [] : [item])
    }
}
