import AdminGateway
import Coordination
import Metadata
import ObjectModel
import SystemInterface

/// The operator's words on the scrub.
extension StoreAdmin {
    func scrub() async throws(AdminError) -> ScrubReport {
        do { return try await ScrubAssembly(store: store).report() } catch { throw failed(error) }
    }

    func startScrub(_ target: ScrubTarget) async throws(AdminError) -> ScrubAnswer {
        await store.scrubber.load()
        if let bucket = target.bucket { return try await startScrub(bucket: bucket) }
        let disks = try await disks(of: target)
        guard store.scrubber.start(Set(disks.map(\.id))) else { throw Self.isPaused }
        return ScrubAnswer(text: "Reading begun: \(Self.names(disks)).")
    }

    private func startScrub(bucket: String) async throws(AdminError) -> ScrubAnswer {
        let found: Bool
        do { found = try await store.metadata.bucket(bucket) != nil } catch { throw failed(error) }
        guard found else { throw AdminError(.notFound, "there is no bucket \(bucket)") }
        guard store.scrubber.start(bucket: bucket) else {
            guard !store.scrubber.status.isPaused else { throw Self.isPaused }
            throw AdminError(
                .conflict,
                "a bucket is being read already",
                advice: "`cairn admin scrub status` shows how far it is."
            )
        }
        return ScrubAnswer(text: "Reading begun: what the objects in \(bucket) have on any disk.")
    }

    /// Durable on return, or an error.
    func pauseScrub(_ target: ScrubTarget) async throws(AdminError) -> ScrubAnswer {
        await store.scrubber.load()
        guard !target.isEverything else {
            store.scrubber.pause()
            try await keepScrub()
            return ScrubAnswer(text: "The scrub is paused until: cairn admin scrub resume")
        }
        let disks = try await disks(of: target)
        store.scrubber.pause(Set(disks.map(\.id)))
        try await keepScrub()
        return ScrubAnswer(text: "The scrub is paused on \(Self.names(disks)) until: cairn admin scrub resume")
    }

    /// Durable on return, or an error.
    func resumeScrub(_ target: ScrubTarget) async throws(AdminError) -> ScrubAnswer {
        await store.scrubber.load()
        guard !target.isEverything else {
            store.scrubber.resume()
            try await keepScrub()
            return ScrubAnswer(text: "The scrub goes on where it was.")
        }
        let disks = try await disks(of: target)
        store.scrubber.resume(Set(disks.map(\.id)))
        try await keepScrub()
        let isPaused = store.scrubber.status.isPaused
        return ScrubAnswer(
            text: "The scrub goes on where it was on \(Self.names(disks))"
                + (isPaused ? ", once it is resumed everywhere: cairn admin scrub resume" : ".")
        )
    }

    private func keepScrub() async throws(AdminError) {
        guard await store.scrubber.keep() else { throw .notKept(store.scrubber.status.problem) }
    }

    private static var isPaused: AdminError {
        AdminError(.conflict, "the scrub is paused there", advice: "`cairn admin scrub resume` lets it read.")
    }

    private static func names(_ disks: [DiskRecord]) -> String {
        disks.sorted(by: ScrubAssembly.isBefore).map(\.name).joined(separator: ", ")
    }

    /// Those of a node, or the one that is named; never none.
    private func disks(of target: ScrubTarget) async throws(AdminError) -> [DiskRecord] {
        let all: [DiskRecord]
        do {
            all = try await store.metadata.disks().filter { $0.state == .active }
        } catch {
            throw failed(error)
        }
        if let node = target.node {
            let disks = all.filter { $0.isOf(node: node) }
            guard !disks.isEmpty else {
                throw AdminError(.notFound, "no node is called \(node)", advice: "`cairn admin status` lists the disks")
            }
            return disks
        }
        guard let name = target.disk else { throw AdminError(.badRequest, "name a disk, a node or a bucket") }
        let id = try await disk(named: name).record.id
        return all.filter { $0.id == id }
    }

    private func failed(_ error: any Error) -> AdminError { AdminError(.failed, "\(error)") }
}

/// Puts the scrub's own picture into the operator's report.
struct ScrubAssembly {
    let store: Store

    func report() async throws -> ScrubReport {
        let status = store.scrubber.status
        var report = ScrubReport()
        report.paused = status.isPaused
        report.days = Self.days(status.settings.period)
        report.codingDays = Self.days(status.settings.codingPeriod)
        report.oldestUnverified = status.oldestSeconds
        report.oldestUncoded = status.stripes.oldestSeconds
        report.lastCoding = status.stripes.lastEnded.map { Int($0.milliseconds / 1_000) }
        report.codingActive = status.stripes.started != nil
        (report.codingBytesDone, report.codingBytes) = (status.stripes.bytesDone, status.stripes.bytes)
        report.damagedObjects = try await store.damagedObjects()
        report.problem = status.problem
        report.disks = try await store.metadata.disks().filter { $0.state == .active }.sorted(by: Self.isBefore)
            .compactMap { record in status.disks[record.id].map { Self.disk($0, record) } }
        report.bucket = status.bucket.map { job in
            ScrubReport.Bucket(
                name: job.bucket,
                active: job.ended == nil,
                objects: job.objects,
                shards: job.shards,
                badShards: job.bad,
                absentShards: job.absent,
                unreadShards: job.skipped
            )
        }
        return report
    }

    private static func days(_ duration: Duration) -> Int { Int(duration.components.seconds / 86_400) }

    /// `disk-2` before `disk-10`.
    static func isBefore(_ left: DiskRecord, _ right: DiskRecord) -> Bool {
        (left.site.name, left.node.name, left.slot.utf8.count, left.slot)
            < (right.site.name, right.node.name, right.slot.utf8.count, right.slot)
    }

    private static func disk(_ walk: ScrubStatus.Walk, _ record: DiskRecord) -> ScrubReport.Disk {
        ScrubReport.Disk(
            place: record.name,
            id: record.id.description,
            oldestUnverified: walk.oldestSeconds,
            active: walk.started != nil,
            asked: walk.isUrgent,
            bytesDone: walk.bytesDone,
            bytes: walk.bytes,
            rate: walk.rate,
            paused: walk.isPaused,
            waiting: walk.isWaiting,
            badShards: walk.bad,
            absentShards: walk.absent,
            unreadShards: walk.skipped,
            lastPass: walk.lastEnded.map { Int($0.milliseconds / 1_000) }
        )
    }
}
