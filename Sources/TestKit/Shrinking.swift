/// A random sequence of steps that failed, made short.
package struct ShortenedFailure<Step>: Error, CustomStringConvertible {
    /// Fewer cannot be taken away one by one, unless the runs gave out before.
    package let steps: [Step]
    /// What these steps end with, which need not be what the whole sequence ended with.
    package let cause: any Error
    let original: Int

    /// In one line, as issues of a test are reported.
    package var description: String { "\(cause), by \(steps.count) of \(original) steps: \(steps)" }
}

package enum Shrinking {
    /// Runs until a sequence is short enough: hundreds of steps come down to a few in less.
    package static let runLimit = 150

    /// Runs a sequence of steps; one that fails is made short before it is reported.
    ///
    /// A step must mean something whatever went before it, as it does that draws from a seed of its own.
    package static func check<Step>(
        _ steps: [Step],
        runs: Int = runLimit,
        _ body: ([Step]) async throws -> Void
    ) async throws {
        do {
            try await body(steps)
        } catch {
            let (left, cause) = await shorten(steps, failing: error, runs: runs, body)
            throw ShortenedFailure(steps: left, cause: cause, original: steps.count)
        }
    }

    /// Takes away halves, quarters and so on down to single steps for as long as what is left still fails: delta
    /// debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002), of which the
    /// complements alone are tried.
    private static func shorten<Step>(
        _ steps: [Step],
        failing error: any Error,
        runs: Int,
        _ body: ([Step]) async throws -> Void
    ) async -> ([Step], any Error) {
        var (left, cause, runs) = (steps, error, runs)
        var length = max(1, steps.count / 2)
        while true {
            var isShorter = false
            var start = 0
            while start < left.count {
                guard runs > 0 else { return (left, cause) }
                runs -= 1
                let fewer = Array(left[..<start] + left[min(start + length, left.count)...])
                do {
                    try await body(fewer)
                    start += length
                } catch {
                    (left, cause, isShorter) = (fewer, error, true)
                }
            }
            if length == 1 && !isShorter { return (left, cause) }
            length = max(1, length / 2)
        }
    }
}
