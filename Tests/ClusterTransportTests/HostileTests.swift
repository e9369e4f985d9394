import ClusterTransport
import NIOCore
import NIOPosix
import SystemInterface
import Testing

/// What a peer sends never crashes, and never reaches the service unless it is whole.
@Suite struct HostileTests {
    /// A frame's head with any fields.
    static func head(
        magic: UInt32 = 0x544E_5243,
        version: UInt8 = 1,
        kind: UInt8 = 1,
        count: UInt16 = 0,
        call: UInt64 = 1,
        length: UInt32 = 0,
        lengths: [UInt32] = []
    ) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeInteger(magic, endianness: .little)
        buffer.writeInteger(version)
        buffer.writeInteger(kind)
        buffer.writeInteger(count, endianness: .little)
        buffer.writeInteger(call, endianness: .little)
        buffer.writeInteger(length, endianness: .little)
        for length in lengths { buffer.writeInteger(length, endianness: .little) }
        return Array(buffer.readableBytesView)
    }

    static let malformed: [[UInt8]] = [
        Array(repeating: 0, count: 64),
        Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8),
        head(magic: 1), head(version: 2), head(kind: 0), head(kind: 99), head(kind: 2), head(kind: 6),
        head(length: .max), head(length: (20 << 20) + 1), head(count: .max),
        head(count: 4_097), head(count: 1, lengths: [.max]), head(count: 1, lengths: [(64 << 20) + 1]),
        head(count: 3, lengths: [64 << 20, 64 << 20, 1]), head(kind: 4, length: 1), head(kind: 3, length: 2),
        head(kind: 7, count: 1, lengths: [1]),
    ]

    @Test(arguments: malformed) func malformedFramesCloseTheConnection(_ bytes: [UInt8]) async throws {
        let fixture = try Fixture()
        try await fixture.withServer { port, _ in
            let client = try RawClient(port: port, trusting: fixture.authority, as: fixture.identity("node-1"))
            #expect(try await client.isWelcome())
            client.send(bytes)
            #expect(try await client.isCutOff())
        }
    }

    @Test func garbageInsteadOfTLSClosesTheConnection() async throws {
        let fixture = try Fixture()
        try await fixture.withServer { port, _ in
            for bytes in [[UInt8](repeating: 0xFF, count: 4_096), Array("GET / HTTP/1.1\r\n\r\n".utf8), [22, 3, 1]] {
                let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connect(host: "127.0.0.1", port: port).get()
                try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
                if bytes.count > 3 { try await channel.closeFuture.get() } else { try await channel.close() }
            }
            let client = try fixture.client()
            defer { client.close() }
            client.setAddress("node-2", host: "127.0.0.1", port: port)
            #expect(await failure(client) == nil)
        }
    }

    @Test func framesArriveInAnyPieces() async throws {
        let fixture = try Fixture()
        try await fixture.withServer { port, _ in
            let client = try RawClient(port: port, trusting: fixture.authority, as: fixture.identity("node-1"))
            #expect(try await client.isWelcome())
            let start = client.received
            let content: [UInt8] = [1, 2, 3, 4, 5, 6]
            let frame = Self.head(count: 3, length: 2, lengths: [3, 0, 1]) + content
            for byte in frame {
                client.send([byte])
                try await Task.sleep(for: .milliseconds(1))
            }
            #expect(try await client.has(received: start + frame.count))
            #expect(client.received == start + frame.count)
            // A second call under a number that is free again.
            client.send(frame)
            #expect(try await client.has(received: start + 2 * frame.count))
            #expect(client.received == start + 2 * frame.count)
            client.close()
        }
    }

    @Test func aCallTwiceClosesTheConnection() async throws {
        let fixture = try Fixture()
        try await fixture.withServer { port, _ in
            let client = try RawClient(port: port, trusting: fixture.authority, as: fixture.identity("node-1"))
            #expect(try await client.isWelcome())
            // It waits longer than anyone looks whether the connection is closed.
            let slow = Self.head(length: 1) + [253]
            client.send(slow + slow)
            #expect(try await client.isCutOff())
        }
    }

    @Test func strangersSendLittle() async throws {
        let fixture = try Fixture()
        try await fixture.withServer("coordinator", .coordinator, acceptsStrangers: true) { port, _ in
            for bytes in [Self.head(length: (64 << 10) + 1), Self.head(count: 1, lengths: [1])] {
                let client = try RawClient(port: port, trusting: fixture.authority, as: nil)
                client.send(bytes)
                #expect(try await client.isCutOff())
            }
        }
    }

    @Test func strangersHearNothing() async throws {
        let fixture = try Fixture()
        try await fixture.withServer("coordinator", .coordinator, acceptsStrangers: true) { port, _ in
            let client = try RawClient(port: port, trusting: fixture.authority, as: nil)
            defer { client.close() }
            try await Task.sleep(for: .milliseconds(200))
            #expect(client.received == 0)
        }
    }

    @Test func manySmallCallsInOnePieceAreHeldAtTheLimit() async throws {
        let fixture = try Fixture()
        try await fixture.withServer { port, _ in
            let client = try RawClient(port: port, trusting: fixture.authority, as: fixture.identity("node-1"))
            #expect(try await client.isWelcome())
            let start = client.received
            let count = 5_000
            client.send((1...count).flatMap { Self.head(call: UInt64($0), length: 2) + [255, 1] })
            #expect(try await client.has(received: start + count * 22))
            #expect(client.received == start + count * 22)
            client.close()
        }
    }
}
