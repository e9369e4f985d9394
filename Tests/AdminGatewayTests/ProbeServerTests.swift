import AdminGateway
import Foundation
import Logging
import Testing

/// The port of a coordinator for monitors.
@Suite("The port for metrics")
struct ProbeServerTests {
    /// The status and the body of what `curl` would get.
    private static func get(_ port: Int, _ path: String) async throws -> (Int, String) {
        try await blocking {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(port).bigEndian
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            let connected = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            try #require(connected == 0)
            let request = Array("GET \(path) HTTP/1.1\r\nhost: a\r\n\r\n".utf8)
            try #require(send(descriptor, request, request.count, 0) == request.count)
            var answer: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4_096)
            while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 { answer += buffer[..<count] }
            let text = String(decoding: answer, as: UTF8.self)
            let status = try #require(text.split(separator: " ").dropFirst().first.flatMap { Int($0) })
            return (status, text.components(separatedBy: "\r\n\r\n").dropFirst().joined())
        }
    }

    @Test func aMonitorIsToldWhatItAsksFor() async throws {
        let (ports, told) = AsyncStream.makeStream(of: Int.self)
        let server = ProbeServer(
            host: "127.0.0.1",
            port: 0,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            ready: { "not yet" },
            metrics: { "cairn_up 1\n" },
            onListening: { told.yield($0) }
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            for await port in ports.prefix(1) {
                let ready = try await Self.get(port, "/-/ready")
                #expect(ready == (503, "not yet\n"))
                let metrics = try await Self.get(port, "/-/metrics?a")
                #expect(metrics == (200, "cairn_up 1\n"))
                let other = try await Self.get(port, "/other")
                #expect(other.0 == 404)
            }
            group.cancelAll()
        }
    }
}
