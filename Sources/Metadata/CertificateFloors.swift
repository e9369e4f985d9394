internal import ClusterProtocol
internal import ObjectInterface
internal import ObjectModel

// From which generation on the certificates of nodes count that were removed or replaced: also for a coordinator that
// takes over, which knows nothing but what the journal says.

extension CertificateFloor: RowCodable {
    func encode(into writer: inout ByteWriter) {
        writer.put(node.name)
        writer.put(generation)
    }

    init(from reader: inout ByteReader) throws(MetadataError) {
        let node = NodeName(try reader.getText())
        self.init(node: node, generation: try reader.getUInt32())
    }
}

/// All that are noted, by node.
private struct CertificateFloors: RowCodable {
    var floors: [CertificateFloor]

    func encode(into writer: inout ByteWriter) {
        writer.put(list: floors) { writer, floor in floor.encode(into: &writer) }
    }

    init(_ floors: [CertificateFloor]) { self.floors = floors.sorted { $0.node < $1.node } }

    init(from reader: inout ByteReader) throws(MetadataError) {
        floors = try reader.getList(size: 2) { (reader) throws(MetadataError) in try CertificateFloor(from: &reader) }
    }
}

extension MetadataView {
    func certificateFloors() throws(MetadataError) -> [CertificateFloor] {
        guard let row = try tables.get(.meta, MetadataState.certificatesKey) else { return [] }
        return try CertificateFloors(row: row).floors
    }
}

extension MetadataTransaction {
    /// Those that are not above what is noted change nothing.
    func noteCertificateFloors(_ floors: [CertificateFloor]) throws(MetadataError) {
        let noted = try view.certificateFloors()
        let higher = floors.filter { floor in
            !noted.contains { $0.node == floor.node && $0.generation >= floor.generation }
        }
        guard !higher.isEmpty else { return }
        try perform(higher.map { .certificateFloorPut($0) })
    }

    func putCertificateFloor(_ floor: CertificateFloor) throws(MetadataError) {
        let others = try view.certificateFloors().filter { $0.node != floor.node }
        try tables.put(.meta, MetadataState.certificatesKey, CertificateFloors(others + [floor]).encoded())
    }
}
