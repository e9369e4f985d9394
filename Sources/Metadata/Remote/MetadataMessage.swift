internal import ClusterProtocol

/// Kinds and limits of the messages by which gateways reach the coordinator's metadata.
///
/// A message is the common head and a body in the compact form of rows (`Docs/MetadataRecords.md`), which ends where
/// its last field does.
package enum MetadataMessage {
    package static let call: UInt16 = 0x4D01
    package static let response: UInt16 = 0x4D02
    /// The layout's version.
    package static let version: UInt16 = 1

    /// Things of one kind that a call may name: more are refused before they take memory.
    package static let listLimit = 65_536
    /// Records of one answer to `parts`; who asks for more asks again behind the last. One more than S3's
    /// largest page, so that the look-ahead of a list of parts costs no second call.
    package static let pageLimit = 1_001
    /// Bytes of an answer to a read. The largest that is meant to pass is a version of `Limits.objectLength` whose
    /// blobs all have frame indexes.
    package static let answerLimit = 256 << 20
    /// Bytes of the words in an error, about.
    static let reasonLimit = 4_096

    /// Whether these bytes claim to be a call of any version.
    package static func isCall(_ header: [UInt8]) -> Bool {
        var decoder = MessageDecoder(header)
        return (try? decoder.head())?.kind == call
    }

    /// A writer behind the head.
    static func writer(kind: UInt16, capacity: Int = 252) -> ByteWriter {
        var writer = ByteWriter(capacity: capacity + 4)
        writer.put(raw: MessageEncoder(MessageHead(version: version, kind: kind), capacity: 0).bytes)
        return writer
    }

    /// Reads the body behind a head of this kind, to its end. Whatever the bytes are, it throws and never traps.
    static func decode<Value>(
        _ bytes: [UInt8],
        kind: UInt16,
        _ body: (inout ByteReader) throws(MetadataError) -> Value
    ) throws(MessageError) -> Value {
        var decoder = MessageDecoder(bytes)
        let head = try decoder.head()
        guard head.version == version else { throw .unknownVersion(head.version) }
        guard head.kind == kind else { throw .unknownKind(head.kind) }
        var reader = ByteReader(bytes)
        let value: Value
        do throws(MetadataError) {
            _ = try reader.getRaw(decoder.offset)
            value = try body(&reader)
        } catch .corrupt(let what), .unsupported(let what) {
            // Not the metadata is damaged but a message: its error must not tell anybody to rebuild.
            throw .invalid(field: what)
        } catch {
            throw .invalid(field: "metadata message")
        }
        guard reader.isAtEnd else { throw .trailingBytes(reader.remaining) }
        return value
    }
}
