internal import Checksums

/// The 4 KiB block: what identity, segment header and aligned records are made of.
package enum Block {
    package static let size = 4_096

    /// `length` rounded up to whole blocks.
    package static func rounded(_ length: Int) -> Int { (length + size - 1) & ~(size - 1) }

    /// Fills a block up and puts its checksum into the last four bytes.
    static func sealed(_ writer: consuming FormatWriter) -> [UInt8] {
        var writer = writer
        writer.pad(to: size - 4)
        writer.put(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    /// Checks the checksum of a block and gives a reader of everything before it.
    static func open(_ bytes: UnsafeRawBufferPointer, magic: [UInt8]) throws(DiskFormatError) -> FormatReader {
        guard bytes.count >= size else { throw .truncated }
        guard bytes.prefix(magic.count).elementsEqual(magic) else { throw .notFound }
        let content = UnsafeRawBufferPointer(rebasing: bytes[..<(size - 4)])
        var end = FormatReader(bytes, at: size - 4)
        guard try end.get(UInt32.self) == CRC32C.checksum(content) else { throw .badChecksum }
        return FormatReader(content, at: magic.count)
    }
}
