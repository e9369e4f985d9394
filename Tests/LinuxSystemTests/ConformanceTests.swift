import LinuxSystem
import SystemInterface
import TestKit
import Testing

/// Both file systems of the house keep the same promises.
@Suite struct ConformanceTests {
    @Test("the file system of Linux keeps its promise", arguments: FileSystemConformance.checks)
    func linux(_ check: FileSystemConformance.Check) async throws {
        try await withTemporaryDirectory("conformance") { path in
            try await check.run(LinuxFileSystem(root: path, name: "test"))
        }
    }

    @Test("the file system in memory keeps its promise", arguments: FileSystemConformance.checks)
    func memory(_ check: FileSystemConformance.Check) async throws {
        try await check.run(MemoryFileSystem())
    }

    @Test("the file system in memory keeps its promise, slowly", arguments: FileSystemConformance.checks)
    func slowMemory(_ check: FileSystemConformance.Check) async throws {
        let files = MemoryFileSystem()
        files.disk.setLatency { _, _, _ in await Task.yield() }
        files.disk.answersCachedReads = false
        try await check.run(files)
    }
}
