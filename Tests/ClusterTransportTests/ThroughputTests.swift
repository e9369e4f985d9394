import ClusterTransport
import SystemInterface
import Testing

/// Prints what loopback gives; asserts nothing. In a debug build the numbers say little.
@Suite(.serialized) struct ThroughputTests {
    @Test(arguments: [(200, 2_000, 1), (65_536, 1_000, 16), (1 << 20, 150, 8), (1 << 20, 30, 1), (200, 5_000, 64)])
    func echo(size: Int, calls: Int, callers: Int) async throws {
        try await Fixture().withPair { client, _ in
            let message = TransportMessage(header: [1], buffers: [bytes(size, seed: 1)])
            _ = try await client.call("node-2", message, timeout: .seconds(10))
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<callers {
                    group.addTask {
                        for _ in 0..<calls / callers {
                            _ = try await client.call("node-2", message, timeout: .seconds(30))
                        }
                    }
                }
                try await group.waitForAll()
            }
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            let done = Double(calls / callers * callers)
            print(
                "throughput: \(size) bytes, \(callers) callers: \(Int(done / seconds)) calls/s,",
                "\(Int(done * Double(size) / seconds / 1e6)) MB/s each way"
            )
        }
    }
}
