import Foundation
import FuzzTargets
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
