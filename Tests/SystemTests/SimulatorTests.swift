import Foundation
import TestKit
import Testing

/// One seed, one run: the simulator started twice as a process of its own shows the same trace hash.
@Suite("Simulator")
struct SimulatorTests {
    /// The program that was built beside the test bundle.
    static let simulator: URL? = {
        let places =
            [Bundle.main.executableURL, CommandLine.arguments.first.map { URL(fileURLWithPath: $0) }]
            + Bundle.allBundles.map(\.bundleURL)
            + CommandLine.arguments.dropFirst().filter { $0.hasSuffix(".xctest") }.map { URL(fileURLWithPath: $0) }
        for place in places.compactMap({ $0 }) {
            let candidate = place.deletingLastPathComponent().appendingPathComponent("simulator")
            if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate }
        }
        return nil
    }()

    struct Ended {
        var status: Int32
        var output: String
        var lastLine: String { output.split(separator: "\n").last.map(String.init) ?? "" }
    }

    /// `output` holds what is said on standard error, too.
    static func run(_ arguments: [String], in folder: URL? = nil) throws -> Ended {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = try #require(simulator, "the simulator is not beside the test bundle: build it first")
        process.arguments = arguments
        if let folder { process.currentDirectoryURL = folder }
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Ended(status: process.terminationStatus, output: String(decoding: data, as: UTF8.self))
    }

    @Test("The same seed gives the same trace hash in two processes", arguments: [1, 2, 42])
    func replay(seed: Int) throws {
        let first = try Self.run(["replay", "\(seed)", "--quiet"])
        let second = try Self.run(["replay", "\(seed)", "--quiet"])
        #expect(first.status == 0, "\(first.output)")
        #expect(first.lastLine.hasPrefix("hash "))
        #expect(first.output == second.output)
    }

    @Test("So does one of a whole cluster")
    func replayCluster() throws {
        let arguments = ["replay", "3", "--scenario", "cluster", "--quiet"]
        let (first, second) = (try Self.run(arguments), try Self.run(arguments))
        #expect(first.status == 0, "\(first.output)")
        #expect(first.output == second.output)
    }

    @Test("Another seed gives another run")
    func seedsDiffer() throws {
        let first = try Self.run(["replay", "1", "--quiet"])
        let second = try Self.run(["replay", "2", "--quiet"])
        #expect(first.lastLine != second.lastLine)
    }

    @Test("Only the points that a seed lists strike, and those that are left out do not")
    func points() throws {
        var struck = 0
        for seed in 1...6 {
            let lines = try Self.run(["replay", "\(seed)"]).output.split(separator: "\n")
            let listed = lines.filter { $0.hasPrefix("fault ") && $0.contains(" one time in ") }.map {
                $0.dropFirst("fault ".count).split(separator: " ").map(String.init)
            }
            let strikes = Self.strikes(lines)
            #expect(Set(strikes).isSubset(of: listed.map { $0[1] }), "seed \(seed)")
            struck += strikes.count
            guard let first = listed.first(where: { strikes.contains($0[1]) }) else { continue }
            let left = try Self.run(["replay", "\(seed)", "--without", "\(first[0].dropLast())"])
            #expect(!Self.strikes(left.output.split(separator: "\n")).contains(first[1]), "seed \(seed)")
        }
        #expect(struck > 0)
    }

    /// The points that struck, in order.
    private static func strikes(_ lines: [Substring]) -> [String] {
        lines.filter { $0.contains(" buggify ") }.compactMap { $0.split(separator: " ").last.map(String.init) }
    }

    @Test("What a store does beside its clients' work is counted")
    func deeds() throws {
        let ended = try Self.run(["run", "--seeds", "12", "--jobs", "2"])
        #expect(ended.status == 0, "\(ended.output)")
        let line = try #require(ended.output.split(separator: "\n").first { $0.hasPrefix("store: did: ") })
        let counts = line.dropFirst("store: did: ".count).split(separator: ", ").map { $0.split(separator: " ") }
        let scrubbed = counts.first { $0.first == "shardsScrubbed" }.flatMap { Int($0[1]) }
        #expect(scrubbed ?? 0 > 0, "\(line)")
    }

    // MARK: What a failure says

    private static let planted = ["--scenario", "planted-failure"]

    @Test("A failure says its seed, the commit, how to see it again, and what happened to the object concerned")
    func failureReport() throws {
        let ended = try Self.run(["run", "--seeds", "5", "--jobs", "1"] + Self.planted)
        #expect(ended.status != 0)
        let lines = ended.output.split(separator: "\n")
        #expect(lines.contains("seed 3 of planted-failure failed: planted/lost is not there"))
        #expect(lines.contains("with the faults below alone: planted/lost is not there"))
        #expect(lines.filter { $0.contains("failed: ") }.count == 1, "the other seeds pass")
        #expect(lines.contains("commit \(Self.commit ?? "unknown")"))
        let events = lines.prefix { $0.hasPrefix("  ") }
        #expect(events.contains { $0.hasSuffix("put planted/lost 3") }, "\(ended.output)")
        #expect(events.allSatisfy { $0.contains("planted/lost") || $0.contains(" fault ") }, "\(ended.output)")
    }

    @Test("Of its faults it lists only those without which it passes")
    func shortestList() throws {
        let report = try Self.run(["run", "--seeds", "1", "--first-seed", "3", "--jobs", "1"] + Self.planted).output
        let lines = report.split(separator: "\n")
        let listed = lines.filter { $0.hasPrefix("  fault ") }.compactMap { line in
            line.dropFirst("  fault ".count).split(separator: ":").first.flatMap { Int($0) }
        }
        #expect(listed == [3])
        let again = try #require(lines.first { $0.hasPrefix("again: simulator ") })
        let words = again.dropFirst("again: simulator ".count).split(separator: " ").map(String.init)
        #expect(try Self.run(words + ["--quiet"]).status != 0, "what is listed fails")
        let position = try #require(words.firstIndex(of: "--without")) + 1
        for fault in listed {
            var fewer = words
            fewer[position] += ",\(fault)"
            #expect(try Self.run(fewer + ["--quiet"]).status == 0, "fault \(fault) is not needed")
        }
    }

    @Test("A seed that ends the process is named", arguments: [1, 2])
    func trap(jobs: Int) throws {
        let arguments = ["run", "--seeds", "5", "--jobs", "\(jobs)", "--scenario", "planted-trap"]
        let ended = try Self.run(arguments)
        #expect(ended.status != 0)
        #expect(ended.output.contains("simulator: seed 3 of planted-trap ended the process\n"), "\(ended.output)")
        #expect(ended.output.contains("again: simulator replay 3 --scenario planted-trap --quiet\n"))
    }

    @Test("The commit is that of a further worktree, by a name that is packed or not", arguments: [true, false])
    func worktree(isPacked: Bool) async throws {
        try await withTemporaryDirectory { directory in
            let git = directory + "/main/.git"
            let link = git + "/worktrees/other"
            var files = [
                directory + "/other/.git": "gitdir: ../main/.git/worktrees/other\n",
                link + "/HEAD": "ref: refs/heads/branch\n", link + "/commondir": "../..\n",
            ]
            let commit = String(repeating: "0123", count: 10)
            let names = isPacked ? ("/packed-refs", " refs/heads/branch") : ("/refs/heads/branch", "")
            files[git + names.0] = "\(commit)\(names.1)\n"
            for (path, text) in files {
                let file = URL(fileURLWithPath: path)
                try FileManager.default.createDirectory(
                    at: file.deletingLastPathComponent(),
                    withIntermediateDirectories: true
                )
                try Data(text.utf8).write(to: file)
            }
            let arguments = ["run", "--seeds", "1", "--first-seed", "3"] + Self.planted
            let inside = try Self.run(arguments, in: URL(fileURLWithPath: directory + "/other"))
            #expect(inside.output.contains("\ncommit \(commit)\n"), "\(inside.output)")
            let outside = try Self.run(arguments, in: URL(fileURLWithPath: directory))
            #expect(outside.output.contains("\ncommit unknown\n"), "\(outside.output)")
        }
    }

    @Test("One job says what several say, and goes on behind a seed that ends its process")
    func oneJob() throws {
        let failing = try Self.run(["run", "--seeds", "5", "--jobs", "1"] + Self.planted)
        let lines = failing.output.split(separator: "\n")
        #expect(lines.last?.hasPrefix("planted-failure: 5 seeds, ") == true, "\(failing.output)")
        #expect(!lines.contains { $0.hasPrefix("totals ") })
        let single = try Self.run(["run", "--seeds", "1", "--first-seed", "4", "--hashes"] + Self.planted)
        #expect(single.status == 0, "\(single.output)")
        #expect(single.output.contains("seed 4 hash "), "\(single.output)")
        #expect(single.output.contains("planted-failure: 1 seeds, "), "\(single.output)")
        let trapped = try Self.run(["run", "--seeds", "60", "--jobs", "1", "--scenario", "planted-trap"])
        #expect(trapped.status == 1, "\(trapped.output)")
        for seed in [3, 28, 53] { #expect(trapped.output.contains("seed \(seed) of planted-trap ended")) }
    }

    /// Nil outside of a checkout.
    private static var commit: String? {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git", "rev-parse", "HEAD"]
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return process.terminationStatus == 0 ? text : nil
    }

    @Test("The simulator's own checks pass")
    func selfTest() throws {
        let ended = try Self.run(["self-test"])
        #expect(ended.status == 0, "\(ended.output)")
    }
}
