/// Shares the parts of one object after the other between all connections, as SDKs do.
///
/// A pure state machine: who asks gets the next step, and reports when it is done. At most one upload is being created
/// and any number completed at a time, so that connections do not idle at the end of an object.
package struct MultipartQueue: Sendable {
    package enum Step: Equatable, Sendable {
        case create(object: Int)
        /// `number` counts from 1.
        case part(object: Int, upload: String, number: Int)
        case complete(object: Int, upload: String, entityTags: [String])
        case stop
    }

    private struct Upload: Sendable {
        var object: Int
        var id: String
        var nextPart = 1
        var entityTags: [String]
        var missing: Int
    }

    private let partCount: Int
    private let objectLimit: Int?
    private var nextObject: Int
    private var isCreating = false
    private var isStopped = false
    private var uploads: [Int: Upload] = [:]
    private var created = 0

    /// Objects are numbered from `firstObject` on; there are at most `objectLimit`.
    package init(partCount: Int, firstObject: Int, objectLimit: Int?) {
        self.partCount = partCount
        self.objectLimit = objectLimit
        nextObject = firstObject
    }

    /// The next step for a connection; nil when it must wait for another one's report.
    package mutating func next() -> Step? {
        let ordered = uploads.values.sorted { $0.object < $1.object }
        if let ready = ordered.first(where: { $0.missing == 0 }) {
            uploads[ready.object] = nil
            return .complete(object: ready.object, upload: ready.id, entityTags: ready.entityTags)
        }
        if isStopped { return .stop }
        if let open = ordered.first(where: { $0.nextPart <= partCount }) {
            uploads[open.object]?.nextPart += 1
            return .part(object: open.object, upload: open.id, number: open.nextPart)
        }
        if isCreating { return nil }
        // Parts still on their way may yet make an upload complete, which somebody must do.
        if let objectLimit, created >= objectLimit { return uploads.isEmpty ? .stop : nil }
        isCreating = true
        created += 1
        nextObject += 1
        return .create(object: nextObject - 1)
    }

    /// The upload was made; nil: it could not be.
    package mutating func created(object: Int, id: String?) {
        isCreating = false
        guard let id else { return }
        uploads[object] = Upload(
            object: object,
            id: id,
            entityTags: Array(repeating: "", count: partCount),
            missing: partCount
        )
    }

    /// The part was stored. When one fails, the whole upload is given up.
    package mutating func stored(object: Int, number: Int, entityTag: String) {
        uploads[object]?.entityTags[number - 1] = entityTag
        uploads[object]?.missing -= 1
    }

    /// Gives an upload up after a failure; returns its id for the abort, nil when another connection has done so.
    package mutating func giveUp(object: Int) -> String? { uploads.removeValue(forKey: object)?.id }

    /// Hands out nothing more but completions.
    package mutating func stop() { isStopped = true }

    /// Uploads that were begun and neither completed nor given up.
    package var open: [(object: Int, id: String)] {
        uploads.values.sorted { $0.object < $1.object }.map { ($0.object, $0.id) }
    }

    /// The number behind the last object handed out.
    package var endObject: Int { nextObject }
}
