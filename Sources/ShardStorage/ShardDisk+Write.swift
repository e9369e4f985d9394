package import DiskFormat
internal import ObjectModel
internal import Synchronization
package import SystemInterface

extension ShardDisk {
    /// Writes a whole shard; durable and visible on return. `header.bodyCapacity` is the body's length.
    ///
    /// Small bodies are packed with those of concurrent writers into one write and one flush; large ones get blocks of
    /// their own. Throws `.full` when there is no room, `.invalid` when the parts do not fit each other. A rewrite, of
    /// bytes whose old place will be given up, may take its room from the reserve.
    package func write(
        _ header: ShardHeader,
        body: [BufferSlice],
        leafChecksums: [UInt32],
        trailer: ShardTrailer,
        isRewrite: Bool = false
    ) async throws(ShardStorageError) {
        let length = body.reduce(0) { $0 + $1.count }
        var header = header
        header.bodyCapacity = length
        try Self.check(header)
        let end = try Self.encodeEnd(header, trailer, leafChecksums, bodyLength: length)
        let record = ShardRecordHeader(header: header, sequence: 0, trailerCapacity: end.trailer.count)
        guard length < ShardDiskConfiguration.alignedBodyLength else {
            let writer = try await reserve(record, copyOf: nil, isRewrite ? .rewrite : .ordinary)
            try await append(body, to: writer)
            try await writer.seal(trailer: trailer, leafChecksums: leafChecksums)
            return
        }
        state.withLock { $0.beginPending(header.shard) }
        defer { state.withLock { $0.endPending(header.shard) } }
        let shard = PackedShard(
            header: record,
            body: body,
            end: end.table + end.trailer,
            bodyLength: length,
            isRewrite: isRewrite
        )
        guard let entry = try await commitPacked(.shards([shard])).first else { throw .closed }
        checksums.insert(leafChecksums, segment: entry.segment, offset: entry.offset)
    }

    private func append(_ body: [BufferSlice], to writer: ShardWriter) async throws(ShardStorageError) {
        do throws(ShardStorageError) {
            try await writer.append(body, at: 0)
        } catch {
            await writer.abort()
            throw error
        }
    }

    /// Reserves room for a shard that comes cell by cell, `header.bodyCapacity` bytes at most. Nothing is visible
    /// before the writer's `seal`. `trailerCapacity` is the room for what is known only then.
    package func begin(
        _ header: ShardHeader,
        trailerCapacity: Int = ShardDiskConfiguration.defaultTrailerCapacity
    ) async throws(ShardStorageError) -> ShardWriter {
        try Self.check(header)
        guard (0...RecordLayout.maximumTrailerLength).contains(trailerCapacity) else {
            throw .invalid("trailer capacity \(trailerCapacity)")
        }
        return try await reserve(
            ShardRecordHeader(header: header, sequence: 0, trailerCapacity: trailerCapacity),
            copyOf: nil,
            .ordinary
        )
    }

    /// Takes room for a record in the aligned segment; a copy keeps the sequence of the record it is of, and is not
    /// published by its seal.
    func reserve(
        _ record: ShardRecordHeader,
        copyOf original: IndexEntry?,
        _ privilege: Privilege
    ) async throws(ShardStorageError) -> ShardWriter {
        let length = record.layout(in: .aligned).length
        while true {
            let writer = try state.withLock { state throws(ShardStorageError) in
                try state.checkWritable()
                return reserve(record, length, original, &state)
            }
            if let writer { return writer }
            try await makeRoom(.aligned, length: length, count: 1, privilege)
        }
    }

    /// Takes the next place in the open aligned segment; nil when it has no room. The header goes to the medium before
    /// the next sync of the segment, in order with the others.
    private func reserve(
        _ record: ShardRecordHeader,
        _ length: Int,
        _ original: IndexEntry?,
        _ state: inout DiskState
    ) -> ShardWriter? {
        guard let id = state.openSegments[.aligned], let room = state.segments[id]?.room(for: length, count: 1) else {
            return nil
        }
        var record = record
        record.sequence = original?.sequence ?? state.takeSequence()
        let values = record.header
        let offset = room.end
        let bytes = record.encoded(at: room.header.place(offset), in: .aligned)
        state.segments[id]?.pendingHeaders.append(SegmentState.PendingHeader(offset: offset, bytes: bytes))
        state.segments[id]?.openWriters += 1
        state.segments[id]?.append(
            SegmentFooter.Entry(
                content: .shard(
                    bodyLength: 0,
                    bodyCapacity: values.bodyCapacity,
                    trailerCapacity: record.trailerCapacity,
                    headerLength: record.headerLength
                ),
                isSealed: false,
                offset: offset,
                length: length,
                shard: values.shard,
                writeStamp: values.writeStamp,
                sequence: record.sequence
            )
        )
        state.beginPending(values.shard)
        return ShardWriter(
            disk: self,
            record: record,
            segment: id,
            offset: offset,
            file: room.file,
            isCopy: original != nil
        )
    }

    /// A writer has sealed or given up.
    func endWriter(of shard: ShardID, in segment: UInt64) {
        state.withLock { state in
            state.segments[segment]?.openWriters -= 1
            state.endPending(shard)
        }
    }

    static func check(_ header: ShardHeader) throws(ShardStorageError) {
        guard (0...RecordLayout.maximumBodyLength).contains(header.bodyCapacity) else {
            throw .invalid("body capacity \(header.bodyCapacity)")
        }
        guard Int(header.shard.index) < header.scheme.shardCount else {
            throw .invalid("shard \(header.shard) of scheme \(header.scheme)")
        }
    }

    /// Leaf table and trailer of a record, encoded.
    static func encodeEnd(
        _ header: ShardHeader,
        _ trailer: ShardTrailer,
        _ leafChecksums: [UInt32],
        bodyLength: Int
    ) throws(ShardStorageError) -> (table: [UInt8], trailer: [UInt8]) {
        guard leafChecksums.count == Leaf.count(of: bodyLength) else {
            throw .invalid("\(leafChecksums.count) leaf checksums for \(bodyLength) bytes")
        }
        guard trailer.shardDigests.count == header.scheme.shardCount,
            (0...Limits.blobLength).contains(trailer.blobLength)
        else { throw .invalid("trailer of \(header.shard)") }
        let table = ShardRecordTrailer.table(leafChecksums)
        let record = ShardRecordTrailer(
            shard: header.shard,
            trailer: trailer,
            bodyLength: bodyLength,
            tableChecksum: table.withUnsafeBytes { ShardRecordTrailer.tableChecksum($0, header) }
        )
        let encoded = record.encoded(header)
        guard encoded.count <= RecordLayout.maximumTrailerLength else {
            throw .invalid("trailer of \(encoded.count) bytes")
        }
        return (table, encoded)
    }
}
