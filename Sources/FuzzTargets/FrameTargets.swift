import DiskFormat
import FrameCoding
import ObjectModel
import Recovery

/// What is compressed, and the evidence in trailers.
extension FuzzTarget {
    static let frameTargets: [FuzzTarget] = [
        FuzzTarget("frames", maximumLength: 4_096, seeds: { FrameSeeds.frames() }, run: { try frame($0) }),
        FuzzTarget("compressed-text", maximumLength: 4_096, seeds: { FrameSeeds.texts() }, run: { try text($0) }),
        FuzzTarget("identity-json", maximumLength: 2_048, seeds: { FrameSeeds.documents() }, run: { try json($0) }),
    ]

    private static let decoder = FrameDecoder()
    private static let encoder = FrameEncoder()
    /// Bytes around an output that nobody may touch.
    private static let margin = 64

    /// Four bytes choose codec, filter, key and length; the rest is what is stored.
    private static func frame(_ bytes: [UInt8]) throws -> Bool {
        var input = FuzzInput(bytes)
        let flags = input.byte()
        let length = Int(input.integer(UInt32.self) & 0xFF_FFFF) % (Limits.frameLength + 2)
        let stored = input.rest()
        let frame = Frame(
            logicalLength: length,
            storedLength: stored.count,
            filter: flags & 1 == 0 ? .none : .shuffle16,
            codec: flags & 2 == 0 ? .plain : .lz4,
            keySlot: flags & 4
        )
        let decoded = try decode(stored, as: frame)
        if let decoded { try encode(decoded) }
        try encode(stored)
        return decoded != nil
    }

    private static func decode(_ stored: [UInt8], as frame: Frame) throws -> [UInt8]? {
        var room = [UInt8](repeating: 0xA5, count: frame.logicalLength + 2 * margin)
        let isDecoded = room.withUnsafeMutableBytes { room in
            let output = UnsafeMutableRawBufferPointer(rebasing: room[margin..<margin + frame.logicalLength])
            return stored.withUnsafeBytes { stored in
                (try? decoder.decode(stored, as: frame, into: output)) != nil
            }
        }
        try require(
            room.prefix(margin).allSatisfy { $0 == 0xA5 } && room.suffix(margin).allSatisfy { $0 == 0xA5 },
            "bytes outside the output were written"
        )
        return isDecoded ? Array(room[margin..<margin + frame.logicalLength]) : nil
    }

    /// Whatever the bytes, they come back.
    private static func encode(_ logical: [UInt8]) throws {
        var output = [UInt8](repeating: 0, count: logical.count)
        let frame = output.withUnsafeMutableBytes { output in
            logical.withUnsafeBytes { encoder.encode($0, into: output) }
        }
        try require(frame.storedLength <= logical.count, "a frame that is longer than it was")
        let back = try decode(Array(output.prefix(frame.storedLength)), as: frame)
        try require(back == logical, "other bytes come back of a frame")
    }

    private static func text(_ bytes: [UInt8]) throws -> Bool {
        let long = (0..<max(1, CompressedText.minimumLength / max(1, bytes.count) + 1)).flatMap { _ in bytes }
        if let packed = CompressedText.encode(long) {
            try require(packed.count < long.count, "a compressed text that is longer")
            try require(try CompressedText.decode(packed) == long, "another text comes back")
        }
        let text: [UInt8]
        do throws(FrameCodingError) {
            text = try CompressedText.decode(bytes)
        } catch {
            // No byte of an LZ4 block stands for more than 255: a length beyond that must not reserve any memory.
            let length = bytes.field(0, as: UInt32.self).map { Int($0) } ?? 0
            let isPossible = length <= 255 * max(0, bytes.count - 4)
            try require(isPossible || bytes.count <= 4 || error == .impossibleLength(length), "an impossible length")
            return false
        }
        if let packed = CompressedText.encode(text) {
            try require(try CompressedText.decode(packed) == text, "another text comes back")
        }
        return true
    }

    // MARK: Identity documents

    private static func json(_ bytes: [UInt8]) throws -> Bool {
        try identity(bytes)
        guard let value = JSONValue(parsing: bytes) else { return false }
        let text = value.encoded()
        for form in [text, value.encoded(indent: 2)] {
            guard let again = JSONValue(parsing: form.utf8) else { throw FuzzFinding("a document cannot be read back") }
            try require(again.encoded().utf8.elementsEqual(text.utf8), "another document comes back")
        }
        return true
    }

    /// Whatever bucket and key are named, an identity document says it.
    private static func identity(_ bytes: [UInt8]) throws {
        let half = bytes.count / 2
        let object = IdentityDocument.Object(
            bucket: String(decoding: bytes[..<half], as: UTF8.self),
            key: String(decoding: bytes[half...], as: UTF8.self),
            contentType: String(decoding: bytes.prefix(20), as: UTF8.self),
            offset: bytes.count,
            length: .max,
            start: 0,
            upload: bytes.count % 2 == 0 ? nil : String(decoding: bytes.suffix(9), as: UTF8.self),
            part: bytes.count % 2 == 0 ? nil : half
        )
        let block = IdentityDocument(objects: [object, object]).encoded()
        guard let value = JSONValue(parsing: block.bytes), let found = value["objects"]?.array?.last else {
            throw FuzzFinding("an identity document that is no JSON")
        }
        let isSame = { (name: String, text: String?) in
            found[name]?.string.map { Array($0.utf8) } == text.map { Array($0.utf8) }
        }
        try require(
            isSame("bucket", object.bucket) && isSame("key", object.key) && isSame("type", object.contentType)
                && isSame("upload", object.upload) && found["part"]?.number == object.part
                && found["offset"]?.number == object.offset && found["length"]?.number == object.length,
            "an identity document says something else"
        )
    }
}

enum FrameSeeds {
    static func frames() -> [[UInt8]] {
        let samples = (0..<1_200).flatMap { [UInt8(truncatingIfNeeded: $0 * 7), UInt8($0 / 200)] }
        let text = Array(String(repeating: "CT of a study, ", count: 80).utf8)
        return [samples, text].map { logical in
            var output = [UInt8](repeating: 0, count: logical.count)
            let frame = output.withUnsafeMutableBytes { output in
                logical.withUnsafeBytes { FrameEncoder().encode($0, into: output) }
            }
            let flags = frame.filter.rawValue | frame.codec.rawValue << 1
            let length = (0..<4).map { UInt8(truncatingIfNeeded: logical.count >> (8 * $0)) }
            return [flags] + length + output.prefix(frame.storedLength)
        } + [[0, 3, 0, 0, 0, 1, 2, 3], [1, 3, 0, 0, 0, 1, 2, 3]]
    }

    static func texts() -> [[UInt8]] {
        [CompressedText.encode(Array(String(repeating: "{\"bucket\":\"ct\"}", count: 50).utf8)) ?? []]
    }

    static func documents() -> [[UInt8]] {
        let object = IdentityDocument.Object(
            bucket: "ct",
            key: "a/\"b\"\u{1}\\ä",
            contentType: "x/y",
            offset: 1,
            length: 2,
            start: 3,
            upload: "u",
            part: 4
        )
        return [
            IdentityDocument(objects: [object]).encoded().bytes,
            Array(#"{"a":[1,-2,true,false,null,"\ud83d\ude00\n\u0041"], "b" : {}}"#.utf8),
        ]
    }
}
