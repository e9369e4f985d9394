package import ObjectModel

/// How records lie in a segment; the number is the one on disk.
package enum SegmentKind: UInt16, Sendable, CaseIterable {
    /// At multiples of 64 bytes, a batch with one write.
    case packed = 1
    /// Header, body, and table with trailer in blocks of their own.
    case aligned = 2

    /// Where records may begin: multiples of this.
    package var alignment: Int { self == .packed ? 64 : Block.size }
}

/// The first block of a segment (`Docs/DiskFormat.md`, Segment header).
package struct SegmentHeader: Hashable, Sendable {
    package var kind: SegmentKind
    package var segment: UInt64
    /// Random; seeds the checksum of every record header, so that neither a client's bytes nor a record of an earlier
    /// use of the same blocks passes for one.
    package var salt: UInt64
    package var cluster: ClusterID
    package var disk: DiskID
    package var diskEpoch: UInt32
    /// Milliseconds since 1970, for people.
    package var created: Int64
    package var plannedLength: Int
    package var features: FeatureBits
    /// Optional fields of a later version, kept.
    package var unknownFields: [TaggedField]

    package init(
        kind: SegmentKind,
        segment: UInt64,
        salt: UInt64,
        cluster: ClusterID,
        disk: DiskID,
        diskEpoch: UInt32,
        created: Int64,
        plannedLength: Int,
        features: FeatureBits = .none,
        unknownFields: [TaggedField] = []
    ) {
        self.kind = kind
        self.segment = segment
        self.salt = salt
        self.cluster = cluster
        self.disk = disk
        self.diskEpoch = diskEpoch
        self.created = created
        self.plannedLength = plannedLength
        self.features = features
        self.unknownFields = unknownFields
    }

    /// Where the header lies a second time: without its salt no record of the segment could be told from noise.
    package static let copyOffset = Block.size
    /// Where the superseded mark lies, one block.
    package static let markOffset = 2 * Block.size
    /// Where records begin.
    package static let recordsOffset = 3 * Block.size

    /// Ids are below. A file of a higher number, as a hand may have named it, must not use up what is left of them.
    package static let idLimit: UInt64 = 1 << 31
    /// Ids that are given out are below. What lies between was given a number by hand, or by a version that let such a
    /// file use up the ids: it is read, and says nothing of the ids that come next.
    package static let newIDLimit: UInt64 = idLimit - (1 << 20)

    private static let magic = Array("CAIRNSEG".utf8)
    private static let version: UInt16 = 1

    /// `NNNNNNNNNNNNNNNN.seg`.
    package static func fileName(_ segment: UInt64) -> String { Hexadecimal.text(segment) + ".seg" }

    /// The id in a segment file's name; nil when it is no such name.
    package static func segment(fileName: String) -> UInt64? {
        guard fileName.utf8.count == 20, fileName.hasSuffix(".seg") else { return nil }
        let digits = fileName.prefix(16)
        guard let id = Hexadecimal.value(digits), Hexadecimal.text(id) == digits else { return nil }
        return id
    }

    /// The place of a record of this segment.
    package func place(_ offset: Int) -> RecordPlace { RecordPlace(salt: salt, segment: segment, offset: offset) }

    /// One block.
    package func encoded() -> [UInt8] {
        var writer = FormatWriter(capacity: Block.size)
        writer.put(bytes: Self.magic)
        writer.put(Self.version)
        writer.put(kind.rawValue)
        writer.put(UInt32(Block.size))
        writer.put(features)
        writer.put(segment)
        writer.put(salt)
        writer.put(cluster.value)
        writer.put(disk.value)
        writer.put(diskEpoch)
        writer.put(UInt32(0))
        writer.put(created)
        writer.put(UInt64(clamping: plannedLength))
        for field in unknownFields { writer.put(field) }
        return Block.sealed(writer)
    }

    package static func decode(_ bytes: UnsafeRawBufferPointer) throws(DiskFormatError) -> SegmentHeader {
        var reader = try Block.open(bytes, magic: magic)
        let version: UInt16 = try reader.get()
        guard version == Self.version else { throw .unsupported("segment format \(version)") }
        let number: UInt16 = try reader.get()
        guard let kind = SegmentKind(rawValue: number) else { throw .unsupported("segment kind \(number)") }
        guard try reader.get(UInt32.self) == UInt32(Block.size) else { throw .unsupported("segment header length") }
        let features = try reader.getFeatures()
        try features.check("a segment")
        let segment: UInt64 = try reader.get()
        let salt: UInt64 = try reader.get()
        let cluster = ClusterID(try reader.getIdentifier())
        let disk = DiskID(try reader.getIdentifier())
        let epoch: UInt32 = try reader.get()
        try reader.skip(4)
        let created: Int64 = try reader.get()
        let planned = try reader.getLength()
        return SegmentHeader(
            kind: kind,
            segment: segment,
            salt: salt,
            cluster: cluster,
            disk: disk,
            diskEpoch: epoch,
            created: created,
            plannedLength: planned,
            features: features,
            unknownFields: try reader.getUnknownFields(of: "a segment")
        )
    }
}
