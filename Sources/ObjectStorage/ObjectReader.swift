internal import BlobStorage
internal import FrameCoding
package import ObjectInterface
internal import ObjectModel
internal import Synchronization
package import SystemInterface

/// The bytes of a download: read a few stripes ahead of the client, verified, decoded.
package final class ObjectReader: ObjectBody {
    /// Steps read ahead: the next stripe's disks work while the last one is sent. Two stripes of memory per download.
    static let readAhead = 2

    private struct State {
        var steps: ArraySlice<ReadStep>
        var underWay: [StepUnderWay] = []
        var ready: [BufferSlice] = []
    }

    private struct StepUnderWay {
        let task: Task<Result<[BufferSlice], StorageError>, Never>
        /// Over as soon as it was begun.
        let wasInMemory: Bool
    }

    private final class Flag: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .acquiring) }
        func set() { value.store(true, ordering: .releasing) }
    }

    package let length: Int
    private let state: Mutex<State>
    private let blobs: BlobStore
    private let decoder: FrameDecoder
    private let hold: BlobHold
    private let share: RequestShare
    private let isShort: Bool

    init(
        steps: [ReadStep],
        length: Int,
        blobs: BlobStore,
        decoder: FrameDecoder,
        hold: BlobHold,
        share: RequestShare
    ) {
        self.length = length
        state = Mutex(State(steps: steps[...]))
        self.blobs = blobs
        self.decoder = decoder
        self.hold = hold
        self.share = share
        isShort = steps.count == 1
    }

    deinit {
        for step in state.withLock({ $0.underWay }) { step.task.cancel() }
    }

    package func next() async throws(StorageError) -> BufferSlice? {
        while true {
            if let slice = state.withLock({ $0.ready.isEmpty ? nil : $0.ready.removeFirst() }) { return slice }
            guard let slices = try await nextStep() else { return nil }
            state.withLock { $0.ready = slices }
        }
    }

    /// The slices of the next step; nil at the end.
    private func nextStep() async throws(StorageError) -> [BufferSlice]? {
        if isShort {
            guard let step = state.withLock({ $0.steps.popFirst() }) else { return nil }
            return try await Self.read(step, blobs: blobs, decoder: decoder)
        }
        let begun = state.withLock { $0.underWay.isEmpty ? nil : $0.underWay.removeFirst() }
        guard let first = begun ?? startNext() else { return nil }
        // What is in memory was read when it was begun, and so will the next be when it is asked for. Else the disks
        // are to work while this step is waited for and sent.
        if !first.wasInMemory {
            while state.withLock({ $0.underWay.count }) < Self.readAhead, let step = startNext() {
                state.withLock { $0.underWay.append(step) }
            }
        }
        return try await first.task.value.get()
    }

    /// Begins a read on this thread until it first waits for a disk; a frame's decoding is work for other threads.
    private func startNext() -> StepUnderWay? {
        guard let step = state.withLock({ $0.steps.popFirst() }) else { return nil }
        let flag = Flag()
        let task =
            step.coded == nil
            ? Task.immediate(executorPreference: blobs.executor) { [blobs, decoder] in
                await Self.outcome(step, blobs: blobs, decoder: decoder, flag)
            }
            : Task { [blobs, decoder] in await Self.outcome(step, blobs: blobs, decoder: decoder, flag) }
        return StepUnderWay(task: task, wasInMemory: flag.isSet)
    }

    private static func outcome(
        _ step: ReadStep,
        blobs: BlobStore,
        decoder: FrameDecoder,
        _ flag: Flag
    ) async -> Result<[BufferSlice], StorageError> {
        defer { flag.set() }
        do throws(StorageError) {
            return .success(try await read(step, blobs: blobs, decoder: decoder))
        } catch {
            return .failure(error)
        }
    }

    private static func read(
        _ step: ReadStep,
        blobs: BlobStore,
        decoder: FrameDecoder
    ) async throws(StorageError) -> [BufferSlice] {
        do {
            guard let coded = step.coded else { return try await blobs.read(step.location, range: step.stored) }
            let stored = try await blobs.readAcrossStripes(step.location, range: step.stored)
            return [try decode(stored, as: coded, step: step, blobs: blobs, decoder: decoder)]
        } catch {
            throw StorageError(error)
        }
    }

    private static func decode(
        _ stored: [BufferSlice],
        as coded: ReadStep.Coded,
        step: ReadStep,
        blobs: BlobStore,
        decoder: FrameDecoder
    ) throws(BlobError) -> BufferSlice {
        let whole = stored.count == 1 ? stored[0] : gather(stored, pool: blobs.pool)
        let output = blobs.pool.take(max(coded.frame.logicalLength, 1))
        let target = UnsafeMutableRawBufferPointer(start: output.pointer, count: coded.frame.logicalLength)
        do {
            try whole.withBytes { bytes throws(FrameCodingError) in
                try decoder.decode(bytes, as: coded.frame, into: target)
            }
        } catch {
            // Every leaf was verified, so what does not decode was written wrongly: never served.
            throw .digestMismatch(step.location.blob)
        }
        return output.slice(coded.wanted)
    }

    private static func gather(_ slices: [BufferSlice], pool: BufferPool) -> BufferSlice {
        let length = slices.reduce(0) { $0 + $1.count }
        let buffer = pool.take(max(length, 1))
        var offset = 0
        for slice in slices {
            slice.withBytes { bytes in
                UnsafeMutableRawBufferPointer(start: buffer.pointer + offset, count: bytes.count).copyMemory(
                    from: bytes
                )
            }
            offset += slice.count
        }
        return buffer.slice(0..<length)
    }
}
