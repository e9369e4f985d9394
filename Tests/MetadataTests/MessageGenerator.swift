import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import SystemInterface
import TestKit

/// Values of everything that metadata messages carry, drawn from a seed: edges often, and valid ones only.
struct MessageGenerator {
    var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    mutating func number(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }
    mutating func flag() -> Bool { Bool.random(using: &random) }
    mutating func pick<Value>(_ values: Value...) -> Value { values[number(values.count)] }
    mutating func id() -> UInt64 { pick(0, 1, 127, 128, .max, random.next()) }
    mutating func small() -> UInt32 { pick(0, 1, 200, .max, UInt32(truncatingIfNeeded: random.next())) }
    mutating func length() -> Int { pick(0, 1, Limits.objectLength, number(1 << 30)) }
    mutating func any() -> Int { pick(0, -1, .min, .max, 1_000, Int(truncatingIfNeeded: random.next())) }
    mutating func bytes() -> [UInt8] { random.bytes(pick(0, 1, 16, 32)) }
    mutating func time() -> WallTime { WallTime(milliseconds: pick(0, -1, .min, .max, 1_767_225_600_000)) }
    mutating func text() -> String {
        pick("", "b", "k\u{e9}y/\u{0}x", "\u{10000}", "e\u{301}", String(repeating: "x", count: number(1_024)))
    }
    mutating func eTag() -> String {
        let digest = Hexadecimal.text(random.bytes(16))
        return pick(digest, digest + "-\(number(10_000))", digest.uppercased(), "odd", "", digest + "-007")
    }
    mutating func list<Value>(_ most: Int = 3, _ value: (inout Self) -> Value) -> [Value] {
        (0..<number(most + 1)).map { _ in value(&self) }
    }
    mutating func optional<Value>(_ value: (inout Self) -> Value) -> Value? { flag() ? value(&self) : nil }

    // MARK: Names and small values

    mutating func blobID() -> BlobID { BlobID(incarnation: small(), lease: small(), sequence: id()) }
    mutating func lease() -> WriteLease { WriteLease(incarnation: small(), number: small()) }
    mutating func uploadID() -> UploadID { UploadID(text()) }
    mutating func user() -> UserID { UserID(text()) }
    mutating func algorithm() -> ObjectChecksum.Algorithm {
        ObjectChecksum.Algorithm.allCases[number(ObjectChecksum.Algorithm.allCases.count)]
    }
    mutating func checksum() -> ObjectChecksum {
        flag()
            ? ObjectChecksum(algorithm: algorithm(), kind: .fullObject, value: bytes())
            : ObjectChecksum(algorithm: algorithm(), kind: .composite, value: bytes(), partCount: number(10_001))
    }
    mutating func declared() -> DeclaredChecksum { DeclaredChecksum(algorithm: algorithm(), value: bytes()) }
    mutating func tags() -> [ObjectTag] { list { ObjectTag(key: $0.text(), value: $0.text()) } }
    mutating func condition() -> WriteCondition {
        pick(.none, .isAbsent, .matches(eTag()), .matches("*"), .differs(eTag()))
    }
    mutating func attributes() -> ObjectAttributes {
        ObjectAttributes(
            contentType: pick(ObjectAttributes.defaultContentType, text()),
            headers: list { .init(name: $0.text(), value: $0.text()) },
            metadata: list { .init(name: $0.text(), value: $0.text()) },
            storageClass: pick(ObjectAttributes.defaultStorageClass, text())
        )
    }
    mutating func extents() -> [Extent] {
        list { Extent(blob: $0.blobID(), firstFrame: $0.number(256), offset: $0.length(), length: $0.length()) }
    }
    mutating func error() -> StorageError {
        StorageError(pick(.noSuchKey, .preconditionFailed, .unavailable, .unknownOutcome, .internalFailure), text())
    }
    mutating func result<Value>(_ value: (inout Self) -> Value) -> Result<Value, StorageError> {
        flag() ? .success(value(&self)) : .failure(error())
    }

    // MARK: Records

    mutating func bucket() -> Bucket {
        Bucket(
            name: text(),
            owner: user(),
            region: text(),
            created: time(),
            storageClass: pick(nil, "COLD", "A-1_b")
        )
    }
    mutating func blob() -> BlobRecord {
        let frames = list(4) {
            Frame(
                logicalLength: $0.pick(0, Limits.frameLength, $0.number(Limits.frameLength)),
                storedLength: $0.number(Limits.frameLength),
                filter: $0.pick(.none, .shuffle16),
                codec: $0.pick(.plain, .lz4),
                keySlot: UInt8($0.number(3))
            )
        }
        let marks = (UInt8(0)..<32).map { (shard: $0, mark: number(8)) }
        return BlobRecord(
            id: blobID(),
            group: GroupID(small()),
            length: pick(0, 1, Limits.blobLength),
            frames: pick(.uniform, .explicit(frames)),
            ingestDigest: ContentDigest(high: id(), low: id()),
            dataKeys: list(2) { DataKey(slot: UInt8($0.number(256)), wrapped: $0.bytes(), nonceBase: $0.bytes()) },
            missing: marks.filter { $0.mark == 0 }.map(\.shard),
            moving: marks.filter { $0.mark == 1 }.map(\.shard),
            groupEpoch: optional { $0.small() }
        )
    }
    mutating func part() -> PartSummary {
        PartSummary(
            number: pick(0, 1, 10_000, 1 << 40),
            eTag: eTag(),
            length: length(),
            modified: time(),
            checksum: optional { $0.checksum() }
        )
    }
    mutating func partRecord() -> PartRecord { PartRecord(upload: uploadID(), summary: part(), extents: extents()) }
    mutating func version() -> VersionRecord {
        VersionRecord(
            bucket: text(),
            key: text(),
            number: id(),
            owner: user(),
            modified: time(),
            length: length(),
            eTag: eTag(),
            checksum: optional { $0.checksum() },
            attributes: attributes(),
            tags: tags(),
            extents: extents(),
            parts: list { $0.part() },
            madeBy: optional { $0.uploadID() }
        )
    }
    mutating func upload() -> Upload {
        Upload(
            id: uploadID(),
            bucket: text(),
            key: text(),
            owner: user(),
            created: time(),
            attributes: attributes(),
            checksum: optional { $0.algorithm() },
            checksumKind: pick(nil, .fullObject, .composite)
        )
    }
    mutating func uploadRecord() -> UploadRecord { UploadRecord(upload: upload(), tags: tags()) }
    mutating func detail() -> VersionDetail {
        let blobs = list { $0.blob() }
        return VersionDetail(version: version(), blobs: Dictionary(blobs.map { ($0.id, $0) }) { $1 })
    }
}
