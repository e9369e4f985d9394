import BlobStorage
import Coordination
import Metadata
import ObjectModel
import ObjectStorage
import Placement
import SystemInterface

/// What the store does by itself at its own pace, done now; and what operators have it do.
enum StoreMaintenance: Sendable, CaseIterable {
    case checkpoint, compact, collect, orphans, repack, verify
    /// Everything is read now, by disk or by object.
    case scrub, scrubBucket
    /// Objects are rewritten into another class, or back; or that is called off.
    case rewrite
    /// A disk is emptied, and leaves.
    case drain
    /// Shards are moved until disks hold what their size says.
    case even
    /// Places of groups go to other disks.
    case shift
    /// What is being moved goes back.
    case unshift
}

extension Store {
    /// Notices what is away now, and gives its places to others where it has been away for long enough.
    func lookForAway() async {
        await watchDisks()
        await giveUpLongAway()
    }

    /// Places in each of this many groups are shifted.
    private static let shiftedGroups = 4

    /// Does it; what fails is the store's own to try again.
    func maintain(_ work: StoreMaintenance, random: any RandomSource) async {
        switch work {
        case .checkpoint: try? await checkpointer.take()
        case .compact: await compactDisks()
        case .collect: try? await collector.pass()
        case .orphans: _ = try? await orphans.pass()
        case .repack: try? await repacker.pass()
        case .verify: verifier.request()
        case .scrub: _ = scrubber.start(Set(blobs.view.map.disks.keys))
        case .scrubBucket: _ = scrubber.start(bucket: StoreClient.bucket)
        case .rewrite: await rewrite(random)
        case .drain: await drain(random)
        case .even: _ = try? await beginMoves(.even)
        case .shift: try? await begin(shifts(random))
        case .unshift: _ = try? await cancelMoves()
        }
    }

    /// The class that objects are rewritten into: it survives what `STANDARD` does.
    private static let otherClass = "COLD"
    private static let otherDataCount = 2
    /// A rewrite that is open is called off one time in so many, else left alone.
    private static let calledOff: UInt64 = 3

    private func rewrite(_ random: any RandomSource) async {
        let draws = (random.next(), random.next())
        if let open = try? await metadata.classRewrites(), !open.isEmpty {
            if draws.0 % Self.calledOff == 0 { try? await cancelClassRewrite(StoreClient.bucket) }
            return
        }
        let parity = configuration.scheme.parityCount
        guard let scheme = Scheme(dataCount: Self.otherDataCount, parityCount: parity, cellSize: Leaf.size) else {
            return
        }
        _ = try? await addClass(StorageClass(name: Self.otherClass, scheme: scheme))
        let rewrite = ClassRewrite(
            bucket: StoreClient.bucket,
            prefix: draws.0 % 2 == 0 ? "" : StoreClient.prefix(0),
            storageClass: draws.1 % 3 == 0 ? StorageClass.standard : Self.otherClass,
            rate: ClassRewriter.defaultRate
        )
        try? await beginClassRewrite(rewrite)
    }

    /// Objects that are not in the class in which clients write them.
    func rewrittenObjects() async throws -> Int {
        var back = ClassRewrite(bucket: StoreClient.bucket, storageClass: StorageClass.standard, rate: 1)
        back.before = .max
        return try await classRewriter.survey(ClassTarget(back, scheme: configuration.scheme)).objects
    }

    /// Fails where no other disk is left that keeps the shards spread.
    private func drain(_ random: any RandomSource) async {
        let draw = random.next()
        guard let disks = try? await metadata.disks().filter({ $0.state == .active }).sorted(by: { $0.id < $1.id }),
            !disks.isEmpty
        else { return }
        _ = try? await beginMoves(.empty([disks[Int(draw % UInt64(disks.count))].id]))
    }

    private func shifts(_ random: any RandomSource) -> [PlaceMove] {
        let map = blobs.view.map
        let groups = map.groups.values.filter(\.former.isEmpty).sorted { $0.id < $1.id }
        guard !groups.isEmpty else { return [] }
        var moves: [GroupID: PlaceMove] = [:]
        for _ in 0..<Self.shiftedGroups {
            let group = groups[Int(random.next() % UInt64(groups.count))]
            let shard = Int(random.next() % UInt64(group.members.count))
            let others = map.disks.keys.filter { !group.members.contains($0) }.sorted()
            guard !others.isEmpty else { continue }
            moves[group.id] = PlaceMove(
                group: group.id,
                shard: UInt8(shard),
                from: group.members[shard],
                to: others[Int(random.next() % UInt64(others.count))],
                bytes: 0
            )
        }
        return moves.sorted { $0.key < $1.key }.map(\.value)
    }
}
