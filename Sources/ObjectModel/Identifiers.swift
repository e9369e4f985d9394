/// A 16-byte identifier that is drawn once at random and never reused.
///
/// The bytes are opaque; the text form is 32 lower-case hexadecimal digits.
package struct Identifier128: Hashable, Sendable, Comparable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package static func random(using generator: inout some RandomNumberGenerator) -> Self {
        Self(high: generator.next(), low: generator.next())
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }

    /// 32 hexadecimal digits.
    package var text: String { Hexadecimal.text(high) + Hexadecimal.text(low) }

    /// Reads the text form; nil unless it is exactly 32 hexadecimal digits.
    package init?(text: some StringProtocol) {
        guard text.utf8.count == 32, let high = Hexadecimal.value(text.prefix(16)),
            let low = Hexadecimal.value(text.suffix(16))
        else { return nil }
        self.init(high: high, low: low)
    }
}

/// The identity of one cluster (one store): drawn when it is first made, on every disk of it.
package struct ClusterID: Hashable, Sendable, CustomStringConvertible {
    package var value: Identifier128
    package init(_ value: Identifier128) { self.value = value }
    package var description: String { value.text }
}

/// The identity of one disk: drawn when the disk is formatted; a replaced disk has another.
package struct DiskID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var value: Identifier128
    package init(_ value: Identifier128) { self.value = value }
    package var description: String { value.text }
    package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

/// The name of a site: one to 32 of `a-z 0-9 -`.
package struct SiteName: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var name: String
    package init(_ name: String) { self.name = name }
    package var description: String { name }
    package static func < (left: Self, right: Self) -> Bool { left.name < right.name }
}

/// The name of a storage node: unique in the cluster.
package struct NodeName: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var name: String
    package init(_ name: String) { self.name = name }
    package var description: String { name }
    package static func < (left: Self, right: Self) -> Bool { left.name < right.name }
}

/// The name of a blob: never reused, and ordered by the time its lease was granted.
///
/// 16 bytes on disk: incarnation (4), lease (4), sequence (8), little-endian each (DESIGN §4, write leases).
package struct BlobID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The coordinator incarnation that granted the lease.
    package var incarnation: UInt32
    /// The write lease, counted within its incarnation.
    package var lease: UInt32
    /// Counted by the lease's holder.
    package var sequence: UInt64

    package init(incarnation: UInt32, lease: UInt32, sequence: UInt64) {
        self.incarnation = incarnation
        self.lease = lease
        self.sequence = sequence
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.incarnation, left.lease, left.sequence) < (right.incarnation, right.lease, right.sequence)
    }

    /// `INCARNATION-LEASE-SEQUENCE` in hexadecimal.
    package var description: String {
        String(incarnation, radix: 16) + "-" + String(lease, radix: 16) + "-" + String(sequence, radix: 16)
    }

    /// Reads the text form that `description` gives; nil when it is not one.
    package init?(text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let incarnation = UInt32(parts[0], radix: 16),
            let lease = UInt32(parts[1], radix: 16), let sequence = UInt64(parts[2], radix: 16)
        else { return nil }
        self.init(incarnation: incarnation, lease: lease, sequence: sequence)
    }

    package var writeLease: WriteLease { WriteLease(incarnation: incarnation, number: lease) }
}

/// A right to write blobs, granted once and never again (DESIGN §4).
package struct WriteLease: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var incarnation: UInt32
    package var number: UInt32

    package init(incarnation: UInt32, number: UInt32) {
        self.incarnation = incarnation
        self.number = number
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.incarnation, left.number) < (right.incarnation, right.number)
    }

    package var description: String { String(incarnation, radix: 16) + "-" + String(number, radix: 16) }
}

/// The number of a placement group in the cluster's map.
package struct GroupID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var number: UInt32
    package init(_ number: UInt32) { self.number = number }
    package var description: String { String(number) }
    package static func < (left: Self, right: Self) -> Bool { left.number < right.number }
}

/// One shard of one blob: the column `index` of its stripes.
package struct ShardID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var blob: BlobID
    /// 0 ..< k are data, k ..< k+m parity.
    package var index: UInt8

    package init(blob: BlobID, index: UInt8) {
        self.blob = blob
        self.index = index
    }

    package static func < (left: Self, right: Self) -> Bool {
        left.blob == right.blob ? left.index < right.index : left.blob < right.blob
    }

    package var description: String { "\(blob)/\(index)" }
}

/// A 128-bit digest of stored bytes (XXH3-128): equality proves, but it is no defence against a forger.
package struct ContentDigest: Hashable, Sendable, CustomStringConvertible {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package var description: String { Hexadecimal.text(high) + Hexadecimal.text(low) }
}
