import CLinux
import Foundation
import LinuxSystem
import Synchronization
import SystemInterface
import TestKit
import Testing

@Suite struct LinuxFileSystemTests {
    @Test("a root that is missing is gone; createsRoot makes it with its parents")
    func missingRoot() async throws {
        try await withTemporaryDirectory { path in
            let root = "\(path)/a/b/c"
            let error = #expect(throws: FileError.self) { try LinuxFileSystem(root: root, name: "test") }
            #expect(error?.code == .gone)
            for _ in 0..<2 {
                let files = try LinuxFileSystem(root: root, name: "test", createsRoot: true)
                #expect(try await files.list(".").isEmpty)
            }
        }
    }

    @Test("a root removed under its user is gone, not merely without the file")
    func removedRoot() async throws {
        try await withTemporaryDirectory { path in
            let root = "\(path)/disk"
            let files = try LinuxFileSystem(root: root, name: "test", createsRoot: true)
            try await files.make("f", [1])
            try FileManager.default.removeItem(atPath: root)
            for mode in [OpenMode.read, .create] {
                let error = await #expect(throws: FileError.self) { try await files.open("f", mode) }
                #expect(error?.code == .gone)
            }
        }
    }

    @Test("a path and a link to it lead to one folder; another folder is another")
    func oneFolder() async throws {
        try await withTemporaryDirectory { path in
            for name in ["a", "b"] {
                try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: false)
            }
            try FileManager.default.createSymbolicLink(atPath: "\(path)/link", withDestinationPath: "\(path)/a")
            let folder = try FolderIdentity(of: "\(path)/a")
            #expect(try FolderIdentity(of: "\(path)/link") == folder)
            #expect(try FolderIdentity(of: "\(path)/a/") == folder)
            #expect(try FolderIdentity(of: "\(path)/b") != folder)
            let error = #expect(throws: FileError.self) { try FolderIdentity(of: "\(path)/c") }
            #expect(error?.code == .notFound)
        }
    }

    @Test("the change that the disk is at is told while it is at it, another number for each", .timeLimit(.minutes(1)))
    func changeUnderWay() async throws {
        try await withTemporaryDirectory { path in
            let files = try LinuxFileSystem(root: path, name: "test")
            #expect(files.changeUnderWay == nil)
            let file = try await files.open("f", .createNew)
            let bytes = Array(repeating: UInt8(1), count: 8 << 20)
            var seen: Set<UInt64> = []
            while seen.count < 2 {
                let isDone = Atomic(false)
                async let write: Void = {
                    defer { isDone.store(true, ordering: .relaxed) }
                    try await file.write(bytes: bytes)
                }()
                while !isDone.load(ordering: .relaxed) {
                    if let number = files.changeUnderWay { seen.insert(number) }
                    await Task.yield()
                }
                try await write
            }
            while files.changeUnderWay != nil { await Task.yield() }
        }
    }

    @Test("a symbolic link below the root is not followed")
    func symbolicLink() async throws {
        try await withTemporaryDirectory { path in
            let files = try LinuxFileSystem(root: path, name: "test")
            try FileManager.default.createSymbolicLink(atPath: "\(path)/link", withDestinationPath: "/etc/passwd")
            let error = await #expect(throws: FileError.self) { try await files.open("link", .read) }
            #expect(error?.code == .invalid)
        }
    }

    @Test("a FIFO where a file should lie is refused, and not waited for")
    func fifo() async throws {
        try await withTemporaryDirectory { path in
            let files = try LinuxFileSystem(root: path, name: "test")
            #expect(mkfifo("\(path)/fifo", 0o600) == 0)
            // The other end comes late, so that an open that waits for it ends, and is seen to have waited.
            let lateEnd = Task {
                try await Task.sleep(for: .seconds(10))
                let end = open("\(path)/fifo", O_RDWR | O_NONBLOCK | O_CLOEXEC)
                try await Task.sleep(for: .seconds(1))
                close(end)
            }
            let begin = ContinuousClock.now
            for mode in [OpenMode.read, .write, .create] {
                let error = await #expect(throws: FileError.self) { try await files.open("fifo", mode) }
                #expect(error?.code == .invalid)
            }
            #expect(ContinuousClock.now - begin < .seconds(5))
            lateEnd.cancel()
        }
    }

    @Test("a lock excludes every other instance until its holder is gone")
    func lock() async throws {
        try await withTemporaryDirectory { path in
            var first: LinuxFileSystem? = try LinuxFileSystem(root: path, name: "first")
            let second = try LinuxFileSystem(root: path, name: "second")
            #expect(try await first?.lock("lock") == true)
            #expect(try await second.lock("lock") == false)
            #expect(try await second.lock("other"))
            first = nil
            #expect(try await eventually { try await second.lock("lock") })
        }
    }

    @Test("two file systems on one device say so")
    func device() async throws {
        try await withTemporaryDirectory { path in
            let first = try LinuxFileSystem(root: "\(path)/a", name: "a", createsRoot: true)
            let second = try LinuxFileSystem(root: "\(path)/b", name: "b", createsRoot: true)
            #expect(try await first.space().device == second.space().device)
        }
    }

    @Test("direct writes bypass the page cache and read back whole")
    func direct() async throws {
        try await withTemporaryDirectory { path in
            let files = try LinuxFileSystem(root: path, name: "test")
            var generator = SplitMix64(seed: 7)
            let cells = (0..<4).map { _ in BufferSlice(copying: generator.bytes(1 << 20)) }
            let writer = try await files.open("shard", .createNew.direct())
            try await writer.allocate(0..<4 << 20)
            try await writer.write(Array(cells[..<2]), at: 0)
            try await writer.write(Array(cells[2...]), at: 2 << 20)
            try await writer.sync()
            let expected = cells.flatMap { $0.copied() }
            let direct = try await files.open("shard", .read.direct())
            #expect(try await direct.bytes(4 << 20) == expected)
            #expect(try await writer.bytes(4 << 20) == expected)
        }
    }

    @Test("the names of its threads say which disk they serve")
    func threadNames() async throws {
        try await withTemporaryDirectory { path in
            let files = try LinuxFileSystem(root: path, name: "d7f3")
            try await files.make("f", [1])
            _ = try await files.status("f")
            // A thread gives itself its name once it runs.
            let areNamed = try await eventually {
                let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")
                let names = tasks.compactMap {
                    try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8)
                }
                return names.count { $0 == "d7f3 write\n" } == 1 && names.count { $0 == "d7f3 read\n" } == 2
            }
            #expect(areNamed)
        }
    }

    /// A mount that hung took a thread of the pool with each look at it, of which there are as many as cores.
    @Test("a disk's folder is opened on a thread of its own")
    func openingThread() async throws {
        try await withTemporaryDirectory { path in
            // What goes on inline after the call does so on the thread that made it, unless that was done already.
            let isOwn = try await eventually {
                try await Task(executorPreference: InlineExecutor()) {
                    let files = try await LinuxFileSystem.open(root: path, name: "slow")
                    let thread = try String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
                    return files.root == path && thread == "slow open\n"
                }.value
            }
            #expect(isOwn)
            let error = await #expect(throws: FileError.self) {
                try await LinuxFileSystem.open(root: "\(path)/none", name: "slow")
            }
            #expect(error?.code == .gone)
        }
    }

    @Test("threads end with their disk")
    func threadsEnd() async throws {
        try await withTemporaryDirectory { path in
            for _ in 0..<3 { try await LinuxFileSystem(root: path, name: "brief").make("f-\(UUID().uuidString)", []) }
            let isOver = try await eventually {
                let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")
                return !tasks.contains {
                    (try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8))?.hasPrefix("brief")
                        ?? false
                }
            }
            #expect(isOver)
        }
    }

    @Test("descriptors are closed with the last reference")
    func descriptors() async throws {
        try await withTemporaryDirectory { path in
            do {
                let files = try LinuxFileSystem(root: path, name: "test")
                for index in 0..<50 { try await files.make("f\(index)", [1]) }
                _ = try await files.list(".")
            }
            let isClosed = try await eventually {
                let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
                return !open.contains {
                    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?
                        .hasPrefix(path) ?? false
                }
            }
            #expect(isClosed)
        }
    }

    /// True once `condition` is, within two minutes: what a thread does last, it does after its caller goes on.
    private func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
        for _ in 0..<12_000 {
            if try await condition() { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}

/// A file system of 1 MiB that really fills up. Needs the right to mount; without it the tests are reported as skipped.
@Suite(.enabled("needs CAP_SYS_ADMIN to mount a tmpfs: run the tests as root") { await SmallDisk.canMount })
struct FullDiskTests {
    @Test("a full disk says so, keeps what it has, and takes writes again when room is made")
    func full() async throws {
        try await SmallDisk.with(bytes: 1 << 20) { files in
            let file = try await files.make("first", Array(repeating: 1, count: 512 << 10))
            let second = try await files.open("second", .createNew)
            let error = await #expect(throws: FileError.self) {
                try await second.write(bytes: Array(repeating: 2, count: 1 << 20))
            }
            #expect(error?.code == .full)
            #expect(error?.path == "second")
            #expect(try await file.bytes(512 << 10).allSatisfy { $0 == 1 })
            try await files.remove("second")
            try await second.truncate(to: 0)
            try await files.make("third", Array(repeating: 3, count: 256 << 10))
        }
    }

    @Test("allocate on a full disk fails with full")
    func allocate() async throws {
        try await SmallDisk.with(bytes: 1 << 20) { files in
            let file = try await files.open("f", .createNew)
            let error = await #expect(throws: FileError.self) { try await file.allocate(0..<8 << 20) }
            #expect(error?.code == .full)
        }
    }

    @Test("space is what is left")
    func space() async throws {
        try await SmallDisk.with(bytes: 16 << 20) { files in
            let before = try await files.space()
            try await files.make("f", Array(repeating: 1, count: 4 << 20))
            #expect(try await files.space().available == before.available - 4 << 20)
        }
    }

    @Test("tmpfs keeps the promise too", arguments: FileSystemConformance.checks)
    func conformance(_ check: FileSystemConformance.Check) async throws {
        try await SmallDisk.with(bytes: 32 << 20) { files in try await check.run(files) }
    }
}

enum SmallDisk {
    static var canMount: Bool {
        get async { (try? await with(bytes: 1 << 20) { _ in }) != nil }
    }

    static func with(bytes: Int, _ body: (LinuxFileSystem) async throws -> Void) async throws {
        try await withTemporaryDirectory("tmpfs") { path in
            let result = cairn_mount_tmpfs(path, Int64(bytes))
            guard result == 0 else { throw FileError(.notPermitted, operation: "mount", path: path, number: -result) }
            defer { _ = cairn_unmount(path) }
            try await body(LinuxFileSystem(root: path, name: "small"))
        }
    }
}
