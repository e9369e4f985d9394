import ClusterTransport
import InMemoryLogging
import LinuxSystem
import Logging
import NIOCore
import NIOPosix
import SystemInterface
import TestKit
import Testing

/// What is not let in is named in the log: from where, and in words why.
@Suite("Why a connection did not come about", .timeLimit(.minutes(10)))
struct ConnectionTroubleTests {
    /// What was logged, as lines: the message and what goes with it.
    private struct Lines: Sendable {
        private let log = InMemoryLogHandler()

        private var all: [String] {
            log.entries.map { entry in
                let fields = entry.metadata.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                return ([entry.message.description] + fields).joined(separator: " ")
            }
        }

        /// The first line with these words, once it is there.
        func line(with words: String) async throws -> String {
            while true {
                if let line = all.first(where: { $0.contains(words) }) { return line }
                try await Task.sleep(for: .milliseconds(5))
            }
        }

        func count(with words: String) -> Int { all.count { $0.contains(words) } }

        var logger: Logger {
            var logger = Logger(label: "test") { _ in log }
            logger.logLevel = .warning
            return logger
        }
    }

    private static func check(_ line: String) {
        #expect(line.contains("address=127.0.0.1:"), "\(line)")
        for word in ["SSL", "Error", "/", "Optional"] { #expect(!line.contains(word), "\(line)") }
    }

    @Test(
        "what speaks no TLS",
        arguments: [
            ("GET / HTTP/1.1\r\n\r\n", "it speaks HTTP"), ("good morning, whoever you are", "is not TLS"),
        ]
    )
    func noTLS(_ said: String, _ words: String) async throws {
        let (fixture, lines) = (try Fixture(), Lines())
        try await fixture.withServer(logger: lines.logger) { port, _ in
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: port).get()
            try await channel.writeAndFlush(ByteBuffer(string: said))
            Self.check(try await lines.line(with: words))
            try? await channel.close().get()
        }
    }

    @Test("a client without a certificate, one of another cluster, and one whose certificate has expired")
    func clients() async throws {
        let (fixture, other, lines) = (try Fixture(), try Fixture(cluster: "cluster-2"), Lines())
        try await fixture.withServer(logger: lines.logger) { port, _ in
            let cases: [(ClusterIdentity?, String)] = [
                (nil, "it shows no certificate"),
                (try other.identity("node-7"), "(node node-7 of cluster cluster-2) was not made by this cluster's"),
                (try fixture.identity("node-8", age: 91 * TrustTests.day), "(node node-8 of cluster cluster-1) has"),
            ]
            for (identity, words) in cases {
                let client = try RawClient(port: port, trusting: fixture.authority, as: identity)
                Self.check(try await lines.line(with: words))
                client.close()
            }
        }
    }

    /// Whoever calls again and again, from a new port each time, wrote a line each time.
    @Test("what is turned away again and again for one reason is told once, and what else is wrong as well")
    func once() async throws {
        let (fixture, other, lines) = (try Fixture(), try Fixture(cluster: "cluster-2"), Lines())
        try await fixture.withServer(logger: lines.logger) { port, _ in
            for _ in 0..<5 {
                let client = try RawClient(port: port, trusting: fixture.authority, as: nil)
                #expect(try await client.isCutOff())
            }
            let client = try RawClient(port: port, trusting: fixture.authority, as: other.identity("node-7"))
            _ = try await lines.line(with: "node node-7 of cluster cluster-2")
            client.close()
            #expect(lines.count(with: "it shows no certificate") == 1)
        }
    }

    @Test("a line tells how many were left out before it, and many callers have no more lines than few")
    func turns() {
        let time = ManualTime()
        let turns = LogTurns<StrangerTrouble>(time: time, interval: .seconds(60), limit: 3)
        func take(_ address: String, _ reason: String = "no") -> Int? {
            turns.take(StrangerTrouble(address: address, reason: reason))
        }
        #expect(take("10.0.0.1:1000") == 0)
        #expect(take("10.0.0.1:1001") == nil)
        #expect(take("10.0.0.1:1002") == nil)
        #expect(take("10.0.0.1:1003", "never") == 0)
        #expect(take("[fd00::1]:1000") == 0)
        // The three places are taken: all others have one between them.
        let told = (2..<200).compactMap { take("10.0.0.\($0):1000") }
        #expect(told == [0])
        time.advance(by: .seconds(60))
        #expect(take("10.0.0.1:1004") == 2)
        #expect(take("10.0.0.1:1005") == nil)
        #expect(take("10.0.0.9:1000") == 0)
    }

    @Test("a server whose certificate has expired, one of another cluster, one that refuses us, and none")
    func servers() async throws {
        let (fixture, other) = (try Fixture(), try Fixture(cluster: "cluster-2"))
        func line(_ port: Int, age: Int64 = 0, _ words: String) async throws {
            let lines = Lines()
            let client = try fixture.client(age: age, logger: lines.logger)
            defer { client.close() }
            client.setAddress("node-2", host: "127.0.0.1", port: port)
            #expect(await failure(client) == .unreachable(node: "node-2"))
            Self.check(try await lines.line(with: words))
        }
        try await fixture.withServer(age: 91 * TrustTests.day) { port, _ in try await line(port, "has expired") }
        try await other.withServer { port, _ in try await line(port, "was not made by this cluster's authority") }
        try await fixture.withServer { port, _ in
            try await line(port, age: 91 * TrustTests.day, "it refuses this process's certificate, which has expired")
        }
        try await line(9, "reason=nobody")
    }
}
