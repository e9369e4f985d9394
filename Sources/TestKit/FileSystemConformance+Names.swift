import SystemInterface

extension FileSystemConformance {
    static let nameChecks: [Check] = [
        Check("an empty root lists nothing and is a directory") { files in
            try expect(await files.list(".").isEmpty, "the root is not empty")
            try expect(await files.list("").isEmpty, "the empty path is not the root")
            try expect(await files.status(".")?.isDirectory == true, "the root is no directory")
        },
        Check("names are listed sorted, without . and ..") { files in
            for name in ["b", "a", "c", "B"] { try await files.make(name, []) }
            try await files.createDirectory("d")
            try expect(await files.list(".") == ["B", "a", "b", "c", "d"], "wrong names")
        },
        Check("a missing file is nil in status and notFound everywhere else") { files in
            try expect(await files.status("x") == nil, "status of nothing")
            try expect(await files.status("x/y") == nil, "status below nothing")
            try await expectError(.notFound, "open") { () throws(FileError) in try await files.open("x", .read) }
            try await expectError(.notFound, "write") { () throws(FileError) in try await files.open("x", .write) }
            try await expectError(.notFound, "remove") { () throws(FileError) in try await files.remove("x") }
            try await expectError(.notFound, "rename") { () throws(FileError) in
                try await files.rename("x", to: "y")
            }
            try await expectError(.notFound, "list") { () throws(FileError) in try await files.list("x") }
            try await expectError(.notFound, "create below nothing") { () throws(FileError) in
                try await files.open("x/y", .create)
            }
        },
        Check("createNew refuses a name that exists; create opens it") { files in
            try await files.make("a", [1, 2, 3])
            try await expectError(.exists, "createNew") { () throws(FileError) in
                try await files.open("a", .createNew)
            }
            try expect(await files.open("a", .create).length() == 3, "create must not truncate")
        },
        Check("createDirectory makes parents, and again does no harm") { files in
            try await files.createDirectory("a/b/c")
            try await files.createDirectory("a/b/c")
            try await files.createDirectory("a")
            try expect(await files.list("a/b") == ["c"], "wrong names")
            try expect(await files.status("a/b/c")?.isDirectory == true, "no directory")
            try await files.make("f", [])
            try await expectError(.exists, "over a file") { () throws(FileError) in
                try await files.createDirectory("f")
            }
        },
        Check("a directory is not opened as a file, nor a file listed") { files in
            try await files.createDirectory("d")
            try await files.make("f", [])
            try await expectError(.invalid, "read") { () throws(FileError) in try await files.open("d", .read) }
            try await expectError(.invalid, "write") { () throws(FileError) in try await files.open("d", .write) }
            try await expectError(.invalid, "list") { () throws(FileError) in try await files.list("f") }
        },
        Check("rename replaces a file at once and keeps it open") { files in
            try await files.make("old", [1])
            try await files.make("new", [2, 2])
            let open = try await files.open("new", .read)
            try await files.rename("old", to: "new")
            try await files.syncDirectory(".")
            try expect(await files.list(".") == ["new"], "wrong names")
            try expect(await files.open("new", .read).bytes(9) == [1], "wrong contents")
            try expect(await open.bytes(9) == [2, 2], "the replaced file changed under its reader")
        },
        Check("rename moves files and whole directories between directories") { files in
            try await files.createDirectory("a/inner")
            try await files.createDirectory("b")
            try await files.make("a/inner/f", [7])
            try await files.rename("a/inner", to: "b/moved")
            try expect(await files.list("a").isEmpty, "still there")
            try expect(await files.open("b/moved/f", .read).bytes(9) == [7], "wrong contents")
        },
        Check("remove takes files and empty directories only; an open file stays readable") { files in
            try await files.createDirectory("d")
            let file = try await files.make("d/f", [1, 2])
            try await expectError(.other, "remove a full directory") { () throws(FileError) in
                try await files.remove("d")
            }
            try await files.remove("d/f")
            try expect(await file.bytes(9) == [1, 2], "an open file lost its bytes")
            try await files.remove("d")
            try expect(await files.list(".").isEmpty, "still there")
        },
        Check("paths out of the root, empty names and NUL are refused") { files in
            let paths = ["..", "../x", "a/../b", "/etc", "a//b", "a/", "./a", "a/.", "a\0b"]
            for path in paths {
                try await expectError(.invalid, "open \(path)") { () throws(FileError) in
                    try await files.open(path, .create)
                }
                try await expectError(.invalid, "list") { () throws(FileError) in try await files.list(path) }
                try await expectError(.invalid, "status") { () throws(FileError) in try await files.status(path) }
                try await expectError(.invalid, "remove") { () throws(FileError) in try await files.remove(path) }
                try await expectError(.invalid, "rename") { () throws(FileError) in
                    try await files.rename("a", to: path)
                }
                try await expectError(.invalid, "directory") { () throws(FileError) in
                    try await files.createDirectory(path)
                }
            }
            try await expectError(.invalid, "remove the root") { () throws(FileError) in try await files.remove(".") }
        },
        Check("a lock is held once taken, and taken again by its holder") { files in
            try expect(await files.lock("lock"), "not taken")
            try expect(await files.lock("lock"), "lost")
            try expect(await files.list(".") == ["lock"], "the lock's file is missing")
        },
    ]
}
