internal import ObjectModel
internal import SystemInterface

/// The record as `SealedLines`:
///
///     cairn-scrub 1
///     paused
///     paused-disk DISK
///     walk DISK|stripes JOINED LAST-STARTED|- LAST-ENDED|-
///     read END|- BYTES SINCE
///     pass STARTED CURSOR|- BYTES SHARDS BAD SKIPPED URGENT SPAN-BYTES [ABSENT]
///     pass-read END|- BYTES SINCE
///     bucket NAME AFTER|- STARTED OBJECTS SHARDS BAD SKIPPED ENDED|- [ABSENT]
///
/// `read`, `pass` and `pass-read` belong to the `walk` above them. Times are milliseconds since 1970; keys are in
/// hexadecimal. ABSENT is left out where it is 0: a version that does not know it reads the others.
extension ScrubRecord {
    private static let head = "cairn-scrub 1"
    private static let stripesName = "stripes"
    /// No number in a record is larger: what is read can be added up.
    private static let numberLimit = 1 << 56

    package var encoded: [UInt8] {
        var lines = [Self.head]
        if isPaused { lines.append("paused") }
        lines += pausedDisks.sorted().map { "paused-disk \($0)" }
        for (disk, walk) in disks.sorted(by: { $0.key < $1.key }) { lines += Self.lines(walk, name: disk.description) }
        if let stripes { lines += Self.lines(stripes, name: Self.stripesName) }
        if let bucket { lines.append(Self.line(bucket)) }
        return SealedLines.encode(lines)
    }

    private static func lines(_ walk: ScrubWalk, name: String) -> [String] {
        var lines = ["walk \(name) \(text(walk.joined)) \(text(walk.lastStarted)) \(text(walk.lastEnded))"]
        lines += walk.verified.map { "read " + text($0) }
        guard let pass = walk.pass else { return lines }
        let words =
            [
                "pass", text(pass.started), text(pass.cursor), "\(pass.bytes)", "\(pass.shards)", "\(pass.bad)",
                "\(pass.skipped)", pass.isUrgent ? "1" : "0", "\(pass.spanBytes)",
            ] + text(absent: pass.absent)
        return lines + [words.joined(separator: " ")] + pass.spans.map { "pass-read " + text($0) }
    }

    private static func line(_ job: BucketJob) -> String {
        let words =
            [
                "bucket", job.bucket, job.after.isEmpty ? "-" : Hexadecimal.text(job.after.utf8), text(job.started),
                "\(job.objects)", "\(job.shards)", "\(job.bad)", "\(job.skipped)", text(job.ended),
            ] + text(absent: job.absent)
        return words.joined(separator: " ")
    }

    private static func text(_ time: WallTime?) -> String { time.map { "\(max(0, $0.milliseconds))" } ?? "-" }
    private static func text(absent: Int) -> [String] { absent > 0 ? ["\(absent)"] : [] }
    private static func text(_ blob: BlobID?) -> String { blob?.description ?? "-" }
    private static func text(_ span: ScrubWalk.Span) -> String { "\(text(span.end)) \(span.bytes) \(text(span.since))" }

    // MARK: Reading

    /// Nil for anything that is not whole.
    package init?(encoded bytes: [UInt8]) {
        guard let lines = SealedLines.decode(bytes), lines.first == Self.head[...] else { return nil }
        self.init()
        // Names of walks in the order of the lines that belong to them.
        var current: Substring?
        for line in lines.dropFirst() {
            var words = Words(rest: line.split(separator: " ")[...])
            guard take(&words, current: &current), words.rest.isEmpty else { return nil }
        }
        guard (Array(disks.values) + [stripes].compactMap(\.self)).allSatisfy(Self.isSound) else { return nil }
    }

    /// The words of a line, from the left.
    private struct Words {
        var rest: ArraySlice<Substring>

        mutating func text() -> Substring? { rest.popFirst() }

        mutating func number() -> Int? {
            guard let word = rest.popFirst(), let value = Int(word), 0...ScrubRecord.numberLimit ~= value else {
                return nil
            }
            return value
        }

        /// The last word of a line, which may be left out.
        mutating func lastNumber() -> Int? { rest.isEmpty ? 0 : number() }

        mutating func time() -> WallTime? { number().map { WallTime(milliseconds: Int64($0)) } }

        /// `-` is none; the outer nil is an error.
        mutating func optionalTime() -> WallTime?? {
            guard rest.first == "-" else { return time().map { .some($0) } }
            rest.removeFirst()
            return .some(nil)
        }

        mutating func optionalBlob() -> BlobID?? {
            guard let word = rest.popFirst() else { return nil }
            return word == "-" ? .some(nil) : BlobID(text: word).map { .some($0) }
        }

        mutating func span() -> ScrubWalk.Span? {
            guard let end = optionalBlob(), let bytes = number(), let since = time() else { return nil }
            return ScrubWalk.Span(end: end, bytes: bytes, since: since)
        }
    }

    private mutating func take(_ words: inout Words, current: inout Substring?) -> Bool {
        switch words.text() {
        case "paused": isPaused = true
        case "paused-disk":
            guard let id = words.text().flatMap({ Identifier128(text: $0) }) else { return false }
            pausedDisks.insert(DiskID(id))
        case "walk":
            guard let name = words.text(), let walk = Self.walk(&words) else { return false }
            current = name
            return change(name) { $0 = walk }
        case "read":
            guard let name = current, let span = words.span() else { return false }
            return change(name) { $0?.verified.append(span) }
        case "pass":
            guard let name = current, let pass = Self.pass(&words) else { return false }
            return change(name) { $0?.pass = pass }
        case "pass-read":
            guard let name = current, let span = words.span() else { return false }
            return change(name) { $0?.pass?.spans.append(span) }
        case "bucket":
            guard let job = Self.job(&words) else { return false }
            bucket = job
        default: return false
        }
        return true
    }

    private mutating func change(_ name: Substring, _ body: (inout ScrubWalk?) -> Void) -> Bool {
        if name == Self.stripesName {
            body(&stripes)
            return true
        }
        guard let id = Identifier128(text: name) else { return false }
        body(&disks[DiskID(id)])
        return true
    }

    private static func walk(_ words: inout Words) -> ScrubWalk? {
        guard let joined = words.time(), let started = words.optionalTime(), let ended = words.optionalTime() else {
            return nil
        }
        var walk = ScrubWalk(joined: joined)
        walk.verified = []
        (walk.lastStarted, walk.lastEnded) = (started, ended)
        return walk
    }

    private static func pass(_ words: inout Words) -> ScrubWalk.Pass? {
        guard let started = words.time(), let cursor = words.optionalBlob(), let bytes = words.number(),
            let shards = words.number(), let bad = words.number(), let skipped = words.number(),
            let urgent = words.number(), let spanBytes = words.number(), let absent = words.lastNumber()
        else { return nil }
        var pass = ScrubWalk.Pass(started: started, isUrgent: urgent == 1, spanBytes: max(1, spanBytes))
        (pass.cursor, pass.bytes, pass.shards, pass.bad, pass.skipped) = (cursor, bytes, shards, bad, skipped)
        pass.absent = absent
        return pass
    }

    private static func job(_ words: inout Words) -> BucketJob? {
        guard let name = words.text(), let after = words.text(), let started = words.time() else { return nil }
        var job = BucketJob(bucket: String(name), started: started)
        if after != "-" {
            guard let bytes = Hexadecimal.bytes(after) else { return nil }
            job.after = String(decoding: bytes, as: UTF8.self)
        }
        guard let objects = words.number(), let shards = words.number(), let bad = words.number(),
            let skipped = words.number(), let ended = words.optionalTime(), let absent = words.lastNumber()
        else { return nil }
        (job.objects, job.shards, job.bad, job.skipped, job.ended) = (objects, shards, bad, skipped, ended)
        job.absent = absent
        return job
    }

    /// What the code that reads a walk relies on.
    private static func isSound(_ walk: ScrubWalk) -> Bool {
        let spans = walk.verified
        let passSpans = walk.pass?.spans ?? []
        return spans.last.map { $0.end == nil } ?? false && spans.dropLast().allSatisfy { $0.end != nil }
            && spans.count <= ScrubWalk.spanLimit && passSpans.count <= ScrubWalk.spanLimit
            && passSpans.allSatisfy { $0.end != nil }
    }
}
