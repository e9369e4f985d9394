package import DiskFormat
package import ObjectModel

extension MessageEncoder {
    package mutating func append(_ id: DiskID) {
        append(id.value.high)
        append(id.value.low)
    }

    package mutating func append(_ blob: BlobID) {
        append(blob.incarnation)
        append(blob.lease)
        append(blob.sequence)
    }

    package mutating func append(_ shard: ShardID) {
        append(shard.blob)
        append(shard.index)
    }

    package mutating func append(_ digest: ContentDigest) {
        append(digest.high)
        append(digest.low)
    }

    package mutating func append(_ scheme: Scheme) {
        append(scheme.family.rawValue)
        append(UInt8(scheme.dataCount))
        append(UInt8(scheme.parityCount))
        append(UInt8(scheme.localGroups))
        append(scheme.matrix.rawValue)
        append(UInt32(scheme.cellSize))
    }

    package mutating func append(_ header: ShardHeader) {
        append(header.shard)
        append(header.group.number)
        append(header.groupEpoch)
        append(header.scheme)
        append(header.writeStamp)
        append(count: header.bodyCapacity)
    }

    package mutating func append(_ frame: Frame) {
        append(UInt32(frame.logicalLength))
        append(UInt32(frame.storedLength))
        append(frame.filter.rawValue)
        append(frame.codec.rawValue)
        append(frame.keySlot)
    }

    package mutating func append(_ trailer: ShardTrailer) {
        append(count: trailer.blobLength)
        append(list: trailer.shardDigests) { $0.append($1) }
        append(trailer.ingestDigest)
        switch trailer.frames {
        case .uniform: append(false)
        case .explicit(let frames):
            append(true)
            append(list: frames) { $0.append($1) }
        }
        append(list: trailer.dataKeys) { encoder, key in
            encoder.append(key.slot)
            encoder.append(bytes: key.wrapped)
            encoder.append(bytes: key.nonceBase)
        }
        append(optional: trailer.identity) { encoder, identity in
            encoder.append(identity.encoding.rawValue)
            encoder.append(bytes: identity.bytes)
        }
    }
}

extension MessageDecoder {
    package mutating func diskID() throws(MessageError) -> DiskID {
        DiskID(Identifier128(high: try integer(), low: try integer()))
    }

    package mutating func blobID() throws(MessageError) -> BlobID {
        BlobID(incarnation: try integer(), lease: try integer(), sequence: try integer())
    }

    package mutating func shardID() throws(MessageError) -> ShardID {
        ShardID(blob: try blobID(), index: try integer())
    }

    package mutating func digest() throws(MessageError) -> ContentDigest {
        ContentDigest(high: try integer(), low: try integer())
    }

    package mutating func scheme() throws(MessageError) -> Scheme {
        let family = try integer(UInt8.self)
        let dataCount = Int(try integer(UInt8.self))
        let parityCount = Int(try integer(UInt8.self))
        let localGroups = try integer(UInt8.self)
        let matrix = try integer(UInt8.self)
        let cellSize = Int(try integer(UInt32.self))
        guard Scheme.Family(rawValue: family) == .reedSolomon, localGroups == 0,
            Scheme.Matrix(rawValue: matrix) == .cauchy1,
            let scheme = Scheme(dataCount: dataCount, parityCount: parityCount, cellSize: cellSize)
        else { throw .invalid(field: "scheme") }
        return scheme
    }

    package mutating func shardHeader() throws(MessageError) -> ShardHeader {
        ShardHeader(
            shard: try shardID(),
            group: GroupID(try integer()),
            groupEpoch: try integer(),
            scheme: try scheme(),
            writeStamp: try integer(),
            bodyCapacity: try count(limit: Limits.blobLength)
        )
    }

    package mutating func frame() throws(MessageError) -> Frame {
        let logical = Int(try integer(UInt32.self))
        let stored = Int(try integer(UInt32.self))
        guard let filter = Frame.Filter(rawValue: try integer()), let codec = Frame.Codec(rawValue: try integer()),
            logical <= Limits.frameLength, stored <= Limits.frameLength
        else { throw .invalid(field: "frame") }
        return Frame(
            logicalLength: logical,
            storedLength: stored,
            filter: filter,
            codec: codec,
            keySlot: try integer()
        )
    }

    package mutating func shardTrailer() throws(MessageError) -> ShardTrailer {
        let blobLength = try count(limit: Limits.blobLength)
        let digests = try list(limit: Scheme.maximumShardCount) { decoder throws(MessageError) in
            try decoder.digest()
        }
        let ingest = try digest()
        let frames: FrameIndex =
            try bool()
            ? .explicit(try list { decoder throws(MessageError) in try decoder.frame() }) : .uniform
        let keys = try list(limit: Int(UInt8.max)) { decoder throws(MessageError) in
            DataKey(slot: try decoder.integer(), wrapped: try decoder.byteString(), nonceBase: try decoder.byteString())
        }
        let identity = try optional { decoder throws(MessageError) -> IdentityBlock in
            guard let encoding = IdentityBlock.Encoding(rawValue: try decoder.integer()) else {
                throw .invalid(field: "identity")
            }
            return IdentityBlock(encoding: encoding, bytes: try decoder.byteString())
        }
        return ShardTrailer(
            blobLength: blobLength,
            shardDigests: digests,
            ingestDigest: ingest,
            frames: frames,
            dataKeys: keys,
            identity: identity
        )
    }
}
