import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import SystemInterface
import TestKit
import Testing

/// Random operations on SQLite and in memory against the model, with crashes among them.
@Suite("Random operations")
struct RandomOperationsTests {
    @Test("SQLite, memory and the model agree, through crashes and lost tails", arguments: [1, 2, 3, 4] as [UInt64])
    func agree(seed: UInt64) async throws {
        var generator = SplitMix64(seed: seed)
        try await Shrinking.check((0..<250).map { _ in generator.next() }) { steps in
            try await withTemporaryDirectory { directory in
                var run = try await RandomRun(directory: directory)
                try await run.run(steps)
            }
        }
    }
}

/// One run of steps.
private struct RandomRun {
    private let directory: String
    /// Of the step: each draws from a seed of its own, so that one that is left out does not change the others.
    private var generator = SplitMix64(seed: 0)
    private var done: [String] = []
    private var model = Model()
    private var sqlite: JournaledMetadataStore
    private var memory: JournaledMetadataStore
    private let journal = FakeJournal()
    private let memoryJournal = FakeJournal()
    private var database = MemoryMetadataDatabase()
    /// The database in memory at each crash.
    private var older: [MemoryMetadataDatabase] = []
    private var path: String
    private var copies = 0
    private let lease: WriteLease
    private var sequence: UInt64 = 0
    private var uploads = 0
    private var disk: UInt64 = 100
    private var members = Array(Sample.disks.prefix(6))
    private var epoch: UInt32 = 1
    private var since: [UInt32] = Array(repeating: 0, count: 6)
    private var former: [UInt8: DiskID] = [:]

    init(directory: String) async throws {
        self.directory = directory
        path = directory + "/0.sqlite"
        sqlite = try await .openSQLite(path: path, journal: journal)
        memory = .inMemory(database, journal: memoryJournal)
        lease = try await sqlite.prepare()
        _ = try await memory.prepare()
    }

    private mutating func number(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }
    private mutating func key() -> String {
        ["a", "a/1", "a/2", "b", "\u{e9}", "\u{10000}", "z/\u{0}", "z"][number(8)]
    }

    func check(_ step: Int) async throws {
        try await model.check(sqlite, "SQLite at \(step)")
        try await model.check(memory, "memory at \(step)")
        try expect(journal.records == memoryJournal.records, "the journals differ at \(step)")
    }

    private mutating func blob() -> BlobRecord {
        sequence += 1
        let missing = number(4) == 0 ? [UInt8(number(6))] : []
        var blob = shaped(missing)
        if number(3) == 0 { blob.groupEpoch = epoch - min(epoch, UInt32(number(3))) }
        // One that too few shards are left of would be refused.
        if stored(blob).missing.count > 1 { blob.groupEpoch = nil }
        return blob
    }

    /// As it must be once it is committed.
    private func stored(_ blob: BlobRecord) -> BlobRecord {
        var result = blob
        result.groupEpoch = nil
        for place in UInt8(0)..<6 where !blob.missing.contains(place) && since[Int(place)] > blob.groupEpoch ?? .max {
            if former[place] == nil { result.missing.append(place) } else { result.moving.append(place) }
        }
        result.missing.sort()
        return result
    }

    private mutating func shaped(_ missing: [UInt8]) -> BlobRecord {
        if number(2) == 0 {
            let frames = (0..<1 + number(4)).map { _ in Frame(logicalLength: 60, storedLength: 40, codec: .lz4) }
            return Sample.blob(lease, sequence, length: frames.count * 40, frames: .explicit(frames), missing: missing)
        }
        let length = 1 + number(3) * Limits.frameLength + number(2) * 77
        return Sample.blob(lease, sequence, length: length, missing: missing)
    }

    /// Some of a blob's bytes, not always from its beginning.
    private mutating func extent(_ blob: BlobRecord) -> Extent {
        let count = blob.frames.count(storedLength: blob.length)
        let first = number(count)
        let room = (first..<count).reduce(0) {
            $0 + (blob.frames.frame($1, storedLength: blob.length)?.frame.logicalLength ?? 0)
        }
        let offset = number(room)
        return Extent(blob: blob.id, firstFrame: first, offset: offset, length: 1 + number(room - offset))
    }

    mutating func run(_ steps: [UInt64]) async throws {
        do {
            for (number, step) in steps.enumerated() {
                generator = SplitMix64(seed: step)
                let kind = Kind.weighted[self.number(Kind.weighted.count)]
                done.append(kind.rawValue)
                try await take(kind)
                if number % 5 == 0 { try await check(number) }
            }
            try await check(steps.count)
        } catch {
            throw Violation(description: "\(error), after \(done.joined(separator: ", "))")
        }
    }

    private enum Kind: String {
        case write, copy, delete, part, end, damage, move, forget, replace, shift, settle, classify, crash

        /// The more often, the likelier.
        static let weighted: [Self] = [
            .write, .write, .write, .write, .copy, .delete, .delete, .part, .end, .damage, .move, .forget, .replace,
            .shift, .shift, .settle, .settle, .classify, .classify, .crash,
        ]
    }

    private mutating func take(_ kind: Kind) async throws {
        switch kind {
        case .write: try await write()
        case .copy: try await copy()
        case .delete: try await delete()
        case .part: try await part()
        case .end: try await end()
        case .damage: try await damage()
        case .move: try await move()
        case .forget: try await forget()
        case .replace: try await replace()
        case .shift: try await shift()
        case .settle: try await settle()
        case .classify: try await classify()
        case .crash: try await crash()
        }
    }

    private mutating func commit(_ blobs: [BlobRecord], _ versions: [(VersionRecord, WriteCondition)]) async throws {
        let transaction = WriteTransaction(
            lease: blobs.isEmpty ? nil : lease,
            blobs: blobs,
            writes: versions.map { .version($0.0, $0.1) }
        )
        let left = try await sqlite.commit(transaction)
        let right = try await memory.commit(transaction)
        for (index, (version, condition)) in versions.enumerated() {
            let old = model.versions[version.key]
            let holds =
                switch condition {
                case .none: true
                case .isAbsent: old == nil
                case .matches(let tag): old?.eTag == tag
                case .differs(let tag): old?.eTag != tag
                }
            let numbers = (try? left[index].get().number, try? right[index].get().number)
            try expect((numbers.0 != nil) == holds && numbers.0 == numbers.1, "\(version.key): \(left[index])")
            guard let number = numbers.0 else { continue }
            try expect(number > old?.number ?? 0, "number \(number)")
            var stored = version
            stored.number = number
            model.versions[version.key] = stored
            for blob in blobs where version.extents.contains(where: { $0.blob == blob.id }) {
                model.blobs[blob.id] = self.stored(blob)
            }
        }
    }

    private mutating func write() async throws {
        var versions: [(VersionRecord, WriteCondition)] = []
        let blob = blob()
        for _ in 0...number(3) {
            let tag = "tag\(number(3))"
            let conditions: [WriteCondition] = [.none, .none, .isAbsent, .matches("tag1"), .differs("tag2")]
            versions.append((Sample.version("b", key(), [extent(blob)], eTag: tag), conditions[number(5)]))
        }
        try await commit([blob], versions)
    }

    private mutating func copy() async throws {
        guard let source = model.versions.sorted(by: { $0.value.number < $1.value.number }).first?.value else { return }
        try await commit([], [(Sample.version("b", key(), source.extents, eTag: source.eTag), .none)])
    }

    private mutating func delete() async throws {
        let requests = (0...number(3)).map { _ in DeleteRequest(bucket: "b", key: key()) }
        let left = try await sqlite.delete(bucket: "b", requests).map { try $0.get().existed }
        let right = try await memory.delete(bucket: "b", requests).map { try $0.get().existed }
        let expected = requests.map { model.versions.removeValue(forKey: $0.key) != nil }
        try expect(left == expected && right == expected, "deletes")
    }

    private mutating func part() async throws {
        if model.parts.isEmpty || number(4) == 0 {
            uploads += 1
            let upload = Sample.upload("b", "up", "u\(uploads)", created: Int64(number(9)))
            try await sqlite.createUpload(upload)
            try await memory.createUpload(upload)
            model.parts["u\(uploads)"] = [:]
        }
        guard let upload = model.parts.keys.sorted().last else { return }
        let blob = blob()
        let part = Sample.part(upload, 1 + number(3), [extent(blob)])
        let transaction = WriteTransaction(
            lease: lease,
            blobs: [blob],
            writes: [.part(part, bucket: "b", key: "up")]
        )
        for outcome in try await sqlite.commit(transaction) + memory.commit(transaction) { _ = try outcome.get() }
        model.parts[upload]?[part.summary.number] = part
        model.blobs[blob.id] = stored(blob)
    }

    private mutating func end() async throws {
        guard let upload = model.parts.keys.sorted().first, let parts = model.parts[upload] else { return }
        let chosen = parts.sorted { $0.key < $1.key }.map(\.value).prefix(1 + number(2))
        guard number(3) > 0, !chosen.isEmpty else {
            try await sqlite.abortUpload(bucket: "b", key: "up", id: UploadID(upload))
            try await memory.abortUpload(bucket: "b", key: "up", id: UploadID(upload))
            model.parts[upload] = nil
            return
        }
        let transaction = CompleteTransaction(
            request: CompleteUploadRequest(
                bucket: "b",
                key: "up",
                upload: UploadID(upload),
                parts: chosen.map { .init(number: $0.summary.number, eTag: $0.summary.eTag) }
            ),
            modified: WallTime(milliseconds: 5),
            eTag: "all",
            checksum: nil,
            parts: Array(chosen)
        )
        let number = try await sqlite.complete(transaction).number
        try expect(try await memory.complete(transaction).number == number, "number")
        var version = Sample.version("b", "up", chosen.flatMap(\.extents), eTag: "all")
        version.number = number
        version.modified = WallTime(milliseconds: 5)
        version.parts = chosen.map(\.summary)
        version.madeBy = UploadID(upload)
        version.attributes = Sample.upload("b", "up", "").upload.attributes
        version.tags = Sample.upload("b", "up", "").tags
        model.versions["up"] = version
        model.parts[upload] = nil
    }

    private mutating func damage() async throws {
        guard let blob = model.live.randomElement(using: &generator) else { return }
        let shard = ShardID(blob: blob.id, index: UInt8(number(6)))
        var missing = Set(blob.missing)
        if number(2) == 0 {
            try await sqlite.markMissing(wherePlaced: [shard])
            try await memory.markMissing(wherePlaced: [shard])
            missing.insert(shard.index)
        } else {
            try expect(try await sqlite.registerShard(shard, groupEpoch: epoch), "registered")
            try expect(try await memory.registerShard(shard, groupEpoch: epoch), "registered")
            missing.remove(shard.index)
        }
        model.blobs[blob.id]?.missing = missing.sorted()
        model.blobs[blob.id]?.moving.removeAll { $0 == shard.index }
    }

    private mutating func move() async throws {
        guard let version = model.versions.values.sorted(by: { $0.number < $1.number }).last, version.length > 0 else {
            return
        }
        sequence += 1
        let target = Sample.blob(lease, sequence, length: version.length)
        let isStale = number(3) == 0
        let owner = MoveTransaction.Move.Owner.version(
            bucket: "b",
            key: version.key,
            number: version.number - (isStale ? 1 : 0)
        )
        let transaction = MoveTransaction(
            lease: lease,
            blobs: [target],
            moves: [.init(owner: owner, before: version.extents, after: [Sample.extent(target)])]
        )
        try expect(try await sqlite.move(transaction) == [!isStale], "move")
        try expect(try await memory.move(transaction) == [!isStale], "move")
        guard !isStale else { return }
        model.blobs[target.id] = target
        model.versions[version.key]?.extents = [Sample.extent(target)]
    }

    private mutating func forget() async throws {
        let ids = model.dead.prefix(2).map(\.id) + model.live.prefix(1).map(\.id)
        try await sqlite.forgetBlobs(ids)
        try await memory.forgetBlobs(ids)
        for id in model.dead.prefix(2).map(\.id) { model.blobs[id] = nil }
    }

    private mutating func newDisk() -> DiskID {
        disk += 1
        return DiskID(Identifier128(high: 8, low: disk))
    }

    /// A member, or the disk that a place is being moved from, is lost and replaced.
    private mutating func replace() async throws {
        let place = UInt8(number(6))
        let lost = number(2) == 0 ? former[place] : nil
        let old = lost ?? members[Int(place)]
        let new = newDisk()
        try await sqlite.replaceMember(old, with: new)
        try await memory.replaceMember(old, with: new)
        epoch += 1
        for blob in model.live where blob.moving.contains(place) == (lost != nil) {
            model.blobs[blob.id]?.missing = Set(blob.missing).union([place]).sorted()
            model.blobs[blob.id]?.moving.removeAll { $0 == place }
        }
        if lost != nil {
            former[place] = nil
        } else {
            members[Int(place)] = new
            since[Int(place)] = epoch
        }
    }

    /// A place is moved to another disk, or back.
    private mutating func shift() async throws {
        let place = UInt8(number(6))
        let new = former[place] ?? newDisk()
        try await sqlite.moveMembers([GroupID(1): [place: new]])
        try await memory.moveMembers([GroupID(1): [place: new]])
        former[place] = members[Int(place)]
        members[Int(place)] = new
        epoch += 1
        since[Int(place)] = epoch
        for blob in model.live where !blob.missing.contains(place) {
            let isMoving = blob.moving.contains(place)
            model.blobs[blob.id]?.moving =
                isMoving ? blob.moving.filter { $0 != place } : (blob.moving + [place]).sorted()
        }
    }

    /// Some shards are moved; places of which all are end.
    private mutating func settle() async throws {
        for moving in model.moving where number(4) > 0 {
            try expect(try await sqlite.registerShard(moving.shard, groupEpoch: epoch), "registered")
            try expect(try await memory.registerShard(moving.shard, groupEpoch: epoch), "registered")
            model.blobs[moving.shard.blob]?.moving.removeAll { $0 == moving.shard.index }
        }
        let open = Set(model.moving.map(\.shard.index))
        let ended = former.keys.filter { !open.contains($0) }
        let sqliteEnds = try await sqlite.finishedMoves()
        try expect(Set(sqliteEnds[GroupID(1)] ?? []) == Set(ended), "finished")
        try expect(try await sqlite.endMoves(sqliteEnds) == ended.count, "ended")
        let memoryEnds = try await memory.finishedMoves()
        try expect(Set(memoryEnds[GroupID(1)] ?? []) == Set(ended), "finished")
        try expect(try await memory.endMoves(memoryEnds) == ended.count, "ended")
        for place in ended { former[place] = nil }
        let group = try await sqlite.groups().first { $0.id == GroupID(1) }
        try expect(
            group?.members == members && group?.former == former && group?.epoch == epoch && group?.since == since,
            "group \(String(describing: group)), not \(members), \(former), \(epoch), \(since)"
        )
    }

    /// Classes come and go, and become the bucket's default.
    private mutating func classify() async throws {
        let name = ["COLD", "DEEP", "HOT"][number(3)]
        let scheme = try Sample.scheme()
        switch number(3) {
        case 0:
            let item = StorageClass(name: name, scheme: scheme)
            try await sqlite.addClass(item, groups: [])
            try await memory.addClass(item, groups: [])
            model.classes[name] = scheme
        case 1:
            let isFree = model.classes[name] != nil && model.bucketClass != name
            let left = await code { [sqlite] in try await sqlite.removeClass(name) }
            let right = await code { [memory] in try await memory.removeClass(name) }
            try expect(left == (isFree ? nil : .invalidArgument) && left == right, "removal of \(name)")
            if isFree { model.classes[name] = nil }
        default:
            let wanted = number(3) == 0 ? nil : name
            let isThere = wanted.map { model.classes[$0] != nil } ?? true
            let left = await code { [sqlite] in try await sqlite.setBucketClass("b", wanted) }
            let right = await code { [memory] in try await memory.setBucketClass("b", wanted) }
            try expect(left == (isThere ? nil : .invalidArgument) && left == right, "default \(wanted ?? "none")")
            if isThere { model.bucketClass = wanted }
        }
    }

    /// A start after a crash: on what is there, or on what was there at an earlier crash. The journal has it all.
    private mutating func crash() async throws {
        copies += 1
        let saved = directory + "/\(copies).saved"
        try Files.copyDatabase(path, to: saved)
        path = directory + "/\(copies).sqlite"
        try Files.copyDatabase(directory + "/\(number(2) == 0 ? copies : 1 + number(copies)).saved", to: path)
        sqlite = try await .openSQLite(path: path, journal: journal)
        older.append(database.copy())
        if number(3) == 0 { try await memory.makeDurable() }
        if number(2) > 0 { database = database.fallingBack(to: older[number(older.count)]) }
        memory = .inMemory(database, journal: memoryJournal)
        try await sqlite.apply(journal.records)
        try await memory.apply(memoryJournal.records)
    }
}
