package import ObjectModel

/// Whose disk a folder is: the content of its file `disk` (`Docs/DiskFormat.md`, The identity).
package struct DiskIdentity: Hashable, Sendable {
    package var cluster: ClusterID
    package var disk: DiskID
    package var site: SiteName
    package var node: NodeName
    /// The slot of the node that it was served in last; nil of a disk that no version which writes it has served.
    package var slot: String?
    /// Raised each time the disk is admitted anew; one that comes back with a lower epoch is stale.
    package var epoch: UInt32
    package var features: FeatureBits
    /// Segment ids below this may have been used: ids are drawn from here on and never again.
    package var segmentLimit: UInt64
    /// Milliseconds since 1970, for people.
    package var created: Int64
    /// Optional fields of a later version, kept.
    package var unknownFields: [TaggedField]

    package init(
        cluster: ClusterID,
        disk: DiskID,
        site: SiteName,
        node: NodeName,
        slot: String? = nil,
        epoch: UInt32,
        features: FeatureBits = .none,
        segmentLimit: UInt64 = 1,
        created: Int64 = 0,
        unknownFields: [TaggedField] = []
    ) {
        self.cluster = cluster
        self.disk = disk
        self.site = site
        self.node = node
        self.slot = slot
        self.epoch = epoch
        self.features = features
        self.segmentLimit = segmentLimit
        self.created = created
        self.unknownFields = unknownFields
    }

    /// Bytes of the file: two equal blocks.
    package static let encodedLength = 2 * Block.size
    /// UTF-8 bytes of a site's, node's or slot's name at most.
    package static let nameLength = 255

    private static let magic = Array("CAIRNDSK".utf8)
    private static let version: UInt16 = 1
    private static let slotTag: UInt16 = 0x8001

    /// The file's content; nil when a name is longer than 255 bytes or the unknown fields do not fit.
    package func encoded() -> [UInt8]? {
        let names = [site.name, node.name, slot ?? ""]
        guard names.allSatisfy({ $0.utf8.count <= Self.nameLength }) else { return nil }
        var writer = FormatWriter(capacity: Block.size)
        writer.put(bytes: Self.magic)
        writer.put(Self.version)
        writer.put(UInt16(0))
        writer.put(epoch)
        writer.put(features)
        writer.put(cluster.value)
        writer.put(disk.value)
        writer.put(segmentLimit)
        writer.put(created)
        for name in [site.name, node.name] {
            let end = writer.count + 1 + Self.nameLength
            writer.put(UInt8(name.utf8.count))
            writer.put(bytes: name.utf8)
            writer.pad(to: end)
        }
        if let slot { writer.put(TaggedField(tag: Self.slotTag, bytes: Array(slot.utf8))) }
        for field in unknownFields { writer.put(field) }
        guard writer.count <= Block.size - 4 else { return nil }
        let block = Block.sealed(writer)
        return block + block
    }

    /// The first valid of the two copies.
    package static func decode(_ bytes: UnsafeRawBufferPointer) throws(DiskFormatError) -> DiskIdentity {
        do throws(DiskFormatError) {
            return try decodeCopy(bytes)
        } catch {
            let second = bytes.count >= encodedLength ? UnsafeRawBufferPointer(rebasing: bytes[Block.size...]) : nil
            guard let second, let identity = try? decodeCopy(second) else { throw error }
            return identity
        }
    }

    private static func decodeCopy(_ bytes: UnsafeRawBufferPointer) throws(DiskFormatError) -> DiskIdentity {
        var reader = try Block.open(bytes, magic: magic)
        let found: UInt16 = try reader.get()
        guard found == version else { throw .unsupported("disk format \(found)") }
        try reader.skip(2)
        let epoch: UInt32 = try reader.get()
        let features = try reader.getFeatures()
        try features.check("the disk")
        return try DiskIdentity(
            cluster: ClusterID(try reader.getIdentifier()),
            disk: DiskID(try reader.getIdentifier()),
            limit: try reader.get(),
            created: try reader.get(),
            site: try name(&reader),
            node: try name(&reader),
            epoch: epoch,
            features: features,
            unknownFields: try reader.getUnknownFields(of: "the disk")
        )
    }

    /// Arguments in the order in which they lie on the disk.
    private init(
        cluster: ClusterID,
        disk: DiskID,
        limit: UInt64,
        created: Int64,
        site: String,
        node: String,
        epoch: UInt32,
        features: FeatureBits,
        unknownFields: [TaggedField]
    ) throws(DiskFormatError) {
        var others = unknownFields
        let slot = others.firstIndex { $0.tag == Self.slotTag }.map { others.remove(at: $0).bytes }
        self.init(
            cluster: cluster,
            disk: disk,
            site: SiteName(site),
            node: NodeName(node),
            slot: try slot.map(Self.slotName),
            epoch: epoch,
            features: features,
            segmentLimit: limit,
            created: created,
            unknownFields: others
        )
    }

    private static func slotName(_ bytes: [UInt8]) throws(DiskFormatError) -> String {
        guard bytes.count <= nameLength, let name = String(validating: bytes, as: UTF8.self) else {
            throw .inconsistent("slot")
        }
        return name
    }

    private static func name(_ reader: inout FormatReader) throws(DiskFormatError) -> String {
        let length: UInt8 = try reader.get()
        let field = try reader.getBytes(nameLength)
        guard let name = String(validating: field.prefix(Int(length)), as: UTF8.self) else {
            throw .inconsistent("name")
        }
        return name
    }
}
