internal import DiskFormat
internal import ObjectInterface
internal import ObjectModel
internal import SystemInterface

// Rows of the tables with few of them. Each begins with its fields in order; what follows them is a later version's.

/// A value with a row form.
protocol RowCodable {
    func encode(into writer: inout ByteWriter)
    init(from reader: inout ByteReader) throws(MetadataError)
}

extension RowCodable {
    func encoded() -> [UInt8] {
        var writer = ByteWriter()
        encode(into: &writer)
        return writer.bytes
    }

    init(row bytes: [UInt8]) throws(MetadataError) {
        var reader = ByteReader(bytes)
        try self.init(from: &reader)
        try reader.expectEnd(of: "a row")
    }
}

/// A bucket and the number under which its keys lie; numbers are never reused.
struct BucketRow: RowCodable {
    var number: UInt64
    var bucket: Bucket

    init(number: UInt64, bucket: Bucket) {
        self.number = number
        self.bucket = bucket
    }

    func encode(into writer: inout ByteWriter) {
        writer.put(number)
        bucket.encode(into: &writer)
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        number = try reader.getInteger()
        bucket = try Bucket(from: &reader)
    }
}

extension Bucket: RowCodable {
    func encode(into writer: inout ByteWriter) {
        writer.put(name)
        writer.put(owner.text)
        writer.put(region)
        writer.put(created)
        // Not there in buckets without a default, nor in rows of before there were classes.
        if let storageClass { writer.put(storageClass) }
    }

    /// The fields that every bucket has: more can follow.
    func encodeFixed(into writer: inout ByteWriter) {
        var bucket = self
        bucket.storageClass = nil
        bucket.encode(into: &writer)
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        try self.init(fixed: &reader)
        guard !reader.isAtEnd else { return }
        let name = try reader.getText()
        guard !name.isEmpty else { throw .corrupt("class of a bucket") }
        storageClass = name
    }

    init(fixed reader: inout ByteReader) throws(MetadataError) {
        self.init(
            name: try reader.getText(),
            owner: UserID(try reader.getText()),
            region: try reader.getText(),
            created: try reader.getTime()
        )
    }
}

extension UserRecord: RowCodable {
    func encode(into writer: inout ByteWriter) {
        for text in [id.text, name, displayName, email, accessKey] { writer.put(text) }
        writer.put(sealedSecret)
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        self.init(
            id: UserID(try reader.getText()),
            name: try reader.getText(),
            displayName: try reader.getText(),
            email: try reader.getText(),
            accessKey: try reader.getText(),
            sealedSecret: try reader.getBytes()
        )
    }
}

extension UploadRecord: RowCodable {
    func encode(into writer: inout ByteWriter) {
        writer.put(upload.id.text)
        writer.put(upload.bucket)
        writer.put(upload.key)
        writer.put(upload.owner.text)
        writer.put(upload.created)
        writer.put(upload.attributes.contentType)
        writer.put(upload.attributes.storageClass)
        writer.put(upload.attributes.headers)
        writer.put(upload.attributes.metadata)
        writer.put(byte: upload.checksum?.rawValue ?? 0)
        writer.put(byte: upload.checksumKind?.rawValue ?? 0)
        writer.put(tags)
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        let id = UploadID(try reader.getText())
        let bucket = try reader.getText()
        let key = try reader.getText()
        let owner = UserID(try reader.getText())
        let created = try reader.getTime()
        let contentType = try reader.getText()
        let storageClass = try reader.getText()
        let headers = try reader.getHeaders()
        let metadata = try reader.getHeaders()
        let algorithm = try reader.getByte()
        let kind = try reader.getByte()
        let checksum = ObjectChecksum.Algorithm(rawValue: algorithm)
        let checksumKind = ObjectChecksum.Kind(rawValue: kind)
        guard (checksum == nil) == (algorithm == 0), (checksumKind == nil) == (kind == 0) else {
            throw .unsupported("checksum of an upload")
        }
        let attributes = ObjectAttributes(
            contentType: contentType,
            headers: headers,
            metadata: metadata,
            storageClass: storageClass
        )
        let upload = Upload(
            id: id,
            bucket: bucket,
            key: key,
            owner: owner,
            created: created,
            attributes: attributes,
            checksum: checksum,
            checksumKind: checksumKind
        )
        self.init(upload: upload, tags: try reader.getTags())
    }
}

extension PartRecord: RowCodable {
    func encode(into writer: inout ByteWriter) {
        writer.put(upload.text)
        writer.put(summary)
        writer.put(extents)
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        self.init(
            upload: UploadID(try reader.getText()),
            summary: try reader.getPart(),
            extents: try reader.getExtents()
        )
    }
}

extension DiskRecord: RowCodable {
    func encode(into writer: inout ByteWriter) {
        writer.put(id.value)
        writer.put(site.name)
        writer.put(node.name)
        writer.put(slot)
        writer.put(byte: state.rawValue)
        writer.put(epoch)
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        let id = DiskID(try reader.getIdentifier())
        let site = SiteName(try reader.getText())
        let node = NodeName(try reader.getText())
        let slot = try reader.getText()
        guard let state = State(rawValue: try reader.getByte()) else { throw .unsupported("state of a disk") }
        self.init(id: id, site: site, node: node, slot: slot, state: state, epoch: try reader.getUInt32())
    }
}

extension GroupRecord: RowCodable {
    func encode(into writer: inout ByteWriter) {
        writer.put(id.number)
        writer.put(epoch)
        writer.put(scheme)
        writer.put(members)
        // Not there in groups whose members never changed, nor in rows of before this was kept.
        guard !former.isEmpty || since.contains(where: { $0 > 0 }) else { return }
        for epoch in since { writer.put(epoch) }
        writer.put(former.count)
        for (place, disk) in former.sorted(by: { $0.key < $1.key }) {
            writer.put(byte: place)
            writer.put(disk.value)
        }
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        let id = GroupID(try reader.getUInt32())
        let epoch = try reader.getUInt32()
        let scheme = try reader.getScheme()
        let members = try reader.getDisks()
        guard members.count == scheme.shardCount else { throw .corrupt("members of a group") }
        self.init(id: id, epoch: epoch, scheme: scheme, members: members)
        guard !reader.isAtEnd else { return }
        for place in members.indices { since[place] = try reader.getUInt32() }
        for _ in 0..<(try reader.getCount(size: 17)) {
            let place = try reader.getByte()
            guard Int(place) < members.count, former[place] == nil else { throw .corrupt("moves of a group") }
            former[place] = DiskID(try reader.getIdentifier())
        }
    }
}

extension StorageClass: RowCodable {
    func encode(into writer: inout ByteWriter) {
        writer.put(name)
        writer.put(scheme)
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        self.init(name: try reader.getText(), scheme: try reader.getScheme())
    }
}

extension KeeperSet: RowCodable {
    func encode(into writer: inout ByteWriter) {
        writer.put(generation)
        writer.put(keepers)
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        self.init(generation: try reader.getUInt32(), keepers: try reader.getDisks())
    }
}

extension CheckpointRecord: RowCodable {
    func encode(into writer: inout ByteWriter) {
        position.encode(into: &writer)
        writer.put(pieces.count)
        for piece in pieces {
            writer.put(piece.digest)
            writer.put(piece.length)
            writer.put(piece.extents)
        }
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        let position = try JournalPosition(from: &reader)
        var pieces: [Piece] = []
        for _ in 0..<(try reader.getCount(size: 18)) {
            pieces.append(
                Piece(digest: try reader.getDigest(), length: try reader.getInt(), extents: try reader.getExtents())
            )
        }
        self.init(position: position, pieces: pieces)
    }
}

/// All the checkpoints that are kept.
struct KeptCheckpoints: RowCodable, Hashable {
    var checkpoints: [CheckpointRecord]

    init(_ checkpoints: [CheckpointRecord]) { self.checkpoints = checkpoints }

    func encode(into writer: inout ByteWriter) {
        writer.put(checkpoints.count)
        for checkpoint in checkpoints { checkpoint.encode(into: &writer) }
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        checkpoints = []
        for _ in 0..<(try reader.getCount(size: 4)) { checkpoints.append(try CheckpointRecord(from: &reader)) }
    }
}

extension JournalPosition: RowCodable {
    func encode(into writer: inout ByteWriter) {
        writer.put(incarnation)
        writer.put(stream)
        writer.put(sequence)
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        self.init(
            incarnation: try reader.getUInt32(),
            stream: try reader.getUInt32(),
            sequence: try reader.getInteger()
        )
    }
}

extension ByteWriter {
    mutating func put(_ scheme: Scheme) {
        put(byte: scheme.family.rawValue)
        put(scheme.dataCount)
        put(scheme.parityCount)
        put(scheme.localGroups)
        put(byte: scheme.matrix.rawValue)
        put(scheme.cellSize)
    }

    mutating func put(_ disks: [DiskID]) {
        put(disks.count)
        for disk in disks { put(disk.value) }
    }
}

extension ByteReader {
    mutating func getScheme() throws(MetadataError) -> Scheme {
        let family = try getByte()
        let dataCount = try getInt()
        let parityCount = try getInt()
        let localGroups = try getInt()
        let matrix = try getByte()
        let cellSize = try getInt()
        guard dataCount < Scheme.maximumShardCount, parityCount < Scheme.maximumShardCount,
            let scheme = Scheme(dataCount: dataCount, parityCount: parityCount, cellSize: cellSize),
            scheme.family.rawValue == family, scheme.matrix.rawValue == matrix, scheme.localGroups == localGroups
        else { throw .unsupported("scheme") }
        return scheme
    }

    mutating func getDisks() throws(MetadataError) -> [DiskID] {
        var disks: [DiskID] = []
        for _ in 0..<(try getCount(size: 16)) { disks.append(DiskID(try getIdentifier())) }
        return disks
    }
}
