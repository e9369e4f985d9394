import Coordination
import DiskFormat
import TestKit
import Testing

/// When a checkpoint is taken by itself.
@Suite("checkpointer")
struct CheckpointerTests {
    @Test("a tenth of the records is enough once nothing has changed for a while, and not before")
    func quiet() async throws {
        let harness = try await StoreHarness.open()
        let store = try harness.store
        let time = ManualTime()
        let checkpointer = Checkpointer(
            metadata: store.metadata,
            journal: store.journal,
            objects: store.objects,
            time: time,
            recordLimit: 100
        )
        let running = Task { await checkpointer.run() }
        defer { running.cancel() }
        for number in 0..<20 { try await harness.put("key-\(number)", Content.random(300)) }
        let before = store.journal.report
        #expect((10..<100).contains(before.last.sequence - before.base.sequence))
        // The first round sees the last change, and so many more are quiet.
        let rounds = Int(Checkpointer.quietTime / Checkpointer.interval)
        for _ in 0..<rounds {
            await time.waitForSleepers()
            time.advance(by: Checkpointer.interval)
        }
        await time.waitForSleepers()
        #expect(store.journal.report.base == before.base)
        time.advance(by: Checkpointer.interval)
        await time.waitForSleepers()
        #expect(store.journal.report.base.sequence >= before.last.sequence)
        try await harness.close()
    }
}
