package import ClusterProtocol
internal import DiskFormat
package import JournalStorage
package import ObjectModel
package import ShardStorage
internal import Synchronization
package import SystemInterface

/// A disk that a node serves, with the log it keeps for the journal.
package struct HostedDisk: Sendable {
    package var shards: ShardDisk
    package var journal: KeeperLog?
    /// Why the log that it has could not be opened.
    package var logTrouble: KeeperError?
    /// Where it stands; empty where that does not matter.
    package var slot: String

    package init(shards: ShardDisk, journal: KeeperLog?, slot: String = "") {
        self.shards = shards
        self.journal = journal
        self.slot = slot
    }
}

/// One storage node: answers shard and keeper calls for its disks (DESIGN §3).
///
/// Never throws and never traps on what a peer sends: every message gets an answer.
package final class StorageNodeService: TransportService {
    /// Writers open at a time on one node at most; beyond it `begin` is refused, which a gateway takes for a busy disk.
    package static let writerLimit = 4_096
    /// A writer that nobody has called for so long is given up: whoever began it is gone, or has forgotten it. A client
    /// may take as long for one stripe, a few MiB.
    package static let writerPatience = Duration.seconds(3_600)

    private struct OpenWriter {
        let disk: DiskID
        let owner: ShardCaller
        let writer: ShardWriter
        var called: MonotonicTime
    }

    private struct State {
        var disks: [DiskID: HostedDisk] = [:]
        var writers: [UInt64: OpenWriter] = [:]
        var nextHandle: UInt64 = 1
    }

    private let state = Mutex(State())
    let time: any TimeSource
    let buggify: Buggify

    package init(time: any TimeSource, buggify: Buggify = .never) {
        self.time = time
        self.buggify = buggify
    }

    /// Serves a disk from here on; a disk of the same id is replaced.
    package func host(_ disk: HostedDisk) {
        state.withLock { $0.disks[disk.shards.identity.disk] = disk }
    }

    /// Stops serving a disk; its open writers end with `noSuchHandle`.
    @discardableResult
    package func release(_ disk: DiskID) -> HostedDisk? {
        state.withLock { state in
            state.writers = state.writers.filter { $0.value.disk != disk }
            return state.disks.removeValue(forKey: disk)
        }
    }

    /// The disks served, by id.
    package var disks: [HostedDisk] {
        state.withLock { state in state.disks.sorted { $0.key < $1.key }.map(\.value) }
    }

    package func disk(_ id: DiskID) -> HostedDisk? { state.withLock { $0.disks[id] } }

    /// Answers everything: for the coordinator, and for callers in this process.
    package func answer(_ message: TransportMessage) async -> TransportMessage {
        if let request = try? ShardRequest(encoded: message.header) {
            return await answer(request, from: .trusted, buffers: message.buffers)
        }
        if let call = try? KeeperCall(decoding: message.header) {
            return TransportMessage(header: await answer(call).encoded)
        }
        return TransportMessage(header: ShardResponse.failure(.invalid("no message of this version")).encoded())
    }

    private func answer(_ call: KeeperCall) async -> KeeperResponse {
        if Self.mayWait(call.request) { await buggify.pause(.keeperCallLate, time) }
        guard let disk = disk(call.keeper) else { return .refused(.notServed) }
        guard let log = disk.journal else { return .refused(disk.logTrouble ?? .failed("the disk has no journal")) }
        let service = KeeperService(log: log)
        if buggify.strikes(.keeperCallTwice) { _ = await service.answer(call.request) }
        return await service.answer(call.request)
    }

    /// By what keepers confirm a coordinator answers in time or not at all.
    private static func mayWait(_ request: KeeperRequest) -> Bool {
        switch request {
        case .append, .read, .trim: true
        case .state, .promise, .confirm: false
        }
    }

    func answer(
        _ request: ShardRequest,
        from caller: ShardCaller,
        buffers: [BufferSlice]
    ) async -> TransportMessage {
        guard let disk = disk(request.disk)?.shards else {
            return TransportMessage(header: ShardResponse.failure(.noSuchDisk).encoded())
        }
        do {
            let (response, bytes) = try await perform(request, from: caller, on: disk, buffers: buffers)
            return TransportMessage(header: response.encoded(), buffers: bytes)
        } catch {
            return TransportMessage(header: ShardResponse.failure(error).encoded())
        }
    }

    // MARK: Open writers

    /// Keeps a writer of the disk, if that is still the one served under its id: a disk that was let go while the
    /// writer was made would otherwise be held, with its lock, until the process ends.
    func register(
        _ writer: ShardWriter,
        of caller: ShardCaller,
        on disk: ShardDisk
    ) throws(ShardFailure) -> UInt64 {
        let id = disk.identity.disk
        return try state.withLock { state throws(ShardFailure) in
            guard state.disks[id]?.shards === disk else { throw .noSuchDisk }
            guard state.writers.count < Self.writerLimit else { throw .full }
            defer { state.nextHandle += 1 }
            state.writers[state.nextHandle] = OpenWriter(
                disk: id,
                owner: caller,
                writer: writer,
                called: time.monotonic
            )
            return state.nextHandle
        }
    }

    /// The writer behind a handle; another caller's is none, since handles can be guessed.
    func writer(_ handle: UInt64, of caller: ShardCaller, on disk: DiskID) throws(ShardFailure) -> ShardWriter {
        try state.withLock { state throws(ShardFailure) in
            guard let entry = state.writers[handle], entry.disk == disk, entry.owner == caller else {
                throw .noSuchHandle
            }
            state.writers[handle]?.called = time.monotonic
            return entry.writer
        }
    }

    func forget(_ handle: UInt64) {
        _ = state.withLock { $0.writers.removeValue(forKey: handle) }
    }

    /// Writers that were begun and have neither been sealed nor given up.
    package var openWriterCount: Int { state.withLock { $0.writers.count } }

    /// Gives up writers that nobody has called for long; to be called now and then. Their room is freed by and by.
    package func endIdleWriters() {
        let now = time.monotonic
        let idle = state.withLock { state in
            let idle = state.writers.filter { now.duration(since: $0.value.called) >= Self.writerPatience }
            for handle in idle.keys { state.writers[handle] = nil }
            return idle.sorted { $0.key < $1.key }.map(\.value.writer)
        }
        // Not waited for: a disk that hangs must not hold up who looks at it.
        for writer in idle { Task { await writer.abort() } }
    }
}
