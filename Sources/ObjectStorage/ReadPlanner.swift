internal import BlobStorage
internal import Metadata
internal import ObjectModel

/// One read of at most a stripe's bytes of a blob, and what of them is wanted.
struct ReadStep: Sendable {
    var location: BlobLocation
    /// Stored bytes to read; within one stripe when plain.
    var stored: Range<Int>
    /// nil: the stored bytes are the wanted ones.
    var coded: Coded?

    struct Coded: Sendable {
        var frame: Frame
        /// The wanted bytes of the decoded frame.
        var wanted: Range<Int>
    }
}

/// Works out which stored bytes hold a range of a blob's logical bytes.
struct ReadPlanner {
    let store: BlobStore
    let location: BlobLocation
    let record: BlobRecord

    /// `logical` counts from the beginning of frame `firstFrame`.
    func steps(firstFrame: Int, logical: Range<Int>) throws(BlobError) -> [ReadStep] {
        switch record.frames {
        case .uniform:
            let start = firstFrame * Limits.frameLength
            let stored = start + logical.lowerBound..<start + logical.upperBound
            guard stored.upperBound <= record.length else { throw .digestMismatch(record.id) }
            return plainSteps(stored)
        case .explicit(let frames):
            return try explicitSteps(frames, firstFrame: firstFrame, logical: logical)
        }
    }

    private func explicitSteps(
        _ frames: [Frame],
        firstFrame: Int,
        logical: Range<Int>
    ) throws(BlobError) -> [ReadStep] {
        guard firstFrame >= 0, firstFrame <= frames.count else { throw .digestMismatch(record.id) }
        var stored = frames[..<firstFrame].reduce(0) { $0 + $1.storedLength }
        var position = 0
        var plain: Range<Int>?
        var result: [ReadStep] = []
        for frame in frames[firstFrame...] {
            guard position < logical.upperBound else { break }
            let lower = max(logical.lowerBound, position)
            let upper = min(logical.upperBound, position + frame.logicalLength)
            if lower < upper {
                let wanted = lower - position..<upper - position
                if frame.isPlain {
                    // Plain frames that follow one another are one run of stored bytes.
                    plain = (plain?.lowerBound ?? stored + wanted.lowerBound)..<stored + wanted.upperBound
                } else {
                    result += plain.map(plainSteps) ?? []
                    plain = nil
                    result.append(
                        ReadStep(
                            location: location,
                            stored: stored..<stored + frame.storedLength,
                            coded: ReadStep.Coded(frame: frame, wanted: wanted)
                        )
                    )
                }
            }
            position += frame.logicalLength
            stored += frame.storedLength
        }
        guard position >= logical.upperBound else { throw .digestMismatch(record.id) }
        return result + (plain.map(plainSteps) ?? [])
    }

    /// Cuts a run of stored bytes at the stripes.
    private func plainSteps(_ stored: Range<Int>) -> [ReadStep] {
        var steps: [ReadStep] = []
        var position = stored.lowerBound
        while position < stored.upperBound {
            let stripe = store.stripeRange(location, containing: position)
            let end = min(stripe.upperBound, stored.upperBound)
            steps.append(ReadStep(location: location, stored: position..<end, coded: nil))
            position = end
        }
        return steps
    }
}
