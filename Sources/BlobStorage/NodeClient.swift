package import ClusterProtocol
package import DiskFormat
package import ObjectModel
package import SystemInterface

/// Calls the disks of the cluster: one method per message, over the transport that reaches their nodes.
package struct NodeClient: Sendable {
    /// How long a call to a node may take. A disk that does not answer within it is left for another; repair and the
    /// disk's next status decide what becomes of it.
    package static let timeout = Duration.seconds(30)

    private let transport: any Transport
    private let view: ClusterView

    package init(transport: any Transport, view: ClusterView) {
        self.transport = transport
        self.view = view
    }

    /// `isRewrite`: what is written takes the place of other shards, and may come from the reserve.
    package func write(
        _ disk: DiskID,
        header: ShardHeader,
        trailer: ShardTrailer,
        leafChecksums: [UInt32],
        body: [BufferSlice],
        isRewrite: Bool = false
    ) async throws(ShardFailure) {
        let request: ShardRequest =
            isRewrite
            ? .rewrite(disk, header, trailer, leafChecksums: leafChecksums)
            : .write(disk, header, trailer, leafChecksums: leafChecksums)
        _ = try await call(request, buffers: body)
    }

    package func begin(_ disk: DiskID, header: ShardHeader) async throws(ShardFailure) -> UInt64 {
        guard case .handle(let handle) = try await call(.begin(disk, header)).response else { throw .unexpectedAnswer }
        return handle
    }

    package func append(
        _ disk: DiskID,
        handle: UInt64,
        offset: Int,
        cells: [BufferSlice]
    ) async throws(ShardFailure) {
        _ = try await call(.append(disk, handle: handle, offset: offset), buffers: cells)
    }

    package func seal(
        _ disk: DiskID,
        handle: UInt64,
        trailer: ShardTrailer,
        leafChecksums: [UInt32]
    ) async throws(ShardFailure) {
        _ = try await call(.seal(disk, handle: handle, trailer, leafChecksums: leafChecksums))
    }

    package func abort(_ disk: DiskID, handle: UInt64) async throws(ShardFailure) {
        _ = try await call(.abort(disk, handle: handle))
    }

    package func read(
        _ disk: DiskID,
        _ shard: ShardID,
        ranges: [Range<Int>]
    ) async throws(ShardFailure) -> (answer: ShardReadAnswer, buffers: [BufferSlice]) {
        let (response, buffers) = try await call(.read(disk, shard, ranges: ranges))
        guard case .read(let answer) = response else { throw .unexpectedAnswer }
        return (answer, buffers)
    }

    package func describe(
        _ disk: DiskID,
        _ shard: ShardID
    ) async throws(ShardFailure) -> (header: ShardHeader, trailer: ShardTrailer) {
        guard case .description(let header, let trailer) = try await call(.describe(disk, shard)).response else {
            throw .unexpectedAnswer
        }
        return (header, trailer)
    }

    package func verify(_ disk: DiskID, _ shard: ShardID) async throws(ShardFailure) -> Bool {
        guard case .verified(let isGood) = try await call(.verify(disk, shard)).response else {
            throw .unexpectedAnswer
        }
        return isGood
    }

    /// The same as a judgement of the shard: a disk that does not answer says nothing of it.
    package func judge(_ shard: ShardID, on disk: DiskID) async -> ShardVerdict {
        do throws(ShardFailure) {
            return try await verify(disk, shard) ? .good : .damaged
        } catch {
            switch error {
            case .notFound: return .absent
            case .corrupt: return .damaged
            default: return .silent
            }
        }
    }

    /// Tombstones durable, then the space is freed. Shards that are not there are no error.
    package func erase(_ disk: DiskID, _ shards: [ShardID]) async throws(ShardFailure) {
        _ = try await call(.erase(disk, shards))
    }

    /// Erases the shard as it was written under this stamp; another record of it, written since, stays.
    package func eraseRecord(_ disk: DiskID, _ shard: ShardID, writeStamp: UInt64) async throws(ShardFailure) {
        _ = try await call(.eraseRecord(disk, shard, writeStamp: writeStamp))
    }

    /// Erases the record of a shard that the disk holds now, unless it was written for a later epoch of its group.
    ///
    /// Whoever decides to erase has seen a placement of that epoch: what a newer one put here is not meant, neither
    /// when the decision nor when the call itself comes late.
    package func erase(_ shard: ShardID, on disk: DiskID, asOf epoch: UInt32) async throws(ShardFailure) {
        let header = try await describe(disk, shard).header
        guard header.groupEpoch <= epoch else { return }
        try await eraseRecord(disk, shard, writeStamp: header.writeStamp)
    }

    package func inventory(
        _ disk: DiskID,
        after shard: ShardID?,
        limit: Int
    ) async throws(ShardFailure) -> (entries: [ShardInventoryEntry], isLast: Bool) {
        let answer = try await call(.inventory(disk, after: shard, limit: limit)).response
        guard case .inventory(let entries, let isLast) = answer else { throw .unexpectedAnswer }
        return (entries, isLast)
    }

    package func status(_ disk: DiskID) async throws(ShardFailure) -> DiskStatus {
        guard case .status(let status) = try await call(.status(disk)).response else { throw .unexpectedAnswer }
        return status
    }

    private func call(
        _ request: ShardRequest,
        buffers: [BufferSlice] = []
    ) async throws(ShardFailure) -> (response: ShardResponse, buffers: [BufferSlice]) {
        guard let node = view.node(of: request.disk) else { throw .noSuchDisk }
        let message = TransportMessage(header: request.encoded(), buffers: buffers)
        let answer: TransportMessage
        do {
            answer = try await transport.call(node.name, message, timeout: Self.timeout)
        } catch {
            switch error {
            case .unreachable: throw .unreachable
            case .unknownOutcome: throw .unknownOutcome
            }
        }
        guard let response = try? ShardResponse(encoded: answer.header) else { throw .unexpectedAnswer }
        if case .failure(let failure) = response {
            if case .diskUnusable = failure { view.noteUnusable(request.disk) }
            throw failure
        }
        return (response, answer.buffers)
    }
}

extension ShardFailure {
    /// An answer of another kind than the question's.
    fileprivate static let unexpectedAnswer = ShardFailure.invalid("the node answered with another message")
}

/// What a disk says of a shard that it should have.
package enum ShardVerdict: Sendable {
    case good
    /// It has none.
    case absent
    /// It has one that is not good.
    case damaged
    /// It gave no answer that says either.
    case silent

    /// It has to be made anew, whichever it is.
    package var isBad: Bool { self == .absent || self == .damaged }
}
