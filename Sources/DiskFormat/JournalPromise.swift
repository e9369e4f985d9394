/// A keeper's promise to refuse coordinators older than `incarnation`.
///
/// Kept in a file of its own with two slots that both hold the same; the first is made durable before the second is
/// written, so that a torn write, or a slot that rots, leaves the other.
package struct JournalPromise: Hashable, Sendable {
    package var generation: UInt64
    package var incarnation: UInt32
    /// Drawn at random by the coordinator that asked: tells its repeated call from another coordinator's.
    package var holder: UInt64

    package init(generation: UInt64, incarnation: UInt32, holder: UInt64) {
        self.generation = generation
        self.incarnation = incarnation
        self.holder = holder
    }

    private static let magic: UInt64 = 0x4D52_504E_5249_4143  // "CAIRNPRM"
    private static let length = 64

    /// One slot, without padding.
    package var encoded: [UInt8] {
        var out = JournalBytes()
        out.append(Self.magic)
        out.append(JournalFormat.version)
        out.append(UInt16(Self.length))
        out.append(UInt32(0))
        out.append(generation)
        out.append(holder)
        out.append(incarnation)
        out.pad(to: Self.length - 4)
        out.appendChecksum()
        return out.bytes
    }

    package init(decoding bytes: UnsafeRawBufferPointer) throws(JournalFormatError) {
        guard bytes.count >= Self.length else { throw .truncated }
        guard bytes.field(0, as: UInt64.self) == Self.magic else { throw .notFound }
        let fixed = UnsafeRawBufferPointer(rebasing: bytes[..<(Self.length - 4)])
        guard JournalBytes.checksum(fixed, seed: 0) == bytes.field(Self.length - 4) else { throw .checksum }
        let version: UInt16 = bytes.field(8)
        guard version == JournalFormat.version else { throw .unknownVersion(version) }
        let features: UInt32 = bytes.field(12)
        guard features == 0 else { throw .unknownFeatures(features) }
        generation = bytes.field(16)
        holder = bytes.field(24)
        incarnation = bytes.field(32)
    }
}
