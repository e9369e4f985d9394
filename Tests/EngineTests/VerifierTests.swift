import ClusterProtocol
import Coordination
import LinuxSystem
import Metadata
import Synchronization
import TestKit
import Testing

/// The count of everything, beside what is more urgent.
@Suite("verifier")
struct VerifierTests {
    @Test("a pass makes way for what is more urgent until that is over, and not for ever", arguments: [true, false])
    func makesWay(isOverSoon: Bool) async throws {
        let harness = try await StoreHarness.open()
        for number in 0..<3 { try await harness.put("key-\(number)", Content.random(70_000)) }
        let store = try harness.store
        let time = ManualTime()
        let verifier = Verifier(metadata: store.metadata, blobs: store.blobs, time: time)
        let isUrgent = Mutex(true)
        verifier.yields { isUrgent.withLock { $0 } }
        let pass = Task { await verifier.pass() }
        await time.waitForSleepers()
        time.advance(by: .seconds(1))
        await time.waitForSleepers()
        #expect(verifier.report.shardsExpected == 0 && verifier.report.isRunning)
        if isOverSoon { isUrgent.withLock { $0 = false } }
        time.advance(by: isOverSoon ? .seconds(1) : Verifier.longestYield)
        await pass.value
        #expect(verifier.report.shardsExpected > 0 && verifier.report.isCurrent)
        #expect(verifier.report.shardsVerified == verifier.report.shardsExpected)
        try await harness.close()
    }

    @Test("a pass that an error of the metadata cuts off does not count, and is made anew")
    func cutOff() async throws {
        let cluster = try await ClusterHarness()
        _ = try await cluster.put("a", Content.random(70_000), at: 0)
        // It refuses to list blobs, as a coordinator's own business.
        let metadata = RemoteMetadataStore(
            transport: ClusterHarness.Line(board: cluster.board, caller: .coordinator),
            coordinator: CoordinatorName.name,
            time: LinuxTime()
        )
        let verifier = Verifier(metadata: metadata, blobs: cluster.store.blobs, time: LinuxTime())
        let ends = Mutex(0)
        verifier.onEnd { _ in ends.withLock { $0 += 1 } }
        await verifier.pass()
        #expect(verifier.report.isRunning && !verifier.report.isCurrent && verifier.report.finished == nil)
        #expect(ends.withLock { $0 } == 0)
        await cluster.close()
    }
}
