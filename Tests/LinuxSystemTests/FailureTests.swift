import Foundation
import LinuxSystem
import SystemInterface
import TestKit
import Testing

@Suite struct FailureTests {
    @Test(
        "an error number gets the meaning that the engine acts on",
        arguments: [
            (ENOENT, FileError.Code.notFound), (EEXIST, .exists), (ENOSPC, .full), (EDQUOT, .full), (EIO, .medium),
            (EUCLEAN, .medium), (EBADMSG, .medium), (ENODATA, .medium), (ENODEV, .gone), (ENXIO, .gone),
            (ESTALE, .gone), (ENOTCONN, .gone), (EACCES, .notPermitted), (EROFS, .readOnly),
            (EINVAL, .invalid), (ENAMETOOLONG, .invalid), (EMFILE, .other), (ENOMEM, .other),
        ]
    )
    func codes(number: Int32, code: FileError.Code) {
        let error = FileError.linux(number, "pread", "a/b")
        #expect(error == FileError(code, operation: "pread", path: "a/b", number: number))
        #expect(error.description.contains("pread a/b"))
    }

    /// A file of the kernel's own can be opened for writing, but not synced: fdatasync(2) answers EINVAL.
    @Test("a failed sync is final: the file refuses every further write and sync")
    func syncIsFinal() async throws {
        let files = try LinuxFileSystem(root: "/proc/self", name: "test")
        let file = try await files.open("comm", .write)
        let first = await #expect(throws: FileError.self) { try await file.sync() }
        #expect(first == FileError(.medium, operation: "fdatasync", path: "comm", number: EINVAL))
        let second = await #expect(throws: FileError.self) { try await file.sync() }
        #expect(second?.code == .medium)
        let write = await #expect(throws: FileError.self) { try await file.write(bytes: [1]) }
        #expect(write?.code == .medium)
    }

    @Test("a direct write leaves nothing in the page cache, an ordinary one does")
    func pageCache() async throws {
        try await withTemporaryDirectory { path in
            let files = try LinuxFileSystem(root: path, name: "test")
            let size = 1 << 20
            for mode in [OpenMode.createNew, .createNew.direct()] {
                let name = "direct-\(mode.isDirect)"
                let file = try await files.open(name, mode)
                try await file.write(bytes: Array(repeating: 7, count: size))
                try await file.sync()
                let cached = try Self.cachedPages(of: "\(path)/\(name)", count: size / Self.pageSize)
                // Where even pages that nobody needs stay, the file system is nothing but page cache.
                let isMemory = try Self.keepsPages("\(path)/\(name)", count: size / Self.pageSize)
                #expect(isMemory || (cached > 0) == !mode.isDirect)
            }
        }
    }

    private static let pageSize = 4_096

    /// How many of the file's pages are in the page cache, by mincore(2): a read that must not wait would not do, since
    /// the kernel begins to read ahead for it, and a fast disk has answered before it looks.
    private static func cachedPages(of path: String, count: Int) throws -> Int {
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        let mapping = mmap(nil, count * pageSize, PROT_READ, MAP_SHARED, descriptor, 0)
        let start = try #require(mapping != MAP_FAILED ? mapping : nil)
        defer { munmap(start, count * pageSize) }
        var pages = [UInt8](repeating: 0, count: count)
        #expect(mincore(start, count * pageSize, &pages) == 0)
        return pages.count { $0 & 1 == 1 }
    }

    /// Whether pages stay that the kernel was told to be of no use: so it is on a tmpfs, and on an overlay over one.
    private static func keepsPages(_ path: String, count: Int) throws -> Bool {
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        return try cachedPages(of: path, count: count) == count
    }

    @Test("a root that was moved away, or covered by another, is not at its place")
    func place() async throws {
        try await withTemporaryDirectory { path in
            let parent = try LinuxFileSystem(root: path, name: "parent")
            try await parent.createDirectory("disk")
            let files = try LinuxFileSystem(root: path + "/disk", name: "disk")
            #expect(await files.isAtItsPlace())
            try await parent.rename("disk", to: "away")
            #expect(await !files.isAtItsPlace())
            try await parent.createDirectory("disk")
            #expect(await !files.isAtItsPlace())
            try await parent.remove("disk")
            try await parent.rename("away", to: "disk")
            #expect(await files.isAtItsPlace())
        }
    }

    @Test("one thread at a time writes, two read; a thousand callers wait their turn")
    func callers() async throws {
        try await withTemporaryDirectory { path in
            let files = try LinuxFileSystem(root: path, name: "busy")
            let file = try await files.make("f", Array(repeating: 0, count: 4_096))
            try await withThrowingTaskGroup { group in
                for caller in 0..<1_000 {
                    group.addTask {
                        if caller % 2 == 0 { return try await file.bytes(4_096).count }
                        try await file.write(bytes: [1], at: caller)
                        return 4_096
                    }
                }
                for try await count in group { #expect(count == 4_096) }
            }
            #expect(try await file.bytes(4_096).reduce(0) { $0 + Int($1) } == 500)
        }
    }
}
