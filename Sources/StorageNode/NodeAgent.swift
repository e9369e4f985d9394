package import ClusterProtocol
internal import DiskFormat
package import JournalStorage
internal import ObjectModel
package import ShardStorage
internal import Synchronization
package import SystemInterface

/// What one storage node does with its slots when a coordinator asks: looks, formats, serves, lets go (DESIGN §3, §6).
///
/// Decides nothing by itself: which disks are in use is metadata. Never formats a folder that holds anything, never
/// serves a disk of another cluster, never follows a coordinator older than one it has heard of. Answers every message;
/// shard and keeper calls go to its `service`.
package final class NodeAgent: TransportService {
    /// Changes of one disk or slot that may wait at once; one is made at a time.
    private static let waitingChanges = 64
    /// How long a look at a disk that is served may take before it is told as it was last. Well below the time in which
    /// a node must answer.
    private static let watchPatience = Duration.seconds(2)
    /// A served disk that a look has waited for so long is told as gone: nothing is kept waiting for it any more.
    static let hangPatience = Duration.seconds(10)

    package let service: StorageNodeService
    package let slots: [StoreSlot]
    let configuration: ShardDiskConfiguration
    let keeper: KeeperLog.Configuration
    let time: any TimeSource
    let random: any RandomSource
    private let gates = SlotGates(limit: NodeAgent.waitingChanges)
    private let highest = Mutex<UInt32>(0)
    let slotLooks: PatientLooks<String, SlotReport.Finding>
    let diskLooks: PatientLooks<ObjectIdentifier, HostedDiskReport>
    /// What the last look at each served disk found.
    let lastReports = Mutex<[ObjectIdentifier: HostedDiskReport]>([:])

    package init(
        slots: [StoreSlot],
        configuration: ShardDiskConfiguration,
        keeper: KeeperLog.Configuration,
        time: any TimeSource,
        random: any RandomSource
    ) {
        service = StorageNodeService(time: time, buggify: configuration.buggify)
        self.slots = slots
        self.configuration = configuration
        self.keeper = keeper
        self.time = time
        self.random = random
        slotLooks = PatientLooks(patience: GivenDisk.patience, time: time)
        diskLooks = PatientLooks(patience: Self.watchPatience, time: time)
    }

    package func answer(_ message: TransportMessage) async -> TransportMessage {
        guard NodeCall.isOne(message.header) else { return await service.answer(message) }
        do throws(MessageError) {
            let response = await answer(try NodeCall(decoding: message.header))
            return TransportMessage(header: response.encoded)
        } catch {
            return TransportMessage(header: NodeResponse.refused(.failed(error.description)).encoded)
        }
    }

    /// Closes all disks, side by side; their footers are written. Returns when the last has been, which one that hangs
    /// may never be.
    package func close() async {
        await withTaskGroup(of: Void.self) { group in
            for disk in service.disks { group.addTask { try? await disk.shards.close() } }
        }
    }

    // MARK: Calls

    private func answer(_ call: NodeCall) async -> NodeResponse {
        do throws(NodeRefusal) {
            try check(call)
            switch call.request {
            case .survey: return .slots(await survey())
            case .watch:
                service.endIdleWriters()
                return .disks(await watch())
            case .compact: return .bad(await compact())
            case .mend: return .count(await mend())
            case .release(let disk): return try await release(disk)
            default: return try await change(call)
            }
        } catch {
            return .refused(error)
        }
    }

    /// A coordinator that starts has no incarnation yet, and may only look and have disks served.
    private func check(_ call: NodeCall) throws(NodeRefusal) {
        let known = highest.withLock { highest in
            highest = max(highest, call.incarnation)
            return highest
        }
        if call.incarnation == known { return }
        switch call.request {
        case .survey, .open, .watch: if call.incarnation == 0 { return }
        default: break
        }
        throw .superseded(known)
    }

    private func change(_ call: NodeCall) async throws(NodeRefusal) -> NodeResponse {
        switch call.request {
        case .format(let slot, let disk):
            return try await alone(with: disk.disk, in: slot) { () async throws(NodeRefusal) in
                if configuration.buggify.strikes(.nodeCallTwice) { try await format(slot, disk) }
                try await format(slot, disk)
                return .done
            }
        case .open(let slot, let disk):
            return try await alone(with: disk.disk, in: slot) { () async throws(NodeRefusal) in
                .opened(try await open(slot, disk))
            }
        case .reopenLog(let disk):
            return try await alone(with: .disk(disk)) { () async throws(NodeRefusal) in
                if configuration.buggify.strikes(.nodeCallTwice) { try await reopenLog(of: disk) }
                try await reopenLog(of: disk)
                return .done
            }
        case .renewLog(let disk):
            return try await alone(with: .disk(disk)) { () async throws(NodeRefusal) in
                if configuration.buggify.strikes(.nodeCallTwice) {
                    try await renewLog(of: disk, by: call.incarnation)
                }
                try await renewLog(of: disk, by: call.incarnation)
                return .done
            }
        case .survey, .watch, .compact, .mend, .release: return .refused(.failed("no change of a slot"))
        }
    }

    /// Closed outside the gate: a disk that hangs must not keep its slot from being given another.
    private func release(_ disk: DiskID) async throws(NodeRefusal) -> NodeResponse {
        let released = try await alone(with: .disk(disk)) { () async throws(NodeRefusal) in service.release(disk) }
        try? await released?.shards.close()
        return .done
    }

    /// The disk first, always: two that wait for each other's subject there cannot be.
    private func alone<Value>(
        with disk: DiskID,
        in slot: String,
        _ body: () async throws(NodeRefusal) -> Value
    ) async throws(NodeRefusal) -> Value {
        try await alone(with: .disk(disk)) { () async throws(NodeRefusal) in
            try await alone(with: .slot(slot), body)
        }
    }

    private func alone<Value>(
        with subject: SlotGates.Subject,
        _ body: () async throws(NodeRefusal) -> Value
    ) async throws(NodeRefusal) -> Value {
        guard await gates.enter(subject) else { throw .busy }
        defer { gates.leave(subject) }
        return try await body()
    }

    func slot(_ name: String) throws(NodeRefusal) -> StoreSlot {
        guard let slot = slots.first(where: { $0.name == name }) else { throw .noSuchSlot(name) }
        return slot
    }
}

extension NodeCall {
    /// Whether a message is a call about a node's slots, of whatever version.
    package static func isOne(_ header: [UInt8]) -> Bool {
        var decoder = MessageDecoder(header)
        return (try? decoder.head())?.kind == NodeMessageKind.call
    }
}
