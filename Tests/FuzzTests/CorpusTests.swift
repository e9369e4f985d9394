import Foundation
import FuzzTargets
import TestKit
import Testing

/// The fuzzers' promises over what they were given and what they kept (`Tests/Corpora`), without the fuzzer.
@Suite("Kept inputs of the fuzzers")
struct CorpusTests {
    static let corpora = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Corpora")

    static func corpus(_ name: String) throws -> [(name: String, bytes: [UInt8])] {
        let folder = corpora.appendingPathComponent(name)
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map { file in
            (file, [UInt8](try Data(contentsOf: folder.appendingPathComponent(file))))
        }
    }

    @Test("Every promise holds for every kept input", arguments: FuzzTarget.all.map(\.name))
    func kept(name: String) async throws {
        let target = try #require(FuzzTarget.named(name))
        let corpus = try Self.corpus(name)
        #expect(!corpus.isEmpty)
        var decoded = 0
        for (file, bytes) in corpus {
            #expect(bytes.count <= target.maximumLength, "\(file)")
            do {
                if try await target.run(bytes) { decoded += 1 }
            } catch {
                Issue.record("\(name)/\(file): \(error)")
            }
        }
        // A target that refuses all it is given proves nothing.
        #expect(decoded > 0)
    }

    /// Changes of each kept input: what a fuzzer does without its eyes, in a fraction of a second.
    private static let changesPerInput = 100

    @Test(
        "Every promise holds for kept inputs with bytes changed, cut and repeated",
        arguments: FuzzTarget.all.map(\.name)
    )
    func changed(name: String) async throws {
        let target = try #require(FuzzTarget.named(name))
        var generator = SplitMix64(seed: 1)
        for (file, bytes) in try Self.corpus(name) {
            for number in 0..<Self.changesPerInput {
                let input = Self.changed(bytes, limit: target.maximumLength, using: &generator)
                do {
                    _ = try await target.run(input)
                } catch {
                    Issue.record("\(name)/\(file), change \(number), \(input): \(error)")
                }
            }
        }
    }

    private static func changed(_ bytes: [UInt8], limit: Int, using generator: inout SplitMix64) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<1 + Int(generator.next() % 4) where !bytes.isEmpty {
            let place = Int(generator.next() % UInt64(bytes.count))
            switch generator.next() % 4 {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: generator.next())
            case 1: bytes[place] ^= 1 << UInt8(generator.next() % 8)
            case 2: bytes.removeSubrange(place..<min(bytes.count, place + 1 + Int(generator.next() % 4)))
            default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 8)], at: place)
            }
        }
        return Array(bytes.prefix(limit))
    }

    @Test("What a real encoder wrote is decoded", arguments: FuzzTarget.all.map(\.name))
    func seeds(name: String) async throws {
        let target = try #require(FuzzTarget.named(name))
        let seeds = try await target.seeds()
        #expect(!seeds.isEmpty)
        for (index, seed) in seeds.enumerated() {
            #expect(seed.count <= target.maximumLength)
            #expect(try await target.run(seed), "seed \(index)")
        }
    }

    @Test("Every folder of inputs belongs to a target")
    func folders() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.corpora.path)
        #expect(Set(folders) == Set(FuzzTarget.all.map(\.name)))
    }
}
