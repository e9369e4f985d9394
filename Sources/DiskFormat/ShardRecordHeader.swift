internal import ObjectModel

/// Where the parts of a shard record lie, from its beginning: follows from its header alone.
package struct RecordLayout: Hashable, Sendable {
    package let bodyOffset: Int
    package let tableOffset: Int
    package let trailerOffset: Int
    /// Bytes of the whole record.
    package let length: Int

    package init(kind: SegmentKind, headerLength: Int, bodyCapacity: Int, trailerCapacity: Int) {
        switch kind {
        case .packed:
            bodyOffset = headerLength
            tableOffset = headerLength + bodyCapacity
        case .aligned:
            bodyOffset = Block.size
            tableOffset = Block.size + Block.rounded(bodyCapacity)
        }
        trailerOffset = tableOffset + 4 * Leaf.count(of: bodyCapacity)
        length = (trailerOffset + trailerCapacity + kind.alignment - 1) & ~(kind.alignment - 1)
    }

    /// Bytes of a shard's body at most: k is at least 1, so never more than a blob.
    package static let maximumBodyLength = Limits.blobLength
    /// Bytes of a trailer at most: thousands of frames, all data keys and a large identity block.
    package static let maximumTrailerLength = 1 << 20
}

/// The header of a shard record as it lies on disk.
package struct ShardRecordHeader: Hashable, Sendable {
    package var header: ShardHeader
    package var sequence: UInt64
    /// The most bytes the trailer may take; in a packed record exactly the trailer's.
    package var trailerCapacity: Int
    package var features: RecordFeatures
    /// Optional fields of a later version, kept.
    package var unknownFields: [TaggedField]

    package init(
        header: ShardHeader,
        sequence: UInt64,
        trailerCapacity: Int,
        features: RecordFeatures = RecordFeatures(),
        unknownFields: [TaggedField] = []
    ) {
        self.header = header
        self.sequence = sequence
        self.trailerCapacity = trailerCapacity
        self.features = features
        self.unknownFields = unknownFields
    }

    /// Bytes of a header without unknown fields.
    package static let baseLength = 108
    private static let leafSizeLogarithm: UInt8 = 16

    package var headerLength: Int {
        unknownFields.reduce(Self.baseLength) { $0 + TaggedField.overhead + $1.bytes.count }
    }

    package func layout(in kind: SegmentKind) -> RecordLayout {
        RecordLayout(
            kind: kind,
            headerLength: headerLength,
            bodyCapacity: header.bodyCapacity,
            trailerCapacity: trailerCapacity
        )
    }

    /// `headerLength` bytes.
    package func encoded(at place: RecordPlace, in kind: SegmentKind) -> [UInt8] {
        let head = RecordHead(
            kind: .shard,
            headerLength: headerLength,
            recordLength: layout(in: kind).length,
            sequence: sequence,
            features: features
        )
        return head.encoded(at: place) { writer in
            writer.put(UInt64(clamping: header.bodyCapacity))
            writer.put(header.writeStamp)
            writer.put(header.shard)
            Self.put(header.scheme, &writer)
            writer.put(header.group.number)
            writer.put(header.groupEpoch)
            writer.put(UInt32(clamping: trailerCapacity))
            for field in unknownFields { writer.put(field) }
        }
    }

    private static func put(_ scheme: Scheme, _ writer: inout FormatWriter) {
        writer.put(scheme.family.rawValue)
        writer.put(UInt8(clamping: scheme.dataCount))
        writer.put(UInt8(clamping: scheme.parityCount))
        writer.put(UInt8(clamping: scheme.localGroups))
        writer.put(scheme.matrix.rawValue)
        writer.put(leafSizeLogarithm)
        writer.put(UInt8(0))
        writer.put(UInt32(clamping: scheme.cellSize))
    }

    static func decode(
        _ head: RecordHead,
        _ fields: FormatReader,
        in kind: SegmentKind
    ) throws(DiskFormatError) -> ShardRecordHeader {
        var reader = fields
        let capacity = try reader.getLength()
        let stamp: UInt64 = try reader.get()
        let shard = try reader.getShard()
        let scheme = try decodeScheme(&reader)
        let group = GroupID(try reader.get())
        let epoch: UInt32 = try reader.get()
        let trailer = Int(try reader.get(UInt32.self))
        let unknown = try reader.getUnknownFields(of: "a shard record")
        guard capacity <= RecordLayout.maximumBodyLength, trailer <= RecordLayout.maximumTrailerLength else {
            throw .inconsistent("capacity of a shard record")
        }
        let result = ShardRecordHeader(
            header: ShardHeader(
                shard: shard,
                group: group,
                groupEpoch: epoch,
                scheme: scheme,
                writeStamp: stamp,
                bodyCapacity: capacity
            ),
            sequence: head.sequence,
            trailerCapacity: trailer,
            features: head.features,
            unknownFields: unknown
        )
        guard result.headerLength == head.headerLength, result.layout(in: kind).length == head.recordLength else {
            throw .inconsistent("length of a shard record")
        }
        return result
    }

    private static func decodeScheme(_ reader: inout FormatReader) throws(DiskFormatError) -> Scheme {
        let family: UInt8 = try reader.get()
        let dataCount = Int(try reader.get(UInt8.self))
        let parityCount = Int(try reader.get(UInt8.self))
        let localGroups: UInt8 = try reader.get()
        let matrix: UInt8 = try reader.get()
        let leafSize: UInt8 = try reader.get()
        try reader.skip(1)
        let cellSize = Int(try reader.get(UInt32.self))
        guard family == Scheme.Family.reedSolomon.rawValue, matrix == Scheme.Matrix.cauchy1.rawValue, localGroups == 0
        else { throw .unsupported("code family \(family), matrix \(matrix)") }
        guard leafSize == leafSizeLogarithm else { throw .unsupported("leaf size 2^\(leafSize)") }
        guard let scheme = Scheme(dataCount: dataCount, parityCount: parityCount, cellSize: cellSize) else {
            throw .inconsistent("scheme of a shard record")
        }
        return scheme
    }
}
