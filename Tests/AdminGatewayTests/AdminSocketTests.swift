import AdminGateway
import Foundation
import Testing

@Suite("The admin socket")
struct AdminSocketTests {
    @Test("a report arrives as it was sent, from a folder whose path is longer than an address")
    func status() async throws {
        try await withFolder(named: String(repeating: "deep/", count: 40)) { folder in
            let report = try await withServer(MemoryService(), in: folder) { try $0.status() }
            #expect(report == .sample())
        }
    }

    @Test("users are added once, listed and removed; errors come back whole")
    func users() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                let keys = try client.addUser(NewUser(name: "Zoë", accessKey: "AK", email: "z@example.org"))
                #expect(keys == UserKeys(name: "Zoë", id: "made-id", accessKey: "AK", secretKey: "made-secret"))
                #expect(throws: AdminError(.conflict, "there is a user Zoë already")) {
                    try client.addUser(NewUser(name: "Zoë"))
                }
                #expect(try client.users().map(\.email) == ["z@example.org"])
                try client.removeUser(named: "Zoë")
                #expect(try client.users().isEmpty)
                #expect(throws: AdminError(.notFound, "there is no user Zoë", advice: "See the list.")) {
                    try client.removeUser(named: "Zoë")
                }
            }
        }
    }

    @Test("disks, kit and scrub reach the service")
    func others() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                #expect(try client.replaceDisk(named: "default/n1/3").path == "/data/disk3")
                #expect(throws: AdminError.self) { try client.replaceDisk(named: "nowhere") }
                #expect(try client.recoveryKit().text == "master key: Zm9v äöü\ncluster: 00ff")
                #expect(try client.status().recoveryKitTaken)
                #expect(try client.startScrub().shardsToVerify == 12_000)
            }
        }
    }

    @Test("only its owner may use the socket, and it goes when the server stops")
    func permissions() async throws {
        try await withFolder { folder in
            let path = "\(folder)/admin.sock"
            let mode = try await withServer(MemoryService(), in: folder) { _ in
                try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            }
            #expect(mode == 0o600)
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    @Test("without a store the client says which folder it looked at and how to start one")
    func notRunning() async throws {
        try await withFolder { folder in
            let error = await #expect(throws: AdminError.self) {
                try await blocking { try AdminClient(directory: folder).status() }
            }
            #expect(error?.code == .notRunning)
            #expect(error?.description.contains("no store is running on \(folder)") == true)
            #expect(error?.description.contains("cairn serve --data \(folder)") == true)
        }
        let missing = await #expect(throws: AdminError.self) {
            try await blocking { try AdminClient(directory: "/nowhere/at/all").status() }
        }
        #expect(missing?.code == .notRunning)
    }

    @Test(
        "where nothing runs, the folder says what to start",
        arguments: [
            ("metadata", "`cairn serve --data "), ("cluster.json", "`cairn coordinator --data "),
            ("node.json", "at the coordinator"), ("superseded", "another coordinator has taken over"),
        ]
    )
    func advice(file: String, text: String) async throws {
        try await withFolder { folder in
            let names = file == "superseded" ? ["cluster.json", file] : [file]
            for name in names {
                try #require(FileManager.default.createFile(atPath: "\(folder)/\(name)", contents: nil))
            }
            let error = await #expect(throws: AdminError.self) {
                try await blocking { try AdminClient(directory: folder).status() }
            }
            let advice = try #require(error?.advice)
            #expect(advice.contains(text))
            #expect(advice.contains("cairn serve") == (file == "metadata"))
        }
    }

    @Test("a second server on the folder is refused and the first goes on")
    func second() async throws {
        try await withFolder { folder in
            try await withServer(MemoryService(), in: folder) { client throws in
                let second = #expect(throws: AdminError.self) { try listenOnce(in: folder) }
                #expect(second?.code == .alreadyRunning)
                #expect(try client.status() == .sample())
            }
        }
    }

    @Test("a socket that a killed process left is replaced")
    func stale() async throws {
        try await withFolder { folder in
            try listenOnce(in: folder)
            #expect(FileManager.default.fileExists(atPath: "\(folder)/admin.sock"))
            let report = try await withServer(MemoryService(), in: folder) { try $0.status() }
            #expect(report == .sample())
        }
    }

    @Test("one that is removed under the server is made again, and the server stops as ever")
    func removed() async throws {
        try await withFolder { folder in
            let path = "\(folder)/admin.sock"
            for _ in 0..<2 {
                let report = try await withServer(MemoryService(), in: folder) { client throws in
                    try FileManager.default.removeItem(atPath: path)
                    // It looks every 2 s.
                    for _ in 0..<3_000 where (try? client.users()) == nil { usleep(10_000) }
                    return try client.status()
                }
                #expect(report == .sample())
                #expect(!FileManager.default.fileExists(atPath: path))
            }
        }
    }

    @Test("a file in the socket's place is left alone")
    func file() async throws {
        try await withFolder { folder in
            let path = "\(folder)/admin.sock"
            try Data("precious".utf8).write(to: URL(fileURLWithPath: path))
            let error = #expect(throws: AdminError.self) { try listenOnce(in: folder) }
            #expect(error?.code == .conflict)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data("precious".utf8))
        }
    }

    /// Listens and closes at once without removing the socket, as a process that is killed does.
    private func listenOnce(in folder: String) throws { close(try AdminSocket.listen(in: folder)) }
}
