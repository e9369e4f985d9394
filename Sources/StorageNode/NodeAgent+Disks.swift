internal import ClusterProtocol
internal import DiskFormat
internal import JournalStorage
internal import ObjectModel
internal import ShardStorage
internal import Synchronization
internal import SystemInterface

extension NodeAgent {
    // MARK: Looking

    /// All slots side by side: one that hangs keeps no other from being told.
    func survey() async -> [SlotReport] {
        await withTaskGroup(of: (Int, SlotReport.Finding?).self) { group in
            for (number, slot) in slots.enumerated() {
                group.addTask {
                    let found = await self.slotLooks.look(at: slot.name) {
                        await GivenDisk.look(slot.path, slot.open).report
                    }
                    return (number, found)
                }
            }
            let findings = await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            return slots.enumerated().map { number, slot in
                let finding = findings[number] ?? .unusable(GivenDisk.silent)
                return SlotReport(slot: slot.name, path: slot.path, finding: finding)
            }
        }
    }

    /// All disks side by side. What is slow is told as it was last; what hangs is told as gone from its place.
    func watch() async -> [HostedDiskReport] {
        let disks = service.disks
        let served = Set(disks.map { ObjectIdentifier($0.shards) })
        lastReports.withLock { reports in reports = reports.filter { served.contains($0.key) } }
        let reports = await withTaskGroup(of: HostedDiskReport.self) { group in
            for disk in disks { group.addTask { await self.report(of: disk) } }
            return await group.reduce(into: [HostedDiskReport]()) { $0.append($1) }
        }
        return reports.sorted { $0.disk < $1.disk }
    }

    private func report(of disk: HostedDisk) async -> HostedDiskReport {
        let instance = ObjectIdentifier(disk.shards)
        let found = await diskLooks.look(at: instance) {
            let report = await self.look(disk)
            self.lastReports.withLock { $0[instance] = report }
            return report
        }
        if let found { return found }
        let hangs = (diskLooks.age(of: instance) ?? .zero) >= Self.hangPatience
        let last = lastReports.withLock { $0[instance] }
        return HostedDiskReport(
            disk: disk.shards.identity.disk,
            slot: disk.slot,
            failure: disk.shards.failure ?? "",
            isInPlace: !hangs && last?.isInPlace ?? true,
            log: Self.standing(of: disk.journal),
            hasJournalRoom: last?.hasJournalRoom ?? disk.journal?.isReserveWhole ?? true,
            journalRoom: last?.journalRoom ?? .max,
            wantsCheckpoint: last?.wantsCheckpoint ?? false
        )
    }

    private func look(_ disk: HostedDisk) async -> HostedDiskReport {
        await configuration.buggify.pause(.nodeLooksLate, time)
        let failure = disk.shards.failure
        let isInPlace = failure == nil ? await disk.shards.isInPlace() : true
        return HostedDiskReport(
            disk: disk.shards.identity.disk,
            slot: disk.slot,
            failure: failure ?? "",
            isInPlace: isInPlace,
            log: Self.standing(of: disk.journal),
            hasJournalRoom: await hasJournalRoom(disk),
            journalRoom: await disk.journal?.room() ?? .max,
            wantsCheckpoint: await disk.journal?.wantsCheckpoint() ?? false
        )
    }

    private static func standing(of journal: KeeperLog?) -> HostedDiskReport.Log {
        journal.map { $0.failure == nil ? .working : .failed } ?? .none
    }

    /// The journal's last room is for deletes: with it in use nothing new comes to the disk.
    private func hasJournalRoom(_ disk: HostedDisk) async -> Bool {
        guard let journal = disk.journal, !journal.isReserveWhole else { return true }
        _ = try? await journal.refillReserve()
        // A log that has failed does not want for room: it is opened again or replaced, and shards may come meanwhile.
        return journal.isReserveWhole || journal.failure != nil
    }

    // MARK: Upkeep

    /// Has each disk win back the room of dead shards, where that pays; gives the shards found bad. Before that, sees
    /// to it that nothing goes on in files that nobody would find again.
    func compact() async -> [ShardID] {
        for disk in service.disks where !Task.isCancelled {
            await disk.shards.leaveLostSegments()
            await disk.journal?.leaveLostFiles()
        }
        var bad: [ShardID] = []
        for disk in service.disks where !Task.isCancelled {
            bad += (try? await disk.shards.compact())?.bad ?? []
            try? await disk.shards.refillReserve()
            _ = try? await disk.journal?.refillReserve()
        }
        return bad
    }

    func mend() async -> Int {
        var mended = 0
        for disk in service.disks where !Task.isCancelled {
            mended += (try? await disk.shards.mendSegments().count) ?? 0
        }
        return mended
    }

    // MARK: Disks

    func format(_ name: String, _ disk: NewDisk) async throws(NodeRefusal) {
        let slot = try slot(name)
        do {
            let files = try await slot.open()
            if let there = try? await ShardDisk.readIdentity(files), there.disk == disk.disk,
                there.cluster == disk.cluster
            {
                return
            }
            let identity = DiskIdentity(
                cluster: disk.cluster,
                disk: disk.disk,
                site: slot.site,
                node: slot.node,
                slot: slot.nameOnDisk,
                epoch: 1,
                created: time.wall.milliseconds
            )
            try await ShardDisk.format(fileSystem: files, identity: identity)
        } catch ShardStorageError.notEmpty(let what) {
            throw .notEmpty(what)
        } catch let error as ShardStorageError {
            throw .failed(error.description)
        } catch {
            throw .failed("\(error)")
        }
    }

    /// Serves the expected disk; one that is served already and works goes on as it is.
    func open(_ name: String, _ expected: ExpectedDisk) async throws(NodeRefusal) -> OpenedDisk {
        let slot = try slot(name)
        if let served = service.disk(expected.disk), served.shards.failure == nil, !expected.isReturning {
            return try await openedAlready(served, expected)
        }
        // The coordinator believes it away: what is served still is opened anew like a disk that comes back.
        if let old = service.release(expected.disk) { try? await old.shards.close() }
        do {
            let files = try await slot.open()
            guard try await ShardDisk.readIdentity(files).disk == expected.disk else {
                throw NodeRefusal.failed("another disk is in slot \(name)")
            }
            if expected.isReturning { try await distrustCache(of: files) }
            let shards = try await ShardDisk.open(
                fileSystem: files,
                expecting: DiskExpectation(cluster: expected.cluster, disk: expected.disk, epoch: expected.epoch),
                time: time,
                random: random,
                configuration: configuration
            )
            let (journal, trouble) = try await log(on: files, expected)
            // Only its name at a later start hangs on it; of a disk that fails here the next watch tells.
            try? await shards.notePlace(site: slot.site, node: slot.node, slot: slot.nameOnDisk)
            var hosted = HostedDisk(shards: shards, journal: journal, slot: name)
            hosted.logTrouble = trouble
            service.host(hosted)
            return await opened(shards, journal)
        } catch let error as NodeRefusal {
            throw error
        } catch let error as ShardStorageError {
            throw .failed(error.description)
        } catch let error as KeeperError {
            throw .failed(error.description)
        } catch {
            throw .failed("\(error)")
        }
    }

    private func openedAlready(
        _ served: HostedDisk,
        _ expected: ExpectedDisk
    ) async throws(NodeRefusal) -> OpenedDisk {
        var served = served
        if expected.wantsLog, served.journal == nil {
            do {
                served.journal = try await openLog(served.shards.fileSystem)
            } catch {
                throw .failed(error.description)
            }
            service.host(served)
        }
        return await opened(served.shards, served.journal)
    }

    /// A disk that comes back must take a write; what a write failed to bring to the medium may stand in memory all the
    /// same, and is not what will be there after the next power cut.
    private func distrustCache(of files: any FileSystem) async throws(FileError) {
        try await ShardDisk.probe(files)
        for folder in [DiskFolder.segments, DiskFolder.journal] { await forgetCached(files, folder) }
    }

    private func forgetCached(_ files: any FileSystem, _ folder: String) async {
        for name in (try? await files.list(folder)) ?? [] { try? await files.forgetCached(folder + "/" + name) }
    }

    /// The disk's journal log when it has one or shall have one. A log that is not asked for and cannot be opened is
    /// one keeper less: the journal's start decides whether the others are enough, and asks why where they are not.
    private func log(
        on files: any FileSystem,
        _ expected: ExpectedDisk
    ) async throws -> (log: KeeperLog?, trouble: KeeperError?) {
        if expected.wantsLog { return (try await openLog(files), nil) }
        guard try await files.status(DiskFolder.journal) != nil else { return (nil, nil) }
        do throws(KeeperError) {
            return (try await openLog(files), nil)
        } catch {
            return (nil, error)
        }
    }

    private func opened(_ shards: ShardDisk, _ journal: KeeperLog?) async -> OpenedDisk {
        let hasShards = !shards.inventory(after: nil, limit: 1).isEmpty
        let isFresh = if let journal { (try? await journal.state().isFresh) ?? false } else { true }
        return OpenedDisk(hasLog: journal != nil, isUnused: !hasShards && isFresh)
    }

    // MARK: Journal logs

    private func openLog(_ files: any FileSystem) async throws(KeeperError) -> KeeperLog {
        try await KeeperLog.open(files, random: random, configuration: keeper, buggify: configuration.buggify)
    }

    private func served(_ disk: DiskID) throws(NodeRefusal) -> HostedDisk {
        guard let disk = service.disk(disk) else { throw .notServed }
        return disk
    }

    func reopenLog(of id: DiskID) async throws(NodeRefusal) {
        var disk = try served(id)
        if let log = disk.journal, log.failure == nil { return }
        if configuration.buggify.strikes(.logStaysShut) { throw .busy }
        let files = disk.shards.fileSystem
        await forgetCached(files, DiskFolder.journal)
        guard await KeeperLog.isThere(on: files) else { throw .failed("the log's files are gone") }
        do {
            disk.journal = try await openLog(files)
        } catch {
            throw .failed(error.description)
        }
        service.host(disk)
    }

    /// `incarnation`: the caller's. A log that has promised to follow a higher one is not its to throw away.
    func renewLog(of id: DiskID, by incarnation: UInt32) async throws(NodeRefusal) {
        var disk = try served(id)
        if let state = try? await disk.journal?.state(), state.promised > incarnation {
            throw .superseded(state.promised)
        }
        let files = disk.shards.fileSystem
        do {
            try await removeLog(files)
            disk.journal = try await openLog(files)
        } catch {
            throw .failed("\(error)")
        }
        service.host(disk)
    }

    /// Makes way for a new log. What bears the name of its folder and is none is kept, under another name: it is not
    /// the log's, and a link is not gone after.
    private func removeLog(_ files: any FileSystem) async throws(FileError) {
        guard let there = try await files.status(DiskFolder.journal) else { return }
        guard there.isDirectory else { return try await moveAside(DiskFolder.journal, on: files) }
        for name in try await files.list(DiskFolder.journal) {
            let path = DiskFolder.journal + "/" + name
            if try await files.status(path)?.isDirectory == false { try await files.remove(path) }
        }
        try await files.syncDirectory(DiskFolder.journal)
    }

    /// Names that are tried for what is moved aside.
    private static let asideNames = 100

    private func moveAside(_ name: String, on files: any FileSystem) async throws(FileError) {
        for number in 1...Self.asideNames {
            let aside = "\(name).aside-\(number)"
            // A rename would write over what is there.
            guard try await files.status(aside) == nil else { continue }
            try await files.rename(name, to: aside)
            return try await files.syncDirectory(RelativePath.root)
        }
        throw FileError(.exists, operation: "rename", path: name)
    }
}

extension StoreSlot {
    /// What its disk says of it: nothing where the name is longer than an identity takes.
    fileprivate var nameOnDisk: String? { name.utf8.count <= DiskIdentity.nameLength ? name : nil }
}
