internal import ClusterProtocol
internal import DiskFormat
internal import ObjectInterface
internal import ObjectModel

extension MetadataEffect {
    /// The version of the payload's layout (`Docs/MetadataRecords.md`).
    private static let formatVersion: UInt8 = 1
    /// Tags from here on may be skipped by who does not know them; unknown ones below are refused.
    private static let firstOptional: UInt16 = 0x8000
    /// The one field of an effect that this version writes.
    private static let bodyTag: UInt16 = 1

    /// The payload of a journal record.
    package static func encode(_ effects: [MetadataEffect]) -> [UInt8] {
        var writer = ByteWriter(capacity: 256)
        writer.put(byte: formatVersion)
        for effect in effects {
            var body = ByteWriter(capacity: 128)
            effect.encodeBody(into: &body)
            var fields = ByteWriter(capacity: body.bytes.count + 6)
            fields.putField(bodyTag, body.bytes)
            writer.putField(effect.tag, fields.bytes)
        }
        return writer.bytes
    }

    /// The effects of a journal record; whatever the bytes are, an error and never a trap. Effects and fields with
    /// optional tags that this version does not know are skipped. A keeper set change has none.
    package static func decode(_ payload: [UInt8]) throws(MetadataError) -> [MetadataEffect] {
        if KeeperSetChange.isChange(payload) { return [] }
        var reader = ByteReader(payload)
        let version = try reader.getByte()
        guard version == formatVersion else { throw .unsupported("journal payload version \(version)") }
        var effects: [MetadataEffect] = []
        while !reader.isAtEnd {
            let field = try reader.getField()
            if field.tag >= firstOptional { continue }
            effects.append(try decodeEffect(field.tag, field.content))
        }
        return effects
    }

    private static func decodeEffect(_ tag: UInt16, _ content: [UInt8]) throws(MetadataError) -> MetadataEffect {
        var fields = ByteReader(content)
        var body: [UInt8]?
        while !fields.isAtEnd {
            let field = try fields.getField()
            if field.tag == bodyTag, body == nil {
                body = field.content
            } else if field.tag < firstOptional {
                throw .unsupported("field \(field.tag) of effect \(tag)")
            }
        }
        guard let body else { throw .corrupt("an effect without body") }
        var reader = ByteReader(body)
        let effect = try decodeBody(tag, &reader)
        try reader.expectEnd(of: "effect \(tag)")
        return effect
    }

    private var tag: UInt16 {
        switch self {
        case .bucketCreated: 1
        case .bucketDeleted: 2
        case .userPut: 3
        case .userRemoved: 4
        case .blobAdded: 5
        case .versionPut: 6
        case .versionRemoved: 7
        case .tagsPut: 8
        case .uploadCreated: 9
        case .uploadEnded: 10
        case .partPut: 11
        case .shardsMissing: 12
        case .shardPresent: 13
        case .blobsForgotten: 14
        case .extentsMoved: 15
        case .leaseGranted: 16
        case .leaseEnded: 17
        case .diskPut: 18
        case .groupPut: 19
        case .memberReplaced: 20
        case .incarnationBegan: 21
        case .checkpointsPut: 22
        case .memberSpread: 23
        case .membersMoved: 24
        case .movesEnded: 25
        case .shardsMoving: 26
        case .classPut: 27
        case .classRemoved: 28
        case .bucketClassPut: 29
        case .versionClassPut: 30
        case .classRewritePut: 31
        case .classRewriteEnded: 32
        case .maintenancePut: 33
        case .maintenanceEnded: 34
        case .forcedStartPut: 35
        case .certificateFloorPut: 36
        }
    }

    private func encodeBody(into writer: inout ByteWriter) {
        switch self {
        case .bucketCreated(let bucket): bucket.encode(into: &writer)
        case .bucketDeleted(let name): writer.put(name)
        case .userPut(let user): user.encode(into: &writer)
        case .userRemoved(let name): writer.put(name)
        case .blobAdded(let blob):
            writer.put(blob.id)
            writer.put(BlobRow(blob).marks.missing)
            BlobContent(blob).encode(into: &writer)
        case .versionPut(let version):
            writer.put(version.bucket)
            writer.put(version.key)
            writer.put(raw: VersionRow.encode(version, usualOwner: nil))
        case .versionRemoved(let bucket, let key, let number):
            writer.put(bucket)
            writer.put(key)
            writer.put(number)
        case .tagsPut(let bucket, let key, let tags):
            writer.put(bucket)
            writer.put(key)
            writer.put(tags)
        case .uploadCreated(let upload): upload.encode(into: &writer)
        case .uploadEnded(let id): writer.put(id.text)
        case .partPut(let part): part.encode(into: &writer)
        default: encodeClusterBody(into: &writer)
        }
    }

    private func encodeClusterBody(into writer: inout ByteWriter) {
        switch self {
        case .shardsMissing(let shards), .shardsMoving(let shards):
            writer.put(shards.count)
            for shard in shards { writer.put(shard) }
        case .shardPresent(let shard): writer.put(shard)
        case .blobsForgotten(let ids):
            writer.put(ids.count)
            for id in ids { writer.put(id) }
        case .extentsMoved(let owner, let extents):
            writer.put(owner)
            writer.put(extents)
        case .leaseGranted(let lease, let holder):
            writer.put(lease)
            writer.put(holder.name)
        case .leaseEnded(let lease): writer.put(lease)
        case .diskPut(let disk): disk.encode(into: &writer)
        case .groupPut(let group): group.encode(into: &writer)
        case .memberReplaced(let old, let new):
            writer.put(old.value)
            writer.put(new.value)
        case .memberSpread(let old, let groups):
            writer.put(old.value)
            writer.put(groups.count)
            for (group, new) in groups.sorted(by: { $0.key < $1.key }) {
                writer.put(group.number)
                writer.put(new.value)
            }
        case .membersMoved(let moves):
            writer.put(moves) { (writer, place, disk) in
                writer.put(byte: place)
                writer.put(disk.value)
            }
        case .movesEnded(let ends):
            writer.put(ends.mapValues { Dictionary(uniqueKeysWithValues: $0.map { ($0, ()) }) }) { (writer, place, _) in
                writer.put(byte: place)
            }
        case .classPut(let item): item.encode(into: &writer)
        case .classRemoved(let name): writer.put(name)
        case .bucketClassPut(let bucket, let name):
            writer.put(bucket)
            writer.put(name ?? "")
        case .versionClassPut(let bucket, let key, let name): for text in [bucket, key, name] { writer.put(text) }
        case .classRewritePut(let rewrite): rewrite.encode(into: &writer)
        case .classRewriteEnded(let bucket): writer.put(bucket)
        case .maintenancePut(let maintenance): maintenance.encode(into: &writer)
        case .forcedStartPut(let start): start.encode(into: &writer)
        case .certificateFloorPut(let floor): floor.encode(into: &writer)
        case .maintenanceEnded(let site, let node):
            writer.put(site.name)
            writer.put(node.name)
        case .incarnationBegan(let incarnation): writer.put(incarnation)
        case .checkpointsPut(let checkpoints): KeptCheckpoints(checkpoints).encode(into: &writer)
        default: preconditionFailure("an effect without encoding")
        }
    }

    private static func decodeBody(_ tag: UInt16, _ reader: inout ByteReader) throws(MetadataError) -> MetadataEffect {
        switch tag {
        case 1: return .bucketCreated(try Bucket(from: &reader))
        case 2: return .bucketDeleted(try reader.getText())
        case 3: return .userPut(try UserRecord(from: &reader))
        case 4: return .userRemoved(name: try reader.getText())
        case 5: return .blobAdded(try getBlob(&reader))
        case 6:
            let bucket = try reader.getText()
            let key = try reader.getText()
            return .versionPut(
                try VersionRow.decode(try reader.getRest(), bucket: bucket, key: key, usualOwner: nil)
            )
        case 7:
            return .versionRemoved(
                bucket: try reader.getText(),
                key: try reader.getText(),
                number: try reader.getInteger()
            )
        case 8:
            return .tagsPut(bucket: try reader.getText(), key: try reader.getText(), tags: try reader.getTags())
        case 9: return .uploadCreated(try UploadRecord(from: &reader))
        case 10: return .uploadEnded(UploadID(try reader.getText()))
        case 11: return .partPut(try PartRecord(from: &reader))
        default: return try decodeClusterBody(tag, &reader)
        }
    }

    private static func decodeClusterBody(
        _ tag: UInt16,
        _ reader: inout ByteReader
    ) throws(MetadataError) -> MetadataEffect {
        switch tag {
        case 12: return .shardsMissing(try shards(from: &reader))
        case 13: return .shardPresent(try reader.getShard())
        case 14:
            var ids: [BlobID] = []
            for _ in 0..<(try reader.getCount(size: 3)) { ids.append(try reader.getBlob()) }
            return .blobsForgotten(ids)
        case 15: return .extentsMoved(try reader.getOwner(), try reader.getExtents())
        case 16: return .leaseGranted(try reader.getLease(), holder: NodeName(try reader.getText()))
        case 17: return .leaseEnded(try reader.getLease())
        case 18: return .diskPut(try DiskRecord(from: &reader))
        case 19: return .groupPut(try GroupRecord(from: &reader))
        case 20:
            return .memberReplaced(DiskID(try reader.getIdentifier()), with: DiskID(try reader.getIdentifier()))
        case 21: return .incarnationBegan(try reader.getUInt32())
        case 23: return try memberSpread(from: &reader)
        case 24:
            return .membersMoved(
                try reader.getPlaces { (reader) throws(MetadataError) in DiskID(try reader.getIdentifier()) }
            )
        case 25:
            let places = try reader.getPlaces { (_) throws(MetadataError) in () }
            return .movesEnded(places.mapValues { $0.keys.sorted() })
        case 26: return .shardsMoving(try shards(from: &reader))
        case 27: return .classPut(try StorageClass(from: &reader))
        case 28: return .classRemoved(name: try reader.getText())
        case 29:
            let bucket = try reader.getText()
            let name = try reader.getText()
            return .bucketClassPut(bucket: bucket, name: name.isEmpty ? nil : name)
        case 30:
            return .versionClassPut(
                bucket: try reader.getText(),
                key: try reader.getText(),
                storageClass: try reader.getText()
            )
        case 31: return .classRewritePut(try ClassRewrite(from: &reader))
        case 32: return .classRewriteEnded(bucket: try reader.getText())
        case 33: return .maintenancePut(try NodeMaintenance(from: &reader))
        case 34: return .maintenanceEnded(SiteName(try reader.getText()), NodeName(try reader.getText()))
        case 35: return .forcedStartPut(try ForcedStart(from: &reader))
        case 36: return .certificateFloorPut(try CertificateFloor(from: &reader))
        case 22: return .checkpointsPut(try KeptCheckpoints(from: &reader).checkpoints)
        default: throw .unsupported("effect \(tag)")
        }
    }

    private static func shards(from reader: inout ByteReader) throws(MetadataError) -> [ShardID] {
        var shards: [ShardID] = []
        for _ in 0..<(try reader.getCount(size: 4)) { shards.append(try reader.getShard()) }
        return shards
    }

    private static func memberSpread(from reader: inout ByteReader) throws(MetadataError) -> MetadataEffect {
        let old = DiskID(try reader.getIdentifier())
        var groups: [GroupID: DiskID] = [:]
        var last: GroupID?
        for _ in 0..<(try reader.getCount(size: 17)) {
            let group = GroupID(try reader.getUInt32())
            guard last.map({ $0 < group }) ?? true else { throw .corrupt("groups out of order") }
            last = group
            groups[group] = DiskID(try reader.getIdentifier())
        }
        return .memberSpread(old, over: groups)
    }

    // MARK: Values that occur in effects only

    private static func getBlob(_ reader: inout ByteReader) throws(MetadataError) -> BlobRecord {
        let id = try reader.getBlob()
        let missing = try reader.getUInt32()
        let content = try BlobContent(&reader)
        return BlobRecord(
            id: id,
            group: content.group,
            length: content.length,
            frames: content.frames,
            ingestDigest: content.digest,
            dataKeys: content.dataKeys,
            missing: ShardMarks.indices(missing)
        )
    }
}

// Values by group and place, both in ascending order.

extension ByteWriter {
    fileprivate mutating func put<Value>(
        _ places: [GroupID: [UInt8: Value]],
        _ body: (inout ByteWriter, UInt8, Value) -> Void
    ) {
        put(places.count)
        for (group, places) in places.sorted(by: { $0.key < $1.key }) {
            put(group.number)
            put(places.count)
            for (place, value) in places.sorted(by: { $0.key < $1.key }) { body(&self, place, value) }
        }
    }
}

extension ByteReader {
    fileprivate mutating func getPlaces<Value>(
        _ body: (inout ByteReader) throws(MetadataError) -> Value
    ) throws(MetadataError) -> [GroupID: [UInt8: Value]] {
        var result: [GroupID: [UInt8: Value]] = [:]
        var last: GroupID?
        for _ in 0..<(try getCount(size: 3)) {
            let group = GroupID(try getUInt32())
            guard last.map({ $0 < group }) ?? true else { throw .corrupt("groups out of order") }
            last = group
            var places: [UInt8: Value] = [:]
            for _ in 0..<(try getCount(size: 1)) {
                let place = try getByte()
                guard places.keys.allSatisfy({ $0 < place }) else { throw .corrupt("places out of order") }
                places[place] = try body(&self)
            }
            result[group] = places
        }
        return result
    }
}
