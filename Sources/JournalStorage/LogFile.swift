internal import DiskFormat
internal import SystemInterface

/// One file of a keeper's log, open for reading and writing.
struct LogFile: Sendable {
    static let folder = "journal"

    var file: any File
    var header: JournalLogHeader

    var number: UInt64 { header.number }
    var path: String { Self.path(number) }
    /// Where the file ends; what is behind was never allocated.
    var length: Int { Int(clamping: header.length) }

    /// `log-` and the number as 16 hexadecimal digits: names sort as numbers do.
    static func path(_ number: UInt64) -> String { folder + "/log-" + hexadecimal(number) }
    static func sparePath(_ number: UInt64) -> String { folder + "/spare-" + hexadecimal(number) }
    static func unfinishedPath(_ number: UInt64) -> String { folder + "/new-" + hexadecimal(number) }
    static func damagedPath(_ number: UInt64) -> String { folder + "/damaged-" + hexadecimal(number) }

    /// Numbers are below. A file of a higher one, as a hand may have named it, is none of the log's.
    static let numberLimit: UInt64 = 1 << 62

    static func number(in name: String, after prefix: String) -> UInt64? {
        guard name.hasPrefix(prefix), name.utf8.count == prefix.utf8.count + 16,
            let number = UInt64(name.dropFirst(prefix.utf8.count), radix: 16), number < numberLimit
        else { return nil }
        return number
    }

    private static func hexadecimal(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// Writes the header into its slot and makes it durable.
    func writeHeader() async throws(FileError) {
        try await file.write([BufferSlice(copying: header.encoded)], at: header.slotOffset)
        try await file.sync()
    }

    /// The newer of the two headers that are intact.
    static func readHeader(_ file: any File, path: String) async throws(LogFileError) -> JournalLogHeader {
        var best: JournalLogHeader?
        for slot in 0..<2 {
            let bytes = try await read(
                file,
                offset: slot * JournalFormat.headerSlot,
                count: JournalFormat.headerLength + JournalFormat.referenceLimit
            )
            do throws(JournalFormatError) {
                let header = try bytes.withBytes { bytes throws(JournalFormatError) in
                    try JournalLogHeader(decoding: bytes)
                }
                if header.generation >= best?.generation ?? 0 { best = header }
            } catch {
                switch error {
                case .unknownVersion, .unknownFeatures: throw .format(error, path: path)
                case .truncated, .notFound, .checksum, .invalid: continue
                }
            }
        }
        guard let best else { throw .format(.notFound, path: path) }
        return best
    }

    /// Up to `count` bytes; fewer at the end of the file, and none where the medium cannot be read: of what matters
    /// there is a second copy.
    static func read(_ file: any File, offset: Int, count: Int) async throws(LogFileError) -> BufferSlice {
        let buffer = AlignedBuffer(capacity: max(count, 1))
        do throws(FileError) {
            let got = try await file.read(into: buffer, at: 0, count: count, from: offset)
            return buffer.slice(0..<got)
        } catch  where error.code == .medium {
            return buffer.slice(0..<0)
        } catch {
            throw .file(error)
        }
    }

    /// The whole file. A piece that the medium cannot read is zeros here: the scan takes it for what it is, damage.
    func contents() async throws(LogFileError) -> BufferSlice {
        let end: Int
        do throws(FileError) {
            end = min(try await file.length(), length)
        } catch {
            throw .file(error)
        }
        let buffer = AlignedBuffer(capacity: max(end, 1))
        var offset = 0
        while offset < end {
            let count = min(Self.readPiece, end - offset)
            do throws(FileError) {
                _ = try await file.read(into: buffer, at: offset, count: count, from: offset)
            } catch {
                guard error.code == .medium else { throw .file(error) }
                buffer.mutableBytes[offset..<offset + count].initializeMemory(as: UInt8.self, repeating: 0)
            }
            offset += count
        }
        return buffer.slice(0..<end)
    }

    /// Bytes read at a time: what one unreadable block costs.
    private static let readPiece = 64 << 10
}

enum LogFileError: Error {
    case file(FileError)
    case format(JournalFormatError, path: String)
}
