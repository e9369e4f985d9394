import Checksums
import Coordination
import LinuxSystem
import Metadata
import ObjectInterface
import ObjectModel
import Recovery
import ShardStorage
import Synchronization
import SystemInterface
import TestKit

/// A store with objects of every kind, what they must come out as, and salvage runs over copies of its disks.
struct RecoveryHarness {
    static let bucket = StoreHarness.bucket
    /// Keys that no file name can take as they are.
    static let oddKeys = [
        "a", "a/b", "a/b/c", "..", "../x", "./y", "//", "/lead", "dir/", "x\u{1}\u{7F}y", "100%", "%2F", "a%=",
        "é/ü z",
        String(repeating: "k", count: 1_024), String(repeating: "\u{2}", count: 1_024),
        String(repeating: "/", count: 1_024), String(repeating: "/", count: 749),
        String(repeating: "n", count: 200) + "/z", String(repeating: "n", count: 201) + "/z",
    ]

    let store: StoreHarness
    /// What is current.
    var current: [String: [UInt8]] = [:]

    /// One filled store for the tests that only copy its disks.
    static let shared = Task { try await fill() }

    /// Packed small objects with odd keys, large ones of several stripes, an upload in parts, overwritten, copied,
    /// tagged and deleted ones.
    static func fill(seed: UInt64 = 1) async throws -> RecoveryHarness {
        var harness = RecoveryHarness(store: try await StoreHarness.open(seed: seed))
        let store = harness.store
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (place, key) in oddKeys.enumerated() {
                group.addTask { try await store.put(key, Content.random(700 + place)) }
            }
            try await group.waitForAll()
        }
        for (place, key) in oddKeys.enumerated() { harness.current[key] = Content.random(700 + place) }
        try await harness.put("large", Content.random((4 << 20) + 77_777))
        try await harness.put("soft", Content.compressible(600_000))
        try await harness.put("empty", [])
        try await harness.put("over", Content.random(900_000, seed: 3))
        try await harness.put("over", Content.random(800_000, seed: 4))
        try await store.put("gone", Content.random(500_000, seed: 5))
        try await store.delete("gone")
        try await harness.upload("parts")
        _ = try await store.objects.copy(
            CopyRequest(
                sourceBucket: bucket,
                sourceKey: "large",
                bucket: bucket,
                key: "copy",
                owner: StoreHarness.owner
            )
        )
        harness.current["copy"] = harness.current["large"]
        try await store.objects.putTags(
            bucket: bucket,
            key: "soft",
            version: .current,
            tags: [ObjectTag(key: "study", value: "1.2\"3")]
        )
        return harness
    }

    mutating func put(_ key: String, _ bytes: [UInt8]) async throws {
        try await store.put(key, bytes)
        current[key] = bytes
    }

    private mutating func upload(_ key: String) async throws {
        let upload = try await store.objects.createUpload(
            CreateUploadRequest(
                bucket: Self.bucket,
                key: key,
                owner: StoreHarness.owner,
                attributes: ObjectAttributes(contentType: "application/dicom")
            )
        )
        let contents = [Content.random(5 << 20, seed: 11), Content.random(100_000, seed: 12)]
        var parts: [CompleteUploadRequest.Part] = []
        for (place, bytes) in contents.enumerated() {
            let part = try await store.objects.uploadPart(
                UploadPartRequest(
                    bucket: Self.bucket,
                    key: key,
                    upload: upload.id,
                    partNumber: place + 1,
                    length: bytes.count
                ),
                body: ArrayBody(bytes)
            )
            parts.append(CompleteUploadRequest.Part(number: place + 1, eTag: part.eTag))
        }
        _ = try await store.objects.completeUpload(
            CompleteUploadRequest(bucket: Self.bucket, key: key, upload: upload.id, parts: parts)
        )
        current[key] = contents.flatMap { $0 }
    }

    // MARK: Disks

    /// Copies of the disks as they are now, without those of `lost`.
    func disks(without lost: Set<Int> = []) -> [(path: String, disk: MemoryDisk)] {
        store.disks.indices.filter { !lost.contains($0) }.map { (StoreHarness.name($0), store.disk($0).copy()) }
    }

    static func sources(_ disks: [(path: String, disk: MemoryDisk)]) -> [DiskSource] {
        disks.map { DiskSource(path: $0.path, files: $0.disk.mount()) }
    }

    /// The slots of the disks that keep a journal.
    func keeperSlots() async -> [Int] {
        var slots: [Int] = []
        for slot in store.disks.indices where (try? await store.disk(slot).mount().status(DiskFolder.journal)) != nil {
            slots.append(slot)
        }
        return slots
    }

    /// Removes the journal log from a disk.
    static func removeJournal(_ disk: MemoryDisk) async throws {
        let files = disk.mount()
        guard try await files.status(DiskFolder.journal) != nil else { return }
        for name in try await files.list(DiskFolder.journal) { try await files.remove("\(DiskFolder.journal)/\(name)") }
        try await files.remove(DiskFolder.journal)
    }

    // MARK: Salvage

    struct Outcome {
        var report: SalvageReport
        var entries: [SalvageEntry]
        var output: MemoryDisk

        func entry(_ key: String) -> SalvageEntry? { entries.first { $0.key == key } }
    }

    static func salvage(
        _ disks: [(path: String, disk: MemoryDisk)],
        options: SalvageOptions = SalvageOptions(),
        into output: MemoryDisk = MemoryDisk()
    ) async throws -> Outcome {
        var entries: [SalvageEntry] = []
        let report = try await Salvage(disks: sources(disks), options: options).run(
            output: output.mount(),
            time: LinuxTime(),
            random: SeededRandom(seed: 9),
            open: { JournaledMetadataStore.inMemory(journal: $0) },
            onEntry: { entries.append($0) }
        )
        return Outcome(report: report, entries: entries, output: output)
    }

    /// The files that a manifest names, by key; of a key with several lines, a name that no file has.
    static func manifest(of output: MemoryDisk) async throws -> [String: String] {
        let lines = try await read("manifest.jsonl", of: output).split(separator: UInt8(ascii: "\n"))
        return Dictionary(
            lines.compactMap { JSONValue(parsing: $0) }.map { ($0["key"]?.string ?? "", $0["file"]?.string ?? "") },
            uniquingKeysWith: { first, second in first + " and " + second }
        )
    }

    static func read(_ path: String, of disk: MemoryDisk) async throws -> [UInt8] {
        let file = try await disk.mount().open(path, .read)
        let length = try await file.length()
        let buffer = AlignedBuffer(capacity: max(length, 1))
        let count = try await file.read(into: buffer, at: 0, count: length, from: 0)
        return Array(buffer.mutableBytes[..<count])
    }

    /// Keys that came out and should not have, or the other way round.
    func unexpected(in outcome: Outcome) -> [String] {
        Set(outcome.entries.map(\.key)).symmetricDifference(current.keys).map { String($0.prefix(40)) }.sorted()
    }

    /// The keys whose file is missing or has other bytes.
    func wrong(in outcome: Outcome) async throws -> [String] {
        var wrong: [String] = []
        for (key, bytes) in current.sorted(by: { $0.key < $1.key }) {
            guard let entry = outcome.entry(key), let path = entry.file, entry.state != .lost,
                try await Self.read(path, of: outcome.output) == bytes,
                entry.sha256 == Hexadecimal.text(MessageDigest.sha256.digest(bytes))
            else {
                wrong.append(String(key.prefix(40)))
                continue
            }
        }
        return wrong
    }
}
