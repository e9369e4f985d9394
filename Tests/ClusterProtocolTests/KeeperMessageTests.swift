import ClusterProtocol
import DiskFormat
import ObjectModel
import TestKit
import Testing

@Suite("Keeper messages")
struct KeeperMessageTests {
    static let disk = DiskID(Identifier128(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10))
    static let place = JournalPosition(incarnation: 3, stream: 0, sequence: 41)
    static let record = JournalRecord(
        position: JournalPosition(incarnation: 3, sequence: 42),
        payload: [0xAA, 0xBB, 0xCC]
    )

    static let requests: [KeeperRequest] = [
        .state, .promise(incarnation: 7, holder: .max), .append(incarnation: 7, previous: place, records: []),
        .append(incarnation: 7, previous: place, records: [record]), .read(sequence: 9, limit: 1 << 20),
        .trim(incarnation: 7, base: place, reference: [1, 2, 3]), .confirm(incarnation: .max),
    ]

    static let responses: [KeeperResponse] =
        [
            .state(
                KeeperState(
                    promised: 7,
                    holder: 8,
                    written: 6,
                    base: place,
                    last: record.position,
                    damaged: [3..<9, 12 ..< .max],
                    reference: [5]
                )
            ),
            .records([record]), .records([]), .done(last: 42),
        ]
        + [
            KeeperError.superseded(promised: 9), .gap(expected: 4), .mismatch(sequence: 3), .damaged(1..<4),
            .trimmed(place), .full, .failed("EIO"), .tooLarge(limit: 12), .busy, .invalid("why"),
        ].map { .refused($0) }

    @Test("What is encoded is decoded", arguments: requests)
    func requestRoundTrip(request: KeeperRequest) throws {
        let call = KeeperCall(keeper: Self.disk, request: request)
        #expect(try KeeperCall(decoding: call.encoded) == call)
        for length in 0..<call.encoded.count {
            #expect(throws: MessageError.self) { _ = try KeeperCall(decoding: Array(call.encoded[..<length])) }
        }
        #expect(throws: MessageError.trailingBytes(1)) { _ = try KeeperCall(decoding: call.encoded + [0]) }
    }

    @Test("Answers too", arguments: responses)
    func responseRoundTrip(response: KeeperResponse) throws {
        #expect(try KeeperResponse(decoding: response.encoded) == response)
        for length in 0..<response.encoded.count {
            #expect(throws: MessageError.self) { _ = try KeeperResponse(decoding: Array(response.encoded[..<length])) }
        }
    }

    @Test("The bytes of version 1")
    func golden() {
        let call = KeeperCall(
            keeper: Self.disk,
            request: .append(incarnation: 7, previous: Self.place, records: [Self.record])
        )
        #expect(
            Hexadecimal.text(call.encoded)
                == "0100" + "014b" + "0807060504030201" + "100f0e0d0c0b0a09" + "03" + "07000000"
                + "03000000" + "00000000" + "2900000000000000" + "01000000"
                + "03000000" + "00000000" + "2a00000000000000" + "03000000" + "aabbcc"
        )
        #expect(Hexadecimal.text(KeeperResponse.done(last: 42).encoded) == "0100" + "024b" + "03" + "2a00000000000000")
    }

    @Test("Changed bytes give an error or another message, never a trap")
    func hostileBytes() {
        var generator = SplitMix64(seed: 11)
        let messages =
            Self.requests.map { KeeperCall(keeper: Self.disk, request: $0).encoded }
            + Self.responses.map(\.encoded)
        for _ in 0..<5_000 {
            var bytes = messages.randomElement(using: &generator) ?? []
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            if let call = try? KeeperCall(decoding: bytes) { #expect(call.encoded == bytes) }
            _ = try? KeeperResponse(decoding: bytes)
        }
    }

    @Test("A place that no journal reaches is refused: what follows it could not be counted")
    func impossiblePlaces() {
        let place = JournalPosition(incarnation: 3, sequence: JournalPosition.sequenceLimit)
        let call = KeeperCall(keeper: Self.disk, request: .trim(incarnation: 7, base: place, reference: []))
        #expect(throws: MessageError.invalid(field: "position")) { _ = try KeeperCall(decoding: call.encoded) }
    }

    @Test("Another version or kind is refused by name")
    func heads() {
        var bytes = KeeperCall(keeper: Self.disk, request: .state).encoded
        bytes[0] = 2
        #expect(throws: MessageError.unknownVersion(2)) { _ = try KeeperCall(decoding: bytes) }
        #expect(throws: MessageError.unknownKind(KeeperMessageKind.call)) {
            _ = try KeeperResponse(decoding: KeeperCall(keeper: Self.disk, request: .state).encoded)
        }
    }
}
