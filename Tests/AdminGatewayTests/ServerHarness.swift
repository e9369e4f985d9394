import AdminGateway
import Foundation
import Logging

/// Runs blocking code on a thread of its own: the cooperative pool must stay free for the server.
func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
}

/// A new folder under the system's temporary one, removed afterwards.
func withFolder<Value>(named name: String = "d", _ body: (String) async throws -> Value) async throws -> Value {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("cairn-admin-\(UUID().uuidString)")
    let folder = root.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: root) }
    return try await body(folder.path)
}

/// Serves `service` on `folder` while `body` runs, and then stops as the program does.
func withServer<Value: Sendable>(
    _ service: MemoryService,
    in folder: String,
    _ body: @escaping @Sendable (AdminClient) throws -> Value
) async throws -> Value {
    let server = try AdminServer(
        directory: folder,
        service: service,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    )
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            do { try await server.run() } catch is CancellationError {}
        }
        let value = try await blocking {
            let client = AdminClient(directory: folder)
            // Until it listens, for a minute at most.
            for _ in 0..<6_000 {
                if (try? client.users()) != nil { break }
                usleep(10_000)
            }
            return try body(client)
        }
        group.cancelAll()
        try await group.waitForAll()
        return value
    }
}
