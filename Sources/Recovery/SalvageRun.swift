internal import DiskFormat
internal import Metadata
internal import ObjectModel
internal import ObjectStorage
internal import SystemInterface

/// One salvage under way.
struct SalvageRun {
    private enum Job: Sendable {
        case version(VersionDetail, path: String)
        case unconfirmed(UnconfirmedObject)
    }

    private let options: SalvageOptions
    private let cluster: RecoveryCluster
    private let metadata: (any ReplicatedMetadata)?
    private let output: SalvageOutput?
    private let extractor: ObjectExtractor
    private var manifest: SalvageManifest?
    private var lastProgress: MonotonicTime
    private(set) var report: SalvageReport

    private static let progressInterval = Duration.seconds(1)

    init(
        options: SalvageOptions,
        cluster: RecoveryCluster,
        contents: BlobContents,
        output: (any FileSystem)?,
        metadata: (any ReplicatedMetadata)?,
        report: SalvageReport
    ) async throws {
        self.options = options
        self.cluster = cluster
        self.metadata = metadata
        self.report = report
        var written: SalvageOutput?
        if options.mode == .extract, let output {
            written = try await SalvageOutput(output)
            manifest = try await SalvageManifest(output)
        }
        self.output = written
        var schemes: [GroupID: Scheme] = [:]
        for group in try await metadata?.groups() ?? [] { schemes[group.id] = group.scheme }
        extractor = ObjectExtractor(
            cluster: cluster,
            contents: contents,
            output: written,
            isListing: options.mode == .list,
            schemes: schemes
        )
        lastProgress = cluster.time.monotonic
    }

    mutating func run(onEntry: (SalvageEntry) -> Void, progress: (SalvageReport) -> Void) async throws {
        if let metadata {
            var objects = try await ObjectWalk(metadata, options)
            try await each(onEntry: onEntry, progress: progress) { run in
                while let (detail, isAlsoFolder) = try await objects.next() {
                    let version = detail.version
                    let path =
                        "objects/\(SafeName.piece(version.bucket))/"
                        + SafeName.path(version.key, isAlsoFolder: isAlsoFolder)
                    if await run.isDone(SalvageEntry(version), path) { continue }
                    return .version(detail, path: path)
                }
                return nil
            }
        }
        try await runUnconfirmed(onEntry: onEntry, progress: progress)
        try await manifest?.flush()
        progress(report)
        try await output?.write(report.text + "\n", to: "report.txt")
        try await output?.write(report.json.encoded(indent: 2) + "\n", to: "report.json")
    }

    // MARK: What only the shards know

    private mutating func runUnconfirmed(
        onEntry: (SalvageEntry) -> Void,
        progress: (SalvageReport) -> Void
    ) async throws {
        var filter: UncommittedBlobs?
        if let metadata {
            filter = try await UncommittedBlobs(metadata, isTailComplete: report.replay?.mayMissTail == false)
        }
        var walk = BlobWalk(cluster)
        var assembler = UnconfirmedAssembler()
        var ready: [UnconfirmedObject] = []
        var isFinished = false
        try await each(onEntry: onEntry, progress: progress) { run in
            while true {
                while let object = ready.popLast() {
                    guard run.isWanted(object), await !run.isDone(object.entry, object.path) else { continue }
                    return .unconfirmed(object)
                }
                if let blob = walk.next() {
                    ready = try await run.evidence(blob, filter: filter, &assembler)
                } else if !isFinished {
                    isFinished = true
                    ready = assembler.finish().reversed()
                } else {
                    return nil
                }
            }
        }
    }

    /// What a blob adds to the unconfirmed objects.
    private mutating func evidence(
        _ blob: BlobID,
        filter: UncommittedBlobs?,
        _ assembler: inout UnconfirmedAssembler
    ) async throws -> [UnconfirmedObject] {
        if let filter, let metadata {
            if filter.isLater(blob) { report.laterBlobs += 1 }
            guard try await filter.mayMatter(blob, in: metadata) else { return [] }
        }
        guard let found = await cluster.find(blob) else {
            report.unreadableBlobs += 1
            return []
        }
        // Of an upload that was broken off, or of what was erased, less is left than a reader needs.
        if filter != nil, !found.isReadable {
            report.abandonedBlobs += 1
            return []
        }
        guard let objects = IdentityEvidence.objects(found.identity) else {
            return [UnconfirmedAssembler.unnamed(blob)]
        }
        if objects.contains(where: { $0.bucket == ObjectStore.systemBucket }) {
            report.systemBlobs += 1
            return []
        }
        return assembler.add(blob, objects)
    }

    private func isWanted(_ object: UnconfirmedObject) -> Bool {
        let entry = object.entry
        // What nobody can name is left out as soon as something is asked for by name.
        if entry.bucket.isEmpty { return options.bucket == nil && options.prefix.isEmpty }
        let isInBucket = options.bucket == nil || options.bucket == entry.bucket
        return isInBucket && entry.key.utf8.starts(with: options.prefix.utf8)
    }

    // MARK: Work

    /// Whether an earlier run wrote it out and the file is there.
    private mutating func isDone(_ entry: SalvageEntry, _ path: String) async -> Bool {
        guard let manifest, let output, manifest.finished.contains(entry.fingerprint),
            await output.has(path, length: entry.length)
        else { return false }
        report.skipped += 1
        return true
    }

    private mutating func each(
        onEntry: (SalvageEntry) -> Void,
        progress: (SalvageReport) -> Void,
        _ next: (inout SalvageRun) async throws -> Job?
    ) async throws {
        let extractor = extractor
        try await withThrowingTaskGroup(of: SalvageEntry.self) { group in
            var running = 0
            while let job = try await next(&self) {
                if running >= max(1, options.parallelism), let entry = try await group.next() {
                    running -= 1
                    try await take(entry, onEntry, progress)
                }
                group.addTask {
                    switch job {
                    case .version(let detail, let path): try await extractor.extract(detail, to: path)
                    case .unconfirmed(let object): try await extractor.extract(object, to: object.path)
                    }
                }
                running += 1
            }
            for try await entry in group { try await take(entry, onEntry, progress) }
        }
    }

    private mutating func take(
        _ entry: SalvageEntry,
        _ onEntry: (SalvageEntry) -> Void,
        _ progress: (SalvageReport) -> Void
    ) async throws {
        report.count(entry)
        onEntry(entry)
        try await manifest?.append(entry)
        let now = cluster.time.monotonic
        guard now.duration(since: lastProgress) >= Self.progressInterval else { return }
        lastProgress = now
        progress(report)
    }
}
