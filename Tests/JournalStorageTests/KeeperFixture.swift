import ClusterProtocol
import Coordination
import DiskFormat
import JournalStorage
import ObjectModel
import Synchronization
import SystemInterface
import TestKit

/// Small logs, so that a few dozen appends roll to the next file.
let smallLogs = KeeperLog.Configuration(fileLength: 160 << 10, reserveFiles: 1)

func openLog(_ disk: MemoryDisk, seed: UInt64 = 1) async throws -> KeeperLog {
    try await KeeperLog.open(disk.mount(), random: SeededRandom(seed: seed), configuration: smallLogs)
}

func position(_ incarnation: UInt32, _ sequence: UInt64) -> JournalPosition {
    JournalPosition(incarnation: incarnation, sequence: sequence)
}

/// A record whose payload tells where it belongs.
func record(_ incarnation: UInt32, _ sequence: UInt64, length: Int = 40) -> JournalRecord {
    var generator = SplitMix64(seed: UInt64(incarnation) << 32 | sequence)
    return JournalRecord(position: position(incarnation, sequence), payload: generator.bytes(length))
}

func records(_ incarnation: UInt32, _ sequences: ClosedRange<UInt64>) -> [JournalRecord] {
    sequences.map { record(incarnation, $0) }
}

/// Everything that can be read from `sequence` on.
func readAll(_ log: KeeperLog, from sequence: UInt64 = 1) async throws(KeeperError) -> [JournalRecord] {
    var result: [JournalRecord] = []
    let last = try await log.state().last.sequence
    while sequence + UInt64(result.count) <= last {
        let more = try await log.read(from: sequence + UInt64(result.count), limitBytes: 500)
        if more.isEmpty { return result }
        result += more
    }
    return result
}

/// Calls a body that must throw, and returns what it threw.
func keeperError(_ body: () async throws -> Void) async -> KeeperError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? KeeperError
    }
}

/// A keeper in this process that can be lost, slowed and brought back.
final class TestKeeper: KeeperClient {
    let keeper: DiskID
    let disk: MemoryDisk
    private struct State {
        var service: KeeperService?
        var isDown = false
        var misreads = false
        var appends = 0
    }
    private let state = Mutex(State())

    init(number: UInt64, disk: MemoryDisk = MemoryDisk()) {
        keeper = DiskID(Identifier128(high: 0, low: number))
        self.disk = disk
    }

    var isDown: Bool {
        get { state.withLock { $0.isDown } }
        set { state.withLock { $0.isDown = newValue } }
    }

    /// Reads every record of its log wrong, until it does not.
    var misreads: Bool {
        get { state.withLock { $0.misreads } }
        set { state.withLock { $0.misreads = newValue } }
    }

    /// Opens the log again, as after a restart of its process.
    func open() async throws {
        let service = KeeperService(log: try await openLog(disk, seed: keeper.value.low))
        state.withLock { $0.service = service }
    }

    func call(_ request: KeeperRequest) async throws(KeeperCallError) -> KeeperResponse {
        await Task.yield()
        let (service, isDown) = state.withLock { ($0.service, $0.isDown) }
        guard let service, !isDown else { throw .unreachable("switched off") }
        if misreads, case .read(let sequence, _) = request { throw .refused(.damaged(sequence..<sequence + 1)) }
        // Everything crosses the wire's encoding.
        guard let call = try? KeeperCall(decoding: KeeperCall(keeper: keeper, request: request).encoded) else {
            throw .unreachable("the request cannot be decoded")
        }
        let response = await service.answer(call.request)
        guard let decoded = try? KeeperResponse(decoding: response.encoded), decoded == response else {
            throw .unreachable("the response cannot be decoded")
        }
        if self.isDown { throw .unreachable("switched off before the answer") }
        return response
    }
}
