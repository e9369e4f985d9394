internal import DiskFormat
internal import Metadata
internal import ObjectModel
internal import ObjectStorage
internal import SystemInterface

/// One salvage under way.
struct SalvageRun {
    private struct Job: Sendable {
        enum Source: Sendable {
            case version(VersionDetail)
            case unconfirmed(UnconfirmedObject)
        }

        var source: Source
        var entry: SalvageEntry
        var path: String
        /// Why it cannot be written there.
        var problem: String?
        /// What an earlier run wrote out of it.
        var written: ContentDigest?
    }

    private enum Outcome: Sendable {
        case extracted(SalvageEntry)
        /// What an earlier run wrote is there and right.
        case kept(ContentDigest, path: String)
    }

    private let options: SalvageOptions
    private let cluster: RecoveryCluster
    private let metadata: (any ReplicatedMetadata)?
    private let output: SalvageOutput?
    private let extractor: ObjectExtractor
    private var manifest: SalvageManifest?
    private var paths: SalvagePaths
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
        paths = SalvagePaths(ignoresCase: written?.ignoresCase ?? false)
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
                    return run.job(.version(detail), SalvageEntry(version), path)
                }
                return nil
            }
        }
        try await runUnconfirmed(onEntry: onEntry, progress: progress)
        try await manifest?.flush()
        try await supersede()
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
                    guard run.isWanted(object) else { continue }
                    return run.job(.unconfirmed(object), object.entry, object.path)
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

    private mutating func job(_ source: Job.Source, _ entry: SalvageEntry, _ path: String) -> Job {
        Job(
            source: source,
            entry: entry,
            path: path,
            problem: output == nil ? nil : paths.claim(path),
            written: manifest?.written(entry.fingerprint)
        )
    }

    private static func perform(
        _ job: Job,
        _ extractor: ObjectExtractor,
        _ output: SalvageOutput?
    ) async throws -> Outcome {
        if let problem = job.problem { return .extracted(job.entry.unwritten(problem)) }
        // Reading a file is cheaper than making it, and its length alone does not tell that it is right.
        if let written = job.written, let output,
            let sha256 = await output.sha256(of: job.path, length: job.entry.length),
            SalvageManifest.written(sha256, as: job.path) == written
        {
            return .kept(job.entry.fingerprint, path: job.path)
        }
        switch job.source {
        case .version(let detail): return .extracted(try await extractor.extract(detail, to: job.path))
        case .unconfirmed(let object): return .extracted(try await extractor.extract(object, to: job.path))
        }
    }

    private mutating func each(
        onEntry: (SalvageEntry) -> Void,
        progress: (SalvageReport) -> Void,
        _ next: (inout SalvageRun) async throws -> Job?
    ) async throws {
        let (extractor, output) = (extractor, output)
        try await withThrowingTaskGroup(of: Outcome.self) { group in
            var running = 0
            while let job = try await next(&self) {
                if running >= max(1, options.parallelism), let outcome = try await group.next() {
                    running -= 1
                    try await take(outcome, onEntry, progress)
                }
                group.addTask { try await Self.perform(job, extractor, output) }
                running += 1
            }
            for try await outcome in group { try await take(outcome, onEntry, progress) }
        }
    }

    private mutating func take(
        _ outcome: Outcome,
        _ onEntry: (SalvageEntry) -> Void,
        _ progress: (SalvageReport) -> Void
    ) async throws {
        switch outcome {
        case .extracted(let entry):
            report.count(entry)
            onEntry(entry)
            try await manifest?.append(entry)
        case .kept(let fingerprint, let path):
            report.skipped += 1
            manifest?.keep(fingerprint, at: path)
        }
        let now = cluster.time.monotonic
        guard now.duration(since: lastProgress) >= Self.progressInterval else { return }
        lastProgress = now
        progress(report)
    }

    // MARK: What earlier runs left

    /// Whether everything that there is was looked at: what an earlier run wrote and this one has not found is then
    /// deleted, overwritten or renamed by now.
    private var sawEverything: Bool {
        options.bucket == nil && options.prefix.isEmpty && options.since == nil
            && report.replay?.mayMissTail == false && report.laterBlobs == 0
    }

    /// After a run that saw everything, the manifest and the folders hold what this run vouches for, and nothing else.
    private mutating func supersede() async throws {
        guard let output else { return }
        if var manifest, manifest.isOfEarlierRun, sawEverything {
            try await manifest.leaveThisRun(in: output, pool: cluster.pool)
            self.manifest = manifest
            for folder in SalvageOutput.folders {
                try await output.supersede(below: folder) { [manifest] in manifest.names($0) }
            }
        }
        report.superseded = output.superseded.count
        report.supersededFolder = output.superseded.folder
        report.notMoved = output.superseded.left
    }
}
