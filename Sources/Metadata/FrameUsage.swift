/// How often each frame of a blob is named, as runs of equal counts.
struct FrameUsage: Hashable {
    struct Run: Hashable {
        var frames: Int
        var count: Int
    }

    private(set) var runs: [Run]

    /// All `frames` named `count` times.
    init(frames: Int, count: Int) {
        runs = frames > 0 ? [Run(frames: frames, count: count)] : []
    }

    init(runs: [Run]) { self.runs = runs }

    /// Whether every frame is named exactly once, as nearly all are.
    var isOnce: Bool { runs.count <= 1 && (runs.first?.count ?? 1) == 1 }

    /// Adds `delta` to the frames in `range`; false when that would make a count negative or leave the blob.
    mutating func add(_ delta: Int, to range: Range<Int>) -> Bool {
        guard !range.isEmpty else { return true }
        var result: [Run] = []
        result.reserveCapacity(runs.count + 2)
        var start = 0
        for run in runs {
            let end = start + run.frames
            let inside = range.clamped(to: start..<end)
            if inside.isEmpty {
                Self.append(run, to: &result)
            } else {
                let count = run.count + delta
                guard count >= 0 else { return false }
                Self.append(Run(frames: inside.lowerBound - start, count: run.count), to: &result)
                Self.append(Run(frames: inside.count, count: count), to: &result)
                Self.append(Run(frames: end - inside.upperBound, count: run.count), to: &result)
            }
            start = end
        }
        guard range.lowerBound >= 0, range.upperBound <= start else { return false }
        runs = result
        return true
    }

    /// The ranges of frames that are named at all.
    var live: [Range<Int>] {
        var result: [Range<Int>] = []
        var start = 0
        for run in runs {
            if run.count > 0 {
                if let last = result.last, last.upperBound == start {
                    result[result.count - 1] = last.lowerBound..<start + run.frames
                } else {
                    result.append(start..<start + run.frames)
                }
            }
            start += run.frames
        }
        return result
    }

    private static func append(_ run: Run, to runs: inout [Run]) {
        guard run.frames > 0 else { return }
        if let last = runs.last, last.count == run.count {
            runs[runs.count - 1].frames += run.frames
        } else {
            runs.append(run)
        }
    }
}
