internal import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import SystemInterface

/// The current object versions that a salvage is to write out, page by page; with `newestFirst` their names are
/// gathered and sorted first.
struct ObjectWalk {
    private let metadata: any ReplicatedMetadata
    private let options: SalvageOptions
    private var buckets: ArraySlice<String>
    private var bucket: String?
    private var after = ""
    private var page: ArraySlice<ObjectSummary> = []
    private var sorted: ArraySlice<(bucket: String, key: String)>?

    init(_ metadata: any ReplicatedMetadata, _ options: SalvageOptions) async throws {
        self.metadata = metadata
        self.options = options
        let all = try await metadata.buckets(owner: nil).map(\.name)
        buckets = all.filter { options.bucket == nil || options.bucket == $0 }[...]
        guard options.newestFirst else { return }
        var found: [(modified: WallTime, bucket: String, key: String)] = []
        while let (bucket, object) = try await nextSummary() { found.append((object.modified, bucket, object.key)) }
        found.sort { ($1.modified, $0.bucket, $0.key) < ($0.modified, $1.bucket, $1.key) }
        sorted = found.map { ($0.bucket, $0.key) }[...]
    }

    /// The next object and whether its key is also a folder of other keys.
    mutating func next() async throws -> (detail: VersionDetail, isAlsoFolder: Bool)? {
        while let (bucket, key) = try await nextName() {
            guard let detail = try await metadata.version(bucket: bucket, key: key) else { continue }
            let below = try await metadata.list(ListRequest(bucket: bucket, prefix: key + "/", limit: 1))
            return (detail, !below.entries.isEmpty)
        }
        return nil
    }

    private mutating func nextName() async throws -> (String, String)? {
        if sorted != nil {
            guard let first = sorted?.popFirst() else { return nil }
            return (first.bucket, first.key)
        }
        return try await nextSummary().map { ($0.bucket, $0.object.key) }
    }

    private mutating func nextSummary() async throws -> (bucket: String, object: ObjectSummary)? {
        while true {
            while let object = page.popFirst() {
                if let since = options.since, object.modified < since { continue }
                guard let bucket else { break }
                return (bucket, object)
            }
            if bucket == nil {
                guard let next = buckets.popFirst() else { return nil }
                bucket = next
                after = ""
            }
            guard let name = bucket else { return nil }
            let listed = try await metadata.list(
                ListRequest(bucket: name, prefix: options.prefix, after: after, limit: Limits.pageSize)
            )
            page = listed.entries.compactMap { if case .object(let object) = $0 { object } else { nil } }[...]
            after = listed.entries.last?.name ?? ""
            // An empty page, or the last one: what is in `page` still belongs to this bucket.
            if page.isEmpty { bucket = nil }
        }
    }
}
