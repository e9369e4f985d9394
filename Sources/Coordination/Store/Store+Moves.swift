internal import BlobStorage
internal import ClusterProtocol
internal import DiskFormat
package import Metadata
package import ObjectInterface
package import ObjectModel
package import Placement
import Synchronization
internal import SystemInterface

/// Why disks are not added, emptied or evened out.
package enum DiskChangeError: Error, Hashable, Sendable, CustomStringConvertible {
    case noSuchDisk(String)
    case noSuchNode(String)
    /// Nothing to add: no slot of the node is empty and unknown.
    case nothingToAdd(String)
    /// The folder of a slot holds something: it is never formatted over.
    case notEmpty(String, String)
    /// So many places would have no disk that keeps the shards spread.
    case noRoom(places: Int)
    /// These classes would survive less than they do.
    case weakens([ClassOutlook])
    /// Moves are open already.
    case isMoving
    case notMoving
    /// Moves are put back only while nothing is to be repaired.
    case isLacking(shards: Int)
    case busy
    case failed(String)

    package var description: String {
        switch self {
        case .noSuchDisk(let name): "no disk of this store is called \(name): `cairn admin disk list` shows them"
        case .noSuchNode(let name): "no node is called \(name), or it does not answer: `cairn admin status` shows them"
        case .nothingToAdd(let node):
            "node \(node) has no empty disk that is not in use: start it with one more `--disk`, then try again"
        case .notEmpty(let slot, let what):
            """
            slot \(slot) holds no disk and is not empty: it holds \(what). If nobody needs it, move what it holds away \
            and try again; or name another slot with --slot
            """
        case .noRoom(let places):
            """
            for \(places) of its places no other disk is left that keeps the shards spread: add disks first, then \
            try again
            """
        case .weakens(let classes):
            """
            \(classes.map(\.name).joined(separator: ", ")) would survive fewer losses than now: add disks first; if it \
            has to go all the same, with --force
            """
        case .isMoving:
            """
            shards are being moved already: wait until `cairn admin moves status` shows none, or put them back with \
            `cairn admin moves cancel`
            """
        case .notMoving: "no shards are being moved"
        case .isLacking(let shards):
            """
            \(shards) shards are missing: wait until `cairn admin status` shows none, then cancel; \
            `cairn admin moves pause` holds the moves meanwhile
            """
        case .busy: StoreDecision.busy
        case .failed(let reason): reason
        }
    }
}

/// What shards are moved for.
package enum MoveGoal: Hashable, Sendable {
    /// Disks hold as much as their size says.
    case even
    /// These disks hold nothing and are in use no more.
    case empty(Set<DiskID>)
}

/// What reaching a goal takes.
package struct MovePlan: Sendable {
    package var moves: [PlaceMove]
    /// Bytes that will be copied.
    package var bytes: Int { moves.reduce(0) { $0 + $1.bytes } }
    /// By disk: bytes of shards before and after.
    package var before: [DiskID: Int]
    package var after: [DiskID: Int]
    /// What each class survives now and then, where disks are to be empty or would be added; else none.
    package var outlooks: [ClassOutlook]
}

extension Store {
    // MARK: Plans

    /// What it would take to reach a goal, without doing any of it. Reads every live blob's record. `added`: disks that
    /// are only supposed, as large as the smallest in use.
    package func plan(
        _ goal: MoveGoal,
        adding added: [DiskRecord] = []
    ) async throws(DiskChangeError) -> MovePlan {
        do {
            let loads = try await groupLoads()
            let known = try await metadata.disks().filter(\.isInUse)
            let records = known + added
            var draining = Set(records.filter { $0.state == .draining }.map(\.id))
            if case .empty(let disks) = goal { draining.formUnion(disks) }
            let weights = await capacities()
            let smallest = weights.values.min() ?? 1
            let disks = records.map {
                PlacementDisk(id: $0.id, site: $0.site, node: $0.node, weight: Double(weights[$0.id] ?? smallest))
            }
            // What is not there can take nothing: moves to it would stand still until it is back.
            let away = Set(known.map(\.id).filter { !blobs.view.isUsable($0) })
            var planner = MovePlanner(disks: disks, draining: draining, away: away, groups: loads)
            let moves: [PlaceMove]
            var outlooks: [ClassOutlook] = []
            switch goal {
            case .even:
                moves = planner.balance()
                if !added.isEmpty { outlooks = try await self.outlooks(of: moves, emptying: draining, records, loads) }
            case .empty:
                let (drained, unplaced) = planner.drain()
                guard unplaced == 0 else { throw DiskChangeError.noRoom(places: unplaced) }
                moves = drained
                outlooks = try await self.outlooks(of: moves, emptying: draining, records, loads)
            }
            return Self.plan(moves, loads, outlooks)
        } catch let error as DiskChangeError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }

    private static func plan(
        _ moves: [PlaceMove],
        _ loads: [GroupLoad],
        _ outlooks: [ClassOutlook]
    ) -> MovePlan {
        var before: [DiskID: Int] = [:]
        for load in loads {
            for member in load.group.members { before[member, default: 0] += load.bytesPerPlace }
        }
        var after = before
        for move in moves {
            after[move.from, default: 0] -= move.bytes
            after[move.to, default: 0] += move.bytes
        }
        return MovePlan(moves: moves, before: before, after: after, outlooks: outlooks)
    }

    /// Blobs read in one go.
    private static let loadPage = 1_000

    func groupLoads() async throws(StorageError) -> [GroupLoad] {
        let groups = blobs.view.map.groups
        var bytes: [GroupID: Int] = [:]
        var last: BlobID?
        while !Task.isCancelled {
            let page = try await metadata.blobs(after: last, limit: Self.loadPage)
            guard let end = page.last else { break }
            last = end.id
            for blob in page {
                guard let scheme = groups[blob.group]?.scheme else { continue }
                bytes[blob.group, default: 0] += StripeGeometry(scheme: scheme, blobLength: blob.length).shardLength
            }
        }
        return groups.values.sorted { $0.id < $1.id }.map { GroupLoad(group: $0, bytesPerPlace: bytes[$0.id] ?? 0) }
    }

    /// Bytes that each disk of the store can hold.
    func capacities() async -> [DiskID: Int] { await blobs.nodes.capacities(of: blobs.view.map.disks.keys) }

    // MARK: Doing it

    /// Begins the moves that reach a goal; the mover does the rest. Durable on return, and goes on after a restart.
    ///
    /// A disk that is to be empty takes nothing new from here on, and leaves the store by itself once it is.
    /// `isForced`: also where a class then survives less than it does. `rate`: bytes a second at most, of these moves
    /// alone; nil for the usual rate.
    package func beginMoves(
        _ goal: MoveGoal,
        isForced: Bool = true,
        rate: Int? = nil
    ) async throws(DiskChangeError) -> MovePlan {
        try await changing { () async throws(DiskChangeError) in
            try await openMoves(goal, isForced: isForced, rate: rate)
        }
    }

    /// `beginMoves` for who has begun `replacement`.
    private func openMoves(_ goal: MoveGoal, isForced: Bool, rate: Int?) async throws(DiskChangeError) -> MovePlan {
        let plan = try await plan(goal)
        do {
            guard blobs.view.map.groups.values.allSatisfy(\.former.isEmpty) else { throw DiskChangeError.isMoving }
            let lower = plan.outlooks.filter(\.isLower)
            guard isForced || lower.isEmpty else { throw DiskChangeError.weakens(lower) }
            mover.note(isCancelled: false)
            if case .empty(let disks) = goal { try await mark(disks, .draining) }
            // Before the first of them goes; one that was given for earlier moves is none of theirs.
            mover.setRate(plan.moves.isEmpty ? nil : rate)
            try await begin(plan.moves)
            await retireEmptied()
            return plan
        } catch let error as DiskChangeError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }

    /// Begins some moves, whatever they are for.
    package func begin(_ places: [PlaceMove]) async throws(StorageError) {
        var moves: MemberMoves = [:]
        for move in places { moves[move.group, default: [:]][move.shard] = move.to }
        try await metadata.moveMembers(moves)
        if !places.isEmpty {
            events.note(.movesBegun(places: places.count, bytes: places.reduce(0) { $0 + $1.bytes }))
        }
        try await reloadMap()
    }

    /// Puts every place that is being moved back: what was moved already comes back, the rest is where it belongs.
    /// Disks that were to be emptied stay in use. Returns how many places.
    package func cancelMoves() async throws(DiskChangeError) -> Int {
        try await changing { () async throws(DiskChangeError) in
            do {
                var back: MemberMoves = [:]
                for group in try await metadata.groups() where !group.former.isEmpty { back[group.id] = group.former }
                let draining = try await metadata.disks().filter { $0.state == .draining }
                guard !back.isEmpty || !draining.isEmpty else { throw DiskChangeError.notMoving }
                // A shard that was noted missing while it was moved may be good at one end only, and nobody would
                // look for it there once the place has gone back.
                let missing = try await metadata.missingShardCount()
                guard missing == 0 else { throw DiskChangeError.isLacking(shards: missing) }
                // Before it is so: who looks on sees no end without it.
                mover.note(isCancelled: true)
                try await mark(Set(draining.map(\.id)), .active)
                try await metadata.moveMembers(back)
                let places = back.values.reduce(0) { $0 + $1.count }
                events.note(.movesCancelled(places: places))
                try await reloadMap()
                return places
            } catch let error as DiskChangeError {
                throw error
            } catch {
                throw .failed("\(error)")
            }
        }
    }

    private func mark(_ disks: Set<DiskID>, _ state: DiskRecord.State) async throws(StorageError) {
        for var record in try await metadata.disks() where disks.contains(record.id) && record.state != state {
            record.state = state
            try await metadata.putDisk(record)
        }
    }

    private func changing<Value>(
        _ body: () async throws(DiskChangeError) -> Value
    ) async throws(DiskChangeError) -> Value {
        guard await beginCommand() else { throw .busy }
        defer { endCommand() }
        return try await body()
    }

    /// After the moves of some places have ended: the map says so, and disks that are empty now leave.
    func endMoves() async {
        try? await reloadMap()
        if blobs.view.map.groups.values.allSatisfy(\.former.isEmpty) {
            events.note(.movesEnded)
            await endRate()
        }
        await lookForEmptied()
    }

    /// A rate is that of the moves it was given with, whose end this is. What cannot be written down is told as a
    /// trouble, and does no harm: other moves begin with a rate of their own.
    private func endRate() async {
        await alone(.replacement) {
            let draining = Set(((try? await metadata.disks()) ?? []).filter { $0.state == .draining }.map(\.id))
            // Others may have begun since, and a disk may have to be emptied further.
            guard mover.givenRate != nil,
                blobs.view.map.groups.values.allSatisfy({ $0.former.isEmpty && draining.isDisjoint(with: $0.members) })
            else { return }
            mover.setRate(nil)
            _ = await mover.keep()
        }
    }

    /// Lets disks go that were to be emptied and are, unless an operator's command is under way: then later.
    package func lookForEmptied() async {
        guard let records = try? await metadata.disks(), records.contains(where: { $0.state == .draining }) else {
            return
        }
        await alone(.replacement) { await retireEmptied() }
    }

    /// Goes on emptying disks that still have places while none is being moved: a crash came before the first move, or
    /// there was no other disk then.
    package func continueDrains() async {
        guard let records = try? await metadata.disks() else { return }
        let draining = Set(records.filter { $0.state == .draining }.map(\.id))
        let groups = blobs.view.map.groups.values
        guard groups.allSatisfy(\.former.isEmpty),
            groups.contains(where: { !draining.isDisjoint(with: $0.members) }),
            drainPatience.withLock({ $0.isDue(now: time.monotonic) })
        else { return }
        await alone(.replacement) {
            do throws(DiskChangeError) {
                _ = try await openMoves(.empty(draining), isForced: true, rate: mover.givenRate)
            } catch .noRoom {
                // A plan reads every blob's record, so the next is made later and later.
                drainPatience.withLock { $0.noteFailure(now: time.monotonic) }
            } catch {}
        }
    }

    /// Disks that were to be emptied, are in no group any more and keep no journal are in use no more.
    ///
    /// Only where no other decision is under way: one might give such a disk a place again meanwhile, or have it served
    /// as it comes back. Of the latter only that disk waits, for the next time.
    func retireEmptied() async {
        guard let records = try? await metadata.disks(), let groups = try? await metadata.groups() else { return }
        let keepers = journal.report.keepers
        for var record in records where record.state == .draining {
            guard !groups.contains(where: { $0.involves(record.id) }), !keepers.contains(record.id) else { continue }
            record.state = .retired
            record.epoch += 1
            await alone(.slot(record.place)) { await retireEmptied(record) }
        }
    }

    private func retireEmptied(_ record: DiskRecord) async {
        guard (try? await metadata.putDisk(record)) != nil else { return }
        served.withLock { $0[record.id] = nil }
        absent.withLock { $0[record.place] = nil }
        events.note(.diskDrained(.init(record)))
        try? await calls.release(record.id, on: record.node)
        try? await reloadMap()
    }

    /// An old copy of the database took disks for in use, and had them served, of which the journal says that they are
    /// not any more: nobody would look after what lies on them, and their nodes would hold them until they end.
    func letGoOfRetired() async throws {
        let inUse = Set(try await metadata.disks().filter(\.isInUse).map(\.id))
        // A forced start takes for keepers whatever answers.
        let keepers = journal.report.keepers
        let retired = served.withLock { served in
            let retired = served.filter { !inUse.contains($0.key) && !keepers.contains($0.key) }
            for disk in retired.keys { served[disk] = nil }
            return retired
        }
        for (disk, served) in retired.sorted(by: { $0.key < $1.key }) {
            try? await calls.release(disk, on: served.place.node)
        }
    }

    // MARK: Growth

    /// Takes the empty disks in slots of a node that are not in use into the store: all of them, or the one named.
    ///
    /// Durable on return. They hold nothing until `beginMoves(.even)`, or until disks fail. A disk that an interrupted
    /// call formatted is taken up, when nothing has been written to it.
    package func addDisks(of node: NodeName, slot: String? = nil) async throws(DiskChangeError) -> [DiskRecord] {
        try await changing { () async throws(DiskChangeError) in
            do {
                guard let member = members.withLock({ $0[node] }) else { throw DiskChangeError.noSuchNode(node.name) }
                let known = try await metadata.disks()
                let slots = Self.idle(try await survey(node), of: node, slot, known)
                try checkVacant(slots, of: node)
                var added: [DiskRecord] = []
                do {
                    for report in slots {
                        guard let disk = try await freshDisk(report, on: node, known: known) else { continue }
                        added.append(try await add(disk, slot: report.slot, of: member))
                    }
                } catch {
                    // Those before it are in use: the store must know them.
                    if !added.isEmpty { try? await reloadMap() }
                    throw error
                }
                guard !added.isEmpty else { throw DiskChangeError.nothingToAdd(node.name) }
                try await reloadMap()
                return added
            } catch let error as DiskChangeError {
                throw error
            } catch {
                throw .failed("\(error)")
            }
        }
    }

    /// The slots of which no disk is in use: all of them, or the one named.
    static func idle(_ slots: [SlotReport], of node: NodeName, _ slot: String?, _ known: [DiskRecord]) -> [SlotReport] {
        let places = Set(known.filter(\.isInUse).map(\.place))
        return slots.filter {
            (slot == nil || $0.slot == slot) && !places.contains(SlotPlace(node: node, slot: $0.slot))
        }
    }

    /// The disk in an unused slot, formatted; nil when it holds anything, or cannot be used.
    private func freshDisk(
        _ report: SlotReport,
        on node: NodeName,
        known: [DiskRecord]
    ) async throws(NodeCallError) -> DiskID? {
        switch report.finding {
        case .unusable, .occupied: return nil
        case .disk(let cluster, let disk):
            return cluster == self.cluster && !known.contains { $0.id == disk } ? disk : nil
        case .empty:
            var generator = random.generator
            let disk = DiskID(.random(using: &generator))
            let place = SlotPlace(node: node, slot: report.slot)
            try await calls.format(place, NewDisk(cluster: cluster, disk: disk))
            return disk
        }
    }

    private func add(_ disk: DiskID, slot: String, of member: NodeMember) async throws -> DiskRecord {
        let record = DiskRecord(
            id: disk,
            site: member.site,
            node: member.name,
            slot: slot,
            state: .active,
            epoch: 1
        )
        let opened = try await calls.open(record.place, ExpectedDisk(cluster: cluster, disk: disk))
        guard opened.isUnused else {
            try? await calls.release(disk, on: member.name)
            throw DiskChangeError.failed("the disk in slot \(slot) holds shards, and no record of it is left")
        }
        served.withLock { $0[disk] = ServedDisk(place: record.place, hasLog: opened.hasLog, since: time.monotonic) }
        absent.withLock { $0[record.place] = nil }
        try await metadata.putDisk(record)
        events.note(.diskAdded(.init(record)))
        return record
    }
}
