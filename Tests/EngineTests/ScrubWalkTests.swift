import Coordination
import ObjectModel
import SystemInterface
import TestKit
import Testing

@Suite("The scrub's walk and its record")
struct ScrubWalkTests {
    private static let start = WallTime(milliseconds: 1_767_225_600_000)

    private static func time(_ seconds: Double) -> WallTime {
        WallTime(milliseconds: start.milliseconds + Int64(seconds * 1_000))
    }

    private static func blob(_ number: Int) -> BlobID { BlobID(incarnation: 1, lease: 1, sequence: UInt64(number)) }

    /// A pass over 100 blobs of 10 bytes at one blob a second.
    private static func pass(_ walk: inout ScrubWalk, from begin: Double, secondsEach: Double = 1) {
        walk.begin(now: time(begin), live: 1_000, isUrgent: false)
        for number in 0..<100 {
            var step = ScrubWalk.Step(end: blob(number), began: time(begin + Double(number) * secondsEach))
            (step.bytes, step.shards) = (10, 1)
            walk.advance(step, window: 1_000)
        }
        walk.finish(now: time(begin + 100 * secondsEach))
    }

    @Test("a disk that was never read needs all its bytes within the window from when it was first seen")
    func fresh() {
        let walk = ScrubWalk(joined: Self.start)
        #expect(walk.oldest == Self.start)
        #expect(walk.neededRate(live: 1_000, window: 1_000, now: Self.time(0)) == 1)
        #expect(walk.neededRate(live: 1_000, window: 1_000, now: Self.time(500)) == 2)
        #expect(walk.isDue(live: 1_000, window: 1_000, slowest: 1, now: Self.time(0)))
        #expect(!walk.isDue(live: 1_000, window: 1_000, slowest: 2, now: Self.time(499)))
        #expect(walk.isDue(live: 1, window: 1_000, slowest: 2, now: Self.time(500)))
        // Late, it needs as much as there is: whoever asks has a limit.
        #expect(walk.neededRate(live: 1_000, window: 1_000, now: Self.time(5_000)) == 1_000)
    }

    @Test("what was read fast is due at once, what was read slowly piece by piece")
    func due() {
        var fast = ScrubWalk(joined: Self.start)
        Self.pass(&fast, from: 0, secondsEach: 0.001)
        #expect(fast.neededRate(live: 1_000, window: 1_000, now: Self.time(900)) >= 9.9)
        var slow = ScrubWalk(joined: Self.start)
        Self.pass(&slow, from: 0, secondsEach: 9)
        #expect(slow.neededRate(live: 1_000, window: 1_000, now: Self.time(900)) < 2)
        #expect(slow.oldest == Self.time(0))
        slow.begin(now: Self.time(900), live: 1_000, isUrgent: false)
        var step = ScrubWalk.Step(end: Self.blob(49), began: Self.time(900))
        step.bytes = 500
        slow.advance(step, window: 1_000)
        // Behind the middle the last pass was at 450 seconds, less a span.
        #expect(slow.oldest >= Self.time(400) && slow.oldest <= Self.time(450))
    }

    @Test("what could not be read stays as old as it was")
    func skipped() {
        var walk = ScrubWalk(joined: Self.start)
        walk.begin(now: Self.time(500), live: 20, isUrgent: false)
        var step = ScrubWalk.Step(end: Self.blob(0), began: Self.time(500))
        (step.bytes, step.shards, step.skipped) = (10, 1, 1)
        walk.advance(step, window: 1_000)
        walk.finish(now: Self.time(600))
        #expect(walk.oldest == Self.start)
        // And is not tried again at once.
        #expect(!walk.isDue(live: 20, window: 1_000, slowest: 1, now: Self.time(560)))
        #expect(walk.isDue(live: 20, window: 1_000, slowest: 1, now: Self.time(563)))
    }

    @Test("a clock that was set back keeps nothing from being read")
    func clockSetBack() {
        var walk = ScrubWalk(joined: Self.time(1_000_000))
        Self.pass(&walk, from: 1_000_000)
        walk.begin(now: Self.time(1_000_200), live: 1_000, isUrgent: false)
        walk.clamp(to: Self.time(100))
        #expect(walk.oldest == Self.time(100) && walk.joined == Self.time(100))
        #expect(walk.lastStarted == Self.time(100) && walk.pass?.started == Self.time(100))
    }

    @Test("spans stay few, and their ages on the old side")
    func spans() {
        var walk = ScrubWalk(joined: Self.start)
        walk.begin(now: Self.time(0), live: 1, isUrgent: false)
        for number in 0..<10_000 {
            var step = ScrubWalk.Step(end: Self.blob(number), began: Self.time(Double(number)))
            step.bytes = 10
            walk.advance(step, window: 1_000)
        }
        #expect((walk.pass?.spans.count ?? 0) <= 64)
        walk.finish(now: Self.time(10_000))
        #expect(walk.oldest == Self.start)
        #expect(walk.verified.last?.end == nil)
    }

    // MARK: The record

    private static func record() -> ScrubRecord {
        var record = ScrubRecord()
        let disks = (1...3).map { DiskID(Identifier128(high: UInt64($0) << 60, low: 7)) }
        for disk in disks {
            var walk = ScrubWalk(joined: start)
            pass(&walk, from: 10)
            record.disks[disk] = walk
        }
        record.disks[disks[1]]?.begin(now: time(2_000), live: 1_000, isUrgent: true)
        var step = ScrubWalk.Step(end: blob(3), began: time(2_001))
        (step.bytes, step.shards, step.bad, step.skipped) = (40, 4, 2, 1)
        step.absent = 1
        record.disks[disks[1]]?.advance(step, window: 1_000)
        record.stripes = ScrubWalk(joined: start)
        record.isPaused = true
        record.pausedDisks = [disks[2]]
        var job = ScrubRecord.BucketJob(bucket: "archive", started: time(5))
        (job.after, job.objects, job.shards, job.bad, job.skipped) = ("a key/ä \n", 3, 18, 1, 2)
        job.absent = 1
        record.bucket = job
        return record
    }

    @Test("a record comes back as it was")
    func roundTrip() {
        let record = Self.record()
        #expect(ScrubRecord(encoded: record.encoded) == record)
        #expect(ScrubRecord(encoded: ScrubRecord().encoded) == ScrubRecord())
        var without = record
        without.bucket?.absent = 0
        #expect(ScrubRecord(encoded: without.encoded) == without, "as versions wrote it that did not tell absent ones")
    }

    @Test("a record of which anything was changed or cut off is none")
    func damaged() {
        let bytes = Self.record().encoded
        var generator = SplitMix64(seed: 3)
        for offset in bytes.indices {
            var changed = bytes
            changed[offset] ^= 1 << UInt8(generator.next() % 8)
            #expect(ScrubRecord(encoded: changed) == nil, "byte \(offset)")
        }
        for length in bytes.indices { #expect(ScrubRecord(encoded: Array(bytes[..<length])) == nil) }
    }
}
