internal import ClusterProtocol
internal import Coordination
internal import DiskFormat
internal import JournalStorage
package import Metadata
package import ObjectModel
internal import ShardStorage
package import SystemInterface

/// What lies where: `cairn inspect`. Read-only, also while a server runs on the disks; what that server writes
/// meanwhile may or may not be seen.
package struct Inspection: Sendable {
    private let time: any TimeSource
    private let random: any RandomSource
    private let pool = BufferPool(limit: Inspection.poolLimit)

    private static let poolLimit = 64 << 20

    package init(time: any TimeSource, random: any RandomSource) {
        self.time = time
        self.random = random
    }

    private func open(_ sources: [DiskSource], cluster: ClusterID? = nil) async throws(RecoveryError) -> RecoveryDisks {
        try await RecoveryDisks.open(sources, cluster: cluster, time: time, random: random, pool: pool)
    }

    private func openOne(_ source: DiskSource) async throws(RecoveryError) -> RecoveryDisk {
        let opened = try await open([source])
        guard let disk = opened.disks.first else { throw .noDisks(opened.ignored) }
        return disk
    }

    // MARK: One disk

    package func disk(_ source: DiskSource, listsShards: Bool = false) async throws(RecoveryError) -> InspectionReport {
        let disk = try await openOne(source)
        var report = InspectionReport()
        let identity = disk.identity
        report.add("path", disk.path)
        report.add("cluster", identity.cluster.description)
        report.add("disk", identity.disk.description)
        report.add("site", identity.site.name)
        report.add("node", identity.node.name)
        if let slot = identity.slot { report.add("slot", slot) }
        report.add("epoch", Int(identity.epoch))
        report.add("formatted", CivilTime.text(WallTime(milliseconds: identity.created)))
        do throws(ShardStorageError) {
            let figures = try await disk.shards.statistics()
            report.add("segments", figures.segmentCount)
            report.add("superseded segments", figures.supersededCount)
            report.add("shards", figures.shardCount)
            report.add("live bytes", figures.liveBytes)
            report.add("dead bytes", figures.deadBytes)
            report.add("capacity", figures.capacity)
        } catch {
            report.add("problem", error.description)
        }
        let recovery = disk.shards.recovery
        report.add("segments walked", recovery.walked)
        report.add("unsealed records", recovery.unsealed)
        report.add("damaged records", recovery.damaged.count)
        for rot in recovery.rot {
            report.add("rot", "segment \(rot.segment), bytes \(rot.range.lowerBound) to \(rot.range.upperBound)")
        }
        for name in recovery.unreadableSegments { report.add("unreadable segment", name) }
        report.add("journal", disk.journalProblem ?? disk.journalState.map { "ends at \($0.last)" } ?? "none")
        if listsShards { addShards(of: disk, to: &report) }
        return report
    }

    private func addShards(of disk: RecoveryDisk, to report: inout InspectionReport) {
        var rows: [[String]] = []
        var last: ShardID?
        while true {
            let page = disk.shards.inventory(after: last, limit: 1_024)
            rows += page.map {
                [$0.shard.description, String($0.bodyLength), String($0.segment), String($0.offset)]
            }
            guard let end = page.last else { break }
            last = end.shard
        }
        report.add("shard list", columns: ["shard", "bytes", "segment", "offset"], rows: rows)
    }

    // MARK: One shard

    package func shard(_ source: DiskSource, _ shard: ShardID) async throws(RecoveryError) -> InspectionReport {
        let disk = try await openOne(source)
        guard disk.shards.contains(shard) else { throw .notFound("shard \(shard) is not on \(disk.path)") }
        var report = InspectionReport()
        report.add("shard", shard.description)
        report.add("disk", disk.path)
        do throws(ShardStorageError) {
            let (header, trailer) = try await disk.shards.describe(shard)
            report.add("scheme", header.scheme.name)
            report.add("kind", Int(shard.index) < header.scheme.dataCount ? "data" : "parity")
            report.add("group", "\(header.group), epoch \(header.groupEpoch)")
            report.add("write stamp", Hexadecimal.text(header.writeStamp))
            report.add("body bytes", StripeGeometry(scheme: header.scheme, blobLength: trailer.blobLength).shardLength)
            report.add("blob bytes", trailer.blobLength)
            report.add("ingest digest", trailer.ingestDigest.description)
            report.add("frames", trailer.frames.count(storedLength: trailer.blobLength))
            report.add("coded frames", trailer.frames.isUniform ? "no" : "yes")
            report.add("data keys", trailer.dataKeys.count)
            if let objects = IdentityEvidence.objects(trailer.identity) {
                report.add(
                    "objects",
                    columns: ["bucket", "key", "offset", "length", "start", "upload", "part"],
                    rows: objects.map {
                        [
                            $0.bucket, $0.key, String($0.offset), String($0.length), String($0.start), $0.upload ?? "",
                            $0.part.map(String.init) ?? "",
                        ]
                    }
                )
            } else {
                report.add("identity", trailer.identity == nil ? "in other shards" : "cannot be read")
            }
        } catch {
            report.add("record", error.description)
        }
        report.add("verified", await Self.verify(shard, on: disk))
        return report
    }

    private static func verify(_ shard: ShardID, on disk: RecoveryDisk) async -> String {
        do throws(ShardStorageError) {
            switch try await disk.shards.verify(shard) {
            case .good: return "good"
            case .bad(let what): return "BAD: \(what)"
            }
        } catch {
            return "BAD: \(error.description)"
        }
    }

    // MARK: One object

    /// Where each shard of an object lies and whether it is good, read from the disks alone. `open` makes an empty
    /// metadata store for the time of the inspection.
    package func object(
        _ sources: [DiskSource],
        bucket: String,
        key: String,
        cluster wanted: ClusterID? = nil,
        open: (any JournalWriter) async throws -> any ReplicatedMetadata
    ) async throws(RecoveryError) -> InspectionReport {
        let opened = try await self.open(sources, cluster: wanted)
        let cluster = RecoveryCluster(opened, time: time, random: random, pool: pool)
        let contents = BlobContents(store: cluster.blobs)
        do {
            let metadata = try await open(ReadOnlyJournal())
            let replay = try await MetadataReplay(cluster, contents, isForced: true)
                .run(into: metadata)
            guard try await metadata.bucket(bucket) != nil,
                let detail = try await metadata.version(bucket: bucket, key: key)
            else { throw RecoveryError.notFound("the journal names no object \(bucket)/\(key)") }
            let groups = try await metadata.groups()
            let slots = try await metadata.disks()
            var report = Self.report(detail.version)
            if replay.mayMissTail { report.add("journal", "keepers are missing: there may be a newer version") }
            for disk in opened.ignored { report.add("ignored", "\(disk.path): \(disk.reason)") }
            var rows: [[String]] = []
            for id in Set(detail.version.extents.map(\.blob)).sorted() {
                guard let record = detail.blobs[id], let group = groups.first(where: { $0.id == record.group }) else {
                    continue
                }
                rows += await self.rows(cluster.find(record, scheme: group.scheme), record, group, slots, cluster)
            }
            report.add("shards", columns: ["blob", "shard", "placed on", "found on", "state"], rows: rows)
            return report
        } catch let error as RecoveryError {
            throw error
        } catch {
            throw .metadata("\(error)")
        }
    }

    private static func report(_ version: VersionRecord) -> InspectionReport {
        var report = InspectionReport()
        let entry = SalvageEntry(version)
        report.add("bucket", version.bucket)
        report.add("key", version.key)
        report.add("length", version.length)
        report.add("etag", version.eTag)
        report.add("modified", CivilTime.text(version.modified))
        report.add("content type", version.attributes.contentType)
        report.add("version number", entry.number.map(String.init))
        report.add(
            "extents",
            columns: ["blob", "first frame", "offset", "length"],
            rows: version.extents.map {
                [$0.blob.description, String($0.firstFrame), String($0.offset), String($0.length)]
            }
        )
        return report
    }

    private func rows(
        _ blob: FoundBlob,
        _ record: BlobRecord,
        _ group: GroupRecord,
        _ slots: [DiskRecord],
        _ cluster: RecoveryCluster
    ) async -> [[String]] {
        var rows: [[String]] = []
        for index in 0..<group.scheme.shardCount {
            let shard = ShardID(blob: blob.id, index: UInt8(index))
            let placed = index < group.members.count ? group.members[index] : nil
            let place = placed.map { id in slots.first { $0.id == id }?.name ?? id.description } ?? "?"
            let noted = record.missing.contains(UInt8(index)) ? "absent (noted for repair)" : "absent"
            let holders = cluster.holders(of: shard)
            if holders.isEmpty { rows.append([blob.id.description, String(index), place, "-", noted]) }
            for disk in holders {
                let state = await Self.verify(shard, on: disk)
                let surplus = disk.identity.disk == placed ? "" : " (surplus)"
                rows.append([blob.id.description, String(index), place, disk.path, state + surplus])
            }
        }
        return rows
    }

    // MARK: One journal

    package func journal(_ source: DiskSource, records limit: Int = 0) async throws(RecoveryError) -> InspectionReport {
        let disk = try await openOne(source)
        guard let state = disk.journalState, let log = disk.journal else {
            throw .notFound(disk.journalProblem ?? "\(disk.path) keeps no journal")
        }
        var report = InspectionReport()
        report.add("disk", disk.path)
        report.add("keeper", disk.identity.disk.description)
        report.add("promised incarnation", Int(state.promised))
        report.add("written incarnation", Int(state.written))
        report.add("base", state.base.description)
        report.add("last", state.last.description)
        report.add("records", Int(clamping: state.last.sequence - min(state.base.sequence, state.last.sequence)))
        for range in state.damaged { report.add("damaged", "\(range.lowerBound) to \(range.upperBound)") }
        if let reference = try? JournalReference(decoding: state.reference) {
            report.add("keeper set", "generation \(reference.keepers.generation), \(reference.keepers.quorum) needed")
            report.add("keepers", columns: ["disk"], rows: reference.keepers.keepers.map { [$0.description] })
            addCheckpoint(reference.checkpoint, to: &report)
        }
        if limit > 0 { try await addRecords(of: log, state, limit: limit, to: &report) }
        return report
    }

    private func addCheckpoint(_ bytes: [UInt8], to report: inout InspectionReport) {
        guard !bytes.isEmpty, let list = try? CheckpointList(decoding: bytes) else {
            report.add("checkpoint", bytes.isEmpty ? "none" : "its list cannot be read")
            return
        }
        report.add("checkpoint", list.position.description)
        report.add(
            "checkpoint blobs",
            columns: ["blob", "bytes", "digest"],
            rows: list.entries.map {
                let blob = CheckpointBlobReference.decode($0.reference)?.description ?? "?"
                return [blob, String($0.length), $0.digest.description]
            }
        )
    }

    /// The last records.
    private func addRecords(
        of log: KeeperLog,
        _ state: KeeperState,
        limit: Int,
        to report: inout InspectionReport
    ) async throws(RecoveryError) {
        var next = max(state.base.sequence, state.last.sequence - min(UInt64(limit), state.last.sequence)) + 1
        var rows: [[String]] = []
        while next <= state.last.sequence {
            do throws(KeeperError) {
                let records = try await log.read(from: next, limitBytes: 1 << 20)
                guard let last = records.last else { break }
                rows += records.map {
                    let kind = KeeperSetChange.isChange($0.payload) ? "keeper set" : "metadata"
                    return [$0.position.description, String($0.payload.count), kind]
                }
                next = last.position.sequence + 1
            } catch .damaged(let range) {
                rows.append(["\(range.lowerBound)-\(range.upperBound)", "", "DAMAGED"])
                guard range.upperBound > next, range.upperBound < .max else { break }
                next = range.upperBound
            } catch {
                throw .journal(error.description)
            }
        }
        report.add("last records", columns: ["position", "bytes", "kind"], rows: rows)
    }
}
