import Synchronization
import SystemInterface
import TestKit

/// Proves the machinery on the smallest store there is: one file of numbered slots, four clients, one loss of power.
///
/// Every number that was acknowledged must be in the file afterwards, and nothing that nobody sent. The variant that
/// answers before it syncs must be caught.
package struct PlainFilesScenario: Scenario {
    static let clientCount = 4
    static let numbersPerClient = 50

    private let syncsBeforeAnswering: Bool

    package init(syncsBeforeAnswering: Bool) { self.syncsBeforeAnswering = syncsBeforeAnswering }

    package var name: String { syncsBeforeAnswering ? "plain-files" : "plain-files-unsynced" }

    package var summary: String {
        syncsBeforeAnswering
            ? "200 appends by four clients over a rough network to one file; one loss of power"
            : "the same, but the server answers before it syncs: the simulator must find that"
    }

    package func run(world: World, without faults: Set<Int>) async throws {
        world.network.profile = .rough
        let acknowledged = Numbers()
        var server = startServer(in: world)
        let clients = (0..<Self.clientCount).map { client in
            world.start("client-\(client)") { process in
                let first = client * Self.numbersPerClient
                for number in first..<first + Self.numbersPerClient {
                    try await Self.append(number, from: process)
                    acknowledged.insert(number)
                }
            }
        }
        try await world.time.sleep(for: .microseconds(Int(world.random.next() % 200_000)))
        server.crash()
        try await world.time.sleep(for: .milliseconds(Int(world.random.next() % 500)))
        server = startServer(in: world)
        for client in clients { await client.wait() }
        server.crash()
        let stored = try await SlotFile.read(world.disk("disk").mount())
        let lost = acknowledged.all.subtracting(stored).sorted()
        guard lost.isEmpty else { throw BrokenPromise("acknowledged and lost: \(lost)") }
        let all = Set(0..<Self.clientCount * Self.numbersPerClient)
        guard stored.isSubset(of: all) else {
            throw BrokenPromise("stored, but never sent: \(stored.subtracting(all).sorted())")
        }
    }

    private func startServer(in world: World) -> SimulatedProcess {
        world.start("server", disks: ["disk"]) { process in
            let file = try await SlotFile(process.files("disk"), syncsBeforeAnswering: syncsBeforeAnswering)
            process.serve("slots", file)
        }
    }

    /// Sends a number until the server says that it has it.
    private static func append(_ number: Int, from process: SimulatedProcess) async throws {
        while true {
            do throws(TransportError) {
                let request = TransportMessage(header: [UInt8(number)])
                let answer = try await process.transport.call("slots", request, timeout: .milliseconds(50))
                if answer.header == [1] { return }
            } catch {
                try await process.time.sleep(for: .milliseconds(5))
            }
        }
    }
}

/// A file of slots of 32 bytes: a number, its complement, zeros.
private final class SlotFile: TransportService {
    private static let path = "slots"
    private static let size = 32

    private let file: any File
    private let next: Mutex<Int>
    private let syncsBeforeAnswering: Bool

    init(_ files: any FileSystem, syncsBeforeAnswering: Bool) async throws {
        self.syncsBeforeAnswering = syncsBeforeAnswering
        file = try await files.open(Self.path, .create)
        try await files.syncDirectory(".")
        next = Mutex(try await file.length() / Self.size + 1)
    }

    func answer(_ message: TransportMessage) async -> TransportMessage {
        guard let number = message.header.first else { return TransportMessage(header: [0]) }
        let slot = next.withLock { next in
            defer { next += 1 }
            return next
        }
        var bytes = [UInt8](repeating: 0, count: Self.size)
        bytes[0] = number
        bytes[1] = ~number
        do throws(FileError) {
            try await file.write(bytes: bytes, at: slot * Self.size)
            if syncsBeforeAnswering { try await file.sync() }
            return TransportMessage(header: [1])
        } catch {
            return TransportMessage(header: [0])
        }
    }

    /// The numbers in the file; slots that were never written, or torn, do not count.
    static func read(_ files: any FileSystem) async throws -> Set<Int> {
        let file = try await files.open(path, .read)
        let bytes = try await file.bytes(file.length())
        let starts = stride(from: 0, to: bytes.count - 1, by: size)
        return Set(starts.filter { bytes[$0] == ~bytes[$0 + 1] }.map { Int(bytes[$0]) })
    }
}

private final class Numbers: Sendable {
    private let state = Mutex<Set<Int>>([])
    var all: Set<Int> { state.withLock { $0 } }
    func insert(_ number: Int) { state.withLock { _ = $0.insert(number) } }
}
