import Checksums
import ObjectModel
import TestKit

/// What a simulated client wrote: a name for the bytes, from which they are made again.
package struct WrittenValue: Hashable, Sendable {
    /// Unique in a run.
    package var number: UInt64
    package var length: Int

    package init(number: UInt64, length: Int) {
        self.number = number
        self.length = length
    }

    /// The bytes, no two values alike.
    var bytes: [UInt8] {
        var generator = SplitMix64(seed: number &* 0x9E37_79B9)
        // Every third value has long runs, so that compression is met too.
        guard number % 3 == 0 else { return generator.bytes(length) }
        let marker = generator.bytes(64)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length + 320)
        while bytes.count < length {
            bytes.append(contentsOf: marker)
            bytes.append(contentsOf: repeatElement(UInt8(truncatingIfNeeded: bytes.count >> 8), count: 256))
        }
        return Array(bytes.prefix(length))
    }

    // MARK: ETags

    /// Where a client splits a value that it uploads in two parts: a part before another has so much at least.
    static let split = Limits.minimumPartLength

    /// Whether S3 gives these bytes that ETag: their MD5, or of an upload the MD5 of its parts' MD5s. A copy keeps its
    /// source's.
    package static func isETag(_ eTag: String, of bytes: [UInt8]) -> Bool {
        let halves = [bytes.prefix(split), bytes.dropFirst(split)]
        return switch eTag.split(separator: "-", omittingEmptySubsequences: false).dropFirst().first {
        case nil: eTag == Hexadecimal.text(MessageDigest.md5.digest(bytes))
        case "1": eTag == uploaded([bytes[...]])
        case "2": eTag == uploaded(halves)
        default: false
        }
    }

    private static func uploaded(_ parts: [ArraySlice<UInt8>]) -> String {
        let digests = parts.flatMap { part in part.withUnsafeBytes { MessageDigest.md5.digest($0) } }
        return Hexadecimal.text(MessageDigest.md5.digest(digests)) + "-\(parts.count)"
    }
}
