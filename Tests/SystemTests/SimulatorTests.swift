import Foundation
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

    static func run(_ arguments: [String]) throws -> Ended {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = try #require(simulator, "the simulator is not beside the test bundle: build it first")
        process.arguments = arguments
        process.standardOutput = pipe
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

    @Test("The simulator's own checks pass")
    func selfTest() throws {
        let ended = try Self.run(["self-test"])
        #expect(ended.status == 0, "\(ended.output)")
    }
}
