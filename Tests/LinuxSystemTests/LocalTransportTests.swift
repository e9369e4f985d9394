import Synchronization
import SystemInterface
import TestKit
import Testing

@Suite struct LocalTransportTests {
    @Test("a call brings the service's answer, its buffers by reference")
    func answers() async throws {
        let transport = LocalTransport(time: ManualTime())
        transport.register("a", Service { TransportMessage(header: $0.header + [9], buffers: $0.buffers) })
        let buffer = BufferSlice(copying: [1, 2, 3])
        let request = TransportMessage(header: [1], buffers: [buffer])
        let answer = try await transport.call("a", request, timeout: .seconds(1))
        #expect(answer.header == [1, 9])
        #expect(answer.buffers.first?.buffer === buffer.buffer)
    }

    @Test("an unknown or removed node is unreachable")
    func unreachable() async throws {
        let transport = LocalTransport(time: ManualTime())
        transport.register("a", Service { $0 })
        transport.remove("a")
        for node in ["a", "b"] {
            let error = await #expect(throws: TransportError.self) {
                try await transport.call(node, TransportMessage(header: []), timeout: .seconds(1))
            }
            #expect(error == .unreachable(node: node))
        }
    }

    @Test("a call that takes too long has an unknown outcome, and its service is cancelled")
    func timeout() async throws {
        let time = ManualTime()
        let transport = LocalTransport(time: time)
        let wasCancelled = Flag()
        transport.register(
            "a",
            Service { message in
                while !Task.isCancelled { await Task.yield() }
                wasCancelled.set()
                return message
            }
        )
        let call = Task { () throws(TransportError) in
            try await transport.call("a", TransportMessage(header: []), timeout: .seconds(5))
        }
        await time.waitForSleepers()
        time.advance(by: .seconds(4))
        await time.waitForSleepers()
        time.advance(by: .seconds(1))
        let error = await #expect(throws: TransportError.self) { try await call.value }
        #expect(error == .unknownOutcome(node: "a"))
        while !wasCancelled.isSet { await Task.yield() }
    }

    @Test("a cancelled caller goes on at once")
    func cancellation() async throws {
        let transport = LocalTransport(time: ManualTime())
        let started = Flag()
        transport.register(
            "a",
            Service { message in
                started.set()
                while !Task.isCancelled { await Task.yield() }
                return message
            }
        )
        let call = Task { () throws(TransportError) in
            try await transport.call("a", TransportMessage(header: []), timeout: .seconds(5))
        }
        while !started.isSet { await Task.yield() }
        call.cancel()
        let error = await #expect(throws: TransportError.self) { try await call.value }
        #expect(error == .unknownOutcome(node: "a"))
    }

    @Test("a node works on so many calls at once and no more, and all are answered")
    func bound() async throws {
        let transport = LocalTransport(time: ManualTime())
        let gate = Flag()
        let service = Gauge(gate: gate)
        transport.register("a", service)
        let calls = LocalTransport.callsPerNode * 2
        try await withThrowingTaskGroup { group in
            for call in 0..<calls {
                group.addTask {
                    let header = withUnsafeBytes(of: call) { Array($0) }
                    let answer = try await transport.call("a", TransportMessage(header: header), timeout: .seconds(5))
                    #expect(answer.header == header)
                }
            }
            while service.most < LocalTransport.callsPerNode { await Task.yield() }
            gate.set()
            try await group.waitForAll()
        }
        #expect(service.most == LocalTransport.callsPerNode)
    }
}

private struct Service: TransportService {
    let body: @Sendable (TransportMessage) async -> TransportMessage
    init(_ body: @escaping @Sendable (TransportMessage) async -> TransportMessage) { self.body = body }
    func answer(_ message: TransportMessage) async -> TransportMessage { await body(message) }
}

/// Counts the calls in progress, and holds all of them until the gate opens.
private final class Gauge: TransportService {
    private let state = Mutex((now: 0, most: 0))
    private let gate: Flag
    init(gate: Flag) { self.gate = gate }

    var most: Int { state.withLock { $0.most } }

    func answer(_ message: TransportMessage) async -> TransportMessage {
        state.withLock { state in
            state.now += 1
            state.most = max(state.most, state.now)
        }
        while !gate.isSet { await Task.yield() }
        state.withLock { $0.now -= 1 }
        return message
    }
}

private final class Flag: Sendable {
    private let state = Atomic(false)
    var isSet: Bool { state.load(ordering: .acquiring) }
    func set() { state.store(true, ordering: .releasing) }
}
