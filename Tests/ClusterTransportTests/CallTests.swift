import ClusterTransport
import SystemInterface
import Testing

@Suite struct CallTests {
    @Test func messagesComeBackByteForByte() async throws {
        try await Fixture().withPair { client, _ in
            let messages = [
                TransportMessage(header: []),
                TransportMessage(header: [1, 2, 3]),
                TransportMessage(header: bytes(1 << 20, seed: 1).copied()),
                TransportMessage(header: [4], buffers: [bytes(0, seed: 0)]),
                TransportMessage(header: [5], buffers: [bytes(1, seed: 2)]),
                TransportMessage(header: [6], buffers: [bytes(32 << 10, seed: 3), bytes(0, seed: 0)]),
                TransportMessage(header: [7], buffers: (0..<300).map { bytes($0 * 17, seed: UInt64($0)) }),
                TransportMessage(header: [8], buffers: [bytes(16 << 20, seed: 4), bytes(12_345, seed: 5)]),
                TransportMessage(header: [9], buffers: [bytes(1 << 20, seed: 6).slice(5..<1_000_000)]),
            ]
            for message in messages {
                let answer = try await client.call("node-2", message, timeout: .seconds(120))
                #expect(areSame(answer, message))
            }
        }
    }

    @Test func manyCallsGoAtOnce() async throws {
        try await Fixture().withPair { client, _ in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for index in 0..<200 {
                    group.addTask {
                        let size = index % 10 == 0 ? 300_000 : index * 31
                        let message = TransportMessage(
                            header: [UInt8(index)],
                            buffers: [bytes(size, seed: UInt64(index))]
                        )
                        return areSame(try await client.call("node-2", message, timeout: .seconds(120)), message)
                    }
                }
                for try await isSame in group { #expect(isSame) }
            }
        }
    }

    @Test func quickAnswersOvertakeSlowOnes() async throws {
        let service = Echo()
        try await Fixture().withPair(service: service) { client, _ in
            let slow = Task { await failure(client, header: [253], timeout: .seconds(60)) }
            try await service.started.reaches(1)
            #expect(await failure(client) == nil)
            slow.cancel()
            #expect(await slow.value == .unknownOutcome(node: "node-2"))
        }
    }

    @Test func theServiceKnowsWhoCalls() async throws {
        try await Fixture().withPair { client, _ in
            let answer = try await client.call("node-2", TransportMessage(header: [254]), timeout: .seconds(60))
            #expect(String(decoding: answer.header, as: UTF8.self) == "node-1/node")
        }
    }

    @Test func moreCallsThanMayBeInFlightWaitTheirTurn() async throws {
        try await Fixture().withPair { client, _ in
            await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<1_500 {
                    group.addTask { await failure(client, header: [255, 1], timeout: .seconds(120)) == nil }
                }
                for await isAnswered in group { #expect(isAnswered) }
            }
        }
    }

    @Test func whatIsTooLargeIsNotSent() async throws {
        try await Fixture().withPair { client, _ in
            let message = TransportMessage(header: [], buffers: [AlignedBuffer(capacity: 65 << 20).slice(0..<65 << 20)])
            await #expect(throws: TransportError.unreachable(node: "node-2")) {
                try await client.call("node-2", message, timeout: .seconds(1))
            }
            #expect(await failure(client) == nil)
        }
    }

    @Test func anUnknownMemberIsUnreachable() async throws {
        let client = try Fixture().client()
        defer { client.close() }
        #expect(await failure(client, "node-9") == .unreachable(node: "node-9"))
    }

    @Test func aRefusedConnectionIsUnreachable() async throws {
        let client = try Fixture().client()
        defer { client.close() }
        // Nobody listens on the discard port.
        client.setAddress("node-2", host: "127.0.0.1", port: 9)
        #expect(await failure(client) == .unreachable(node: "node-2"))
        #expect(await failure(client) == .unreachable(node: "node-2"))
    }

    @Test func timeoutsOfWrittenCallsAreUnknown() async throws {
        let service = Echo()
        try await Fixture().withPair(service: service) { client, _ in
            #expect(await failure(client) == nil)
            var error: TransportError?
            // On a busy machine its time may be over before it is written; not each time.
            for _ in 0..<20 where service.started.value == 0 {
                let start = ContinuousClock.now
                error = await failure(client, header: [253], timeout: .milliseconds(500))
                #expect(ContinuousClock.now - start < .seconds(50))
            }
            #expect(error == .unknownOutcome(node: "node-2"))
            // The service hears that nobody waits.
            try await service.cancelled.reaches(1)
            #expect(await failure(client) == nil)
        }
    }

    @Test func cancelledCallsEndAtOnce() async throws {
        let service = Echo()
        try await Fixture().withPair(service: service) { client, _ in
            let task = Task { await failure(client, header: [253], timeout: .seconds(60)) }
            try await service.started.reaches(1)
            task.cancel()
            let start = ContinuousClock.now
            #expect(await task.value == .unknownOutcome(node: "node-2"))
            #expect(ContinuousClock.now - start < .seconds(50))
            let early = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return await failure(client)
            }
            #expect(await early.value == .unreachable(node: "node-2"))
        }
    }

    @Test func aKilledServerLeavesTheOutcomeUnknown() async throws {
        let (fixture, service) = (try Fixture(), Echo())
        try await fixture.withPair(service: service) { client, running in
            let call = Task { await failure(client, header: [253], timeout: .seconds(60)) }
            try await service.started.reaches(1)
            running.task.cancel()
            #expect(await call.value == .unknownOutcome(node: "node-2"))
            _ = await running.task.result
            #expect(await failure(client) == .unreachable(node: "node-2"))
            // Its successor is found, once the pause after the failure is over.
            try await fixture.withServer { port, _ in
                client.setAddress("node-2", host: "127.0.0.1", port: port)
                #expect(await failure(client) == nil)
            }
        }
    }

    @Test func shutdownLetsCallsEnd() async throws {
        let service = Echo()
        try await Fixture().withPair(service: service) { client, running in
            let call = Task { await failure(client, header: [255, 30], timeout: .seconds(30)) }
            try await service.started.reaches(1)
            await running.server.shutdown()
            #expect(await call.value == nil)
            #expect(await failure(client) == .unreachable(node: "node-2"))
            try await running.task.value
        }
    }

    @Test func aRemovedMemberIsUnreachable() async throws {
        try await Fixture().withPair { client, _ in
            #expect(await failure(client) == nil)
            #expect(client.addresses.keys.sorted() == ["node-2"])
            client.removeAddress("node-2")
            #expect(client.addresses.isEmpty)
            #expect(await failure(client) == .unreachable(node: "node-2"))
        }
    }
}
