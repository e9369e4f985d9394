import Foundation
import LoadGenerator
import Synchronization
import Testing

@Suite("Whole runs against a small server")
struct LoadRunTests {
    @Test("every work does what it was asked for, verified, and leaves nothing", arguments: Work.allCases)
    func works(work: Work) async throws {
        let store = try TinyStore()
        defer { store.stop() }
        let report = try await run(work, store) { _ in }
        #expect(report.errors == [:])
        #expect(report.isClean)
        #expect(store.keys.isEmpty)
        switch work {
        case .multipart:
            #expect(report.operations["complete"]?.count == 12)
            #expect(report.operations["part"]?.count == 12 * 4)
            #expect(report.total.bytes == 12 * 300_001)
        case .range: #expect(report.total.bytes == 12 * 4_096)
        case .put, .get: #expect(report.total.bytes == 12 * 300_001)
        case .mixed: #expect(report.total.count == 12)
        case .list, .delete, .head: #expect(report.operations[work.rawValue]?.count == 12)
        }
    }

    @Test("bodies arrive whole in every payload mode, over connections that close too", arguments: PayloadMode.allCases)
    func payloads(mode: PayloadMode) async throws {
        let store = try TinyStore(fault: .closing)
        defer { store.stop() }
        let report = try await run(.get, store) {
            $0.payload = mode
            $0.size = 2_500_000
            $0.objects = 3
        }
        #expect(report.errors == [:])
        #expect(report.total.bytes == 12 * 2_500_000)
    }

    @Test("parts of a multipart object make up the very content that a GET expects")
    func multipartContent() async throws {
        let store = try TinyStore()
        defer { store.stop() }
        _ = try await run(.multipart, store) { $0.cleanup = false }
        #expect(store.keys.count == 12)
        let report = try await run(.get, store) {
            $0.existing = true
            $0.objects = 12
        }
        #expect(report.errors == [:])
    }

    @Test("a flipped byte is reported with its key and offset")
    func flipped() async throws {
        let store = try TinyStore(fault: .flippedByte)
        defer { store.stop() }
        let report = try await run(.get, store) { $0.limit = .count(3) }
        #expect(report.errors == ["WrongBytes": 3])
        #expect(report.errorExamples["WrongBytes"]?.contains("from offset 150000") == true)
        #expect(!report.isClean)
    }

    @Test("refusals are counted by S3's code")
    func refused() async throws {
        let store = try TinyStore(fault: .refusal)
        defer { store.stop() }
        let report = try await run(.put, store) {
            $0.limit = .count(4)
            $0.cleanup = false
        }
        #expect(report.errors == ["503 SlowDown": 4])
        #expect(report.text.contains("4 × 503 SlowDown"))
    }

    @Test("a run ends with its time, and accounts for the processes it is told of")
    func duration() async throws {
        let store = try TinyStore()
        defer { store.stop() }
        let own = ProcessInfo.processInfo.processIdentifier
        let report = try await run(.head, store) {
            $0.limit = .duration(TimeSpan(nanoseconds: 300_000_000))
            $0.warmUp = TimeSpan(nanoseconds: 50_000_000)
            $0.serverProcesses = [own]
        }
        // A run without an end would still go on by then, on any machine.
        #expect(report.elapsedSeconds > 0.2 && report.elapsedSeconds < 120)
        #expect((report.server?.peakResidentBytes ?? 0) > 1 << 20)
        #expect(report.text.contains("ms per operation"))
        #expect(try JSONDecoder().decode(LoadReport.self, from: JSONEncoder().encode(report)) == report)
    }

    @Test("without a server, or with wrong keys, the run says what to check")
    func unreachable() async throws {
        let store = try TinyStore()
        let wrong = await #expect(throws: LoadRun.Failure.self) {
            _ = try await run(.put, store) { $0.credentials.accessKey = "other" }
        }
        #expect(wrong?.description.contains("--access-key") == true || wrong?.description.contains("403") == true)
        store.stop()
        let missing = await #expect(throws: LoadRun.Failure.self) { _ = try await run(.put, store) { _ in } }
        #expect(missing?.description.contains("cannot connect") == true)
    }

    /// Twelve operations on objects of 300,001 bytes, changed by `change`; on a thread of its own.
    private func run(_ work: Work, _ store: TinyStore, _ change: (inout LoadOptions) -> Void) async throws -> LoadReport
    {
        var options = LoadOptions(
            work: work,
            endpoint: Endpoint(host: "127.0.0.1", port: store.port),
            credentials: Credentials(accessKey: "AK", secretKey: "SK", region: "us-east-1")
        )
        options.size = 300_001
        options.rangeSize = 4_096
        options.partSize = 80_000
        options.concurrency = 3
        options.limit = .count(12)
        options.objects = work == .multipart || work == .put ? nil : 12
        options.pageSize = 5
        options.verify = true
        options.prefix = "a b/"
        change(&options)
        let final = options
        return try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try LoadRun(final).execute() }) }
        }
    }
}
