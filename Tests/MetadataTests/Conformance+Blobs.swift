import ClusterProtocol
import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import SystemInterface

extension Check {
    static let blobChecks: [Check] = [
        Check("copies share a blob: its frames count once, and it dies with the last") { store in
            let lease = try await store.prepare()
            let length = 3 * Limits.frameLength + 10
            let blob = try await store.put(lease, 1, "k", length: length)
            let half = Sample.extent(blob, firstFrame: 1, offset: 5, length: Limits.frameLength)
            _ = try await store.commit(
                WriteTransaction(lease: nil, blobs: [], writes: [.version(Sample.version("b", "copy", [half]), .none)])
            )
            try expect(try await store.sparseBlobs(share: 1, limit: 9).isEmpty, "all of it is named")
            try await store.delete("k")
            let usage = try await store.sparseBlobs(share: 0.9, limit: 9)
            try expect(usage.count == 1 && usage[0].liveBytes == 2 * Limits.frameLength, "\(usage)")
            try expect(usage[0].logicalLength == length && usage[0].references == 1, "\(usage)")
            try expect(try await store.sparseBlobs(share: 0.3, limit: 9).isEmpty, "not that sparse")
            try await store.delete("copy")
            try expect(try await store.sparseBlobs(share: 1, limit: 9).isEmpty, "dead ones are not sparse")
            try expect(try await store.deadBlobs(after: nil, limit: 9).map(\.id) == [blob.id], "dead")
        },
        Check("a pack's objects are its owners, and the emptiest pack comes first") { store in
            let lease = try await store.prepare()
            var packs: [BlobRecord] = []
            for number in 1...3 as ClosedRange<UInt64> {
                let frames = (0..<4).map { _ in Frame(logicalLength: 100, storedLength: 50, codec: .lz4) }
                let pack = Sample.blob(lease, number, length: 200, frames: .explicit(frames))
                packs.append(pack)
                let writes = (0..<4).map { frame in
                    WriteTransaction.Write.version(
                        Sample.version(
                            "b",
                            "\(number)/\(frame)",
                            [Sample.extent(pack, firstFrame: frame, length: 100)]
                        ),
                        .none
                    )
                }
                _ = try await store.commit(WriteTransaction(lease: lease, blobs: [pack], writes: writes))
            }
            let owners = try await store.owners(of: packs[0].id)
            try expect(owners.count == 4 && owners.allSatisfy { $0.extents.first?.blob == packs[0].id }, "owners")
            try expect(owners.map(\.key) == ["1/0", "1/1", "1/2", "1/3"] && owners[0].bucket == "b", "names")
            for key in ["1/0", "2/1", "2/2", "2/3", "3/0", "3/3"] { try await store.delete(key) }
            let sparse = try await store.sparseBlobs(share: 0.8, limit: 9)
            try expect(sparse.map(\.blob.id) == [packs[1].id, packs[2].id, packs[0].id], "order")
            try expect(sparse.map(\.liveBytes) == [100, 200, 300], "bytes")
            try expect(try await store.sparseBlobs(share: 0.5, limit: 9).map(\.blob.id) == [packs[1].id], "share")
        },
        Check("a move goes where the owner is unchanged, and only there") { store in
            let lease = try await store.prepare()
            let old = [try await store.put(lease, 1, "a"), try await store.put(lease, 2, "b")]
            try await store.createUpload(Sample.upload("b", "k", "u"))
            let third = Sample.blob(lease, 3)
            _ = try await store.commit(
                WriteTransaction(
                    lease: lease,
                    blobs: [third],
                    writes: [.part(Sample.part("u", 1, [Sample.extent(third)]), bucket: "b", key: "k")]
                )
            )
            let target = Sample.blob(lease, 9, length: 3_000)
            var moves: [MoveTransaction.Move] = []
            for (index, blob) in (old + [third]).enumerated() {
                guard let named = try await store.owners(of: blob.id).first else {
                    throw Violation(description: "no owner")
                }
                let after = Extent(blob: target.id, firstFrame: 0, offset: index * 1_000, length: 1_000)
                moves.append(MoveTransaction.Move(owner: named.owner, before: named.extents, after: [after]))
            }
            let replaced = try await store.put(lease, 4, "b")
            let results = try await store.move(MoveTransaction(lease: lease, blobs: [target], moves: moves))
            try expect(results == [true, false, true], "\(results)")
            let moved = try await store.version(bucket: "b", key: "a")
            try expect(moved?.version.extents == moves[0].after && moved?.blobs.keys.first == target.id, "a")
            try expect(try await store.version(bucket: "b", key: "b")?.version.extents[0].blob == replaced.id, "b")
            try expect(
                try await store.parts(of: UploadID("u"), after: 0, limit: 9)[0].extents == moves[2].after,
                "part"
            )
            let dead = try await store.deadBlobs(after: nil, limit: 9).map(\.id)
            try expect(dead == [old[0].id, old[1].id, third.id], "\(dead)")
        },
        Check("missing shards come scarcest first, are counted, and leave when registered") { store in
            let lease = try await store.prepare()
            let one = try await store.put(lease, 1, "a", missing: [4])
            let two = try await store.put(lease, 2, "c", missing: [0, 5])
            let three = try await store.put(lease, 3, "d")
            _ = try await store.version(bucket: "b", key: "d")
            try await store.markMissing(
                wherePlaced: [0, 1, 2].map { ShardID(blob: three.id, index: $0) }
                    + [
                        ShardID(blob: three.id, index: 9),
                        ShardID(blob: BlobID(incarnation: 9, lease: 9, sequence: 9), index: 0),
                    ]
            )
            let missing = try await store.missingShards(limit: 99)
            try expect(
                missing.map { "\($0.shard.blob.sequence)/\($0.shard.index):\($0.spares)" }
                    == ["3/0:-1", "3/1:-1", "3/2:-1", "2/0:0", "2/5:0", "1/4:1"],
                "\(missing)"
            )
            try expect(try await store.missingShards(limit: 4).count == 4, "limit")
            let blobs = zip([three, two, one], [-1, 0, 1]).map { MissingBlob($0.id, spares: $1) }
            for (spares, after, expected) in [
                (-32...32, nil, blobs), (0...32, nil, Array(blobs[1...])), (0...0, nil, [blobs[1]]),
                (-32...32, blobs[0], Array(blobs[1...])), (1...32, blobs[0], [blobs[2]]), (-32...0, blobs[2], []),
                (-32...32, MissingBlob(one.id, spares: 0), Array(blobs[1...])), (2...32, nil, []),
            ] as [(ClosedRange<Int>, MissingBlob?, [MissingBlob])] {
                let found = try await store.missingBlobs(spares: spares, after: after, limit: 9)
                try expect(found == expected, "\(spares) after \(String(describing: after)): \(found)")
            }
            try expect(try await store.missingBlobs(spares: -32...32, after: nil, limit: 2).count == 2, "two blobs")
            try expect(try await store.version(bucket: "b", key: "d")?.blobs[three.id]?.missing == [0, 1, 2], "detail")
            var counts = try await store.statistics()
            try expect(counts.missingShards == 6 && counts.blobsBelowQuorum == 1, "\(counts)")
            let shard = ShardID(blob: three.id, index: 1)
            try expect(try await store.registerShard(shard, groupEpoch: 2) == false, "another epoch")
            let kept = try await store.registerShards([
                NewShard(shard, groupEpoch: 1), NewShard(ShardID(blob: one.id, index: 4), groupEpoch: 2),
                NewShard(shard, groupEpoch: 1), NewShard(ShardID(blob: one.id, index: 99), groupEpoch: 1),
            ])
            try expect(kept == [shard], "registered \(kept)")
            try expect(try await store.registerShard(shard, groupEpoch: 1), "once more")
            try expect(try await store.registerShards([]).isEmpty, "none")
            try expect(try await store.blob(three.id)?.missing == [0, 2], "two left")
            counts = try await store.statistics()
            try expect(counts.missingShards == 5 && counts.blobsBelowQuorum == 0, "\(counts)")
            try await store.delete("c")
            try expect(try await store.registerShard(ShardID(blob: two.id, index: 0), groupEpoch: 1) == false, "dead")
            try expect(try await store.missingShardCount() == 3, "a dead blob's do not count")
            try expect(try await store.blobs(after: one.id, limit: 9).map(\.id) == [three.id], "inventory")
        },
        Check("a replaced disk's shards are missing in every live blob of its groups") { store in
            let lease = try await store.prepare()
            let other = GroupRecord(
                id: GroupID(2),
                epoch: 5,
                scheme: try Sample.scheme(),
                members: Array(Sample.disks[1...6])
            )
            try await store.putGroups([other])
            let one = try await store.put(lease, 1, "a", missing: [3])
            let two = Sample.blob(lease, 2, group: 2)
            _ = try await store.commit(
                WriteTransaction(
                    lease: lease,
                    blobs: [two],
                    writes: [.version(Sample.version("b", "c", [Sample.extent(two)]), .none)]
                )
            )
            try await store.replaceMember(Sample.disks[0], with: Sample.disks[7])
            try expect(try await store.groups().map(\.epoch) == [2, 5], "epochs")
            try expect(try await store.groups()[0].members[0] == Sample.disks[7], "member")
            try expect(try await store.blob(one.id)?.missing == [0, 3], "first group")
            try expect(try await store.blob(two.id)?.missing == [], "second group")
            try expect(try await store.missingShardCount() == 2, "count")
            let clash = await code { try await store.replaceMember(Sample.disks[1], with: Sample.disks[2]) }
            try expect(clash == .invalidArgument, "a member twice")
            try await store.replaceMember(DiskID(Identifier128(high: 0, low: 0)), with: Sample.disks[0])
            try expect(try await store.missingShardCount() == 2, "a disk of no group")
        },
        Check("a place that is moved is good in both places until each shard is registered, and goes back") { store in
            let lease = try await store.prepare()
            let one = try await store.put(lease, 1, "a", missing: [3])
            let two = try await store.put(lease, 2, "b", missing: [])
            let new = Sample.disks[7]
            try await store.moveMembers([GroupID(1): [0: new, 3: Sample.disks[6]]])
            let group = try await store.groups()[0]
            try expect(group.members[0] == new && group.former == [0: Sample.disks[0], 3: Sample.disks[3]], "\(group)")
            try expect(group.epoch == 2 && group.since == [2, 0, 0, 2, 0, 0], "\(group)")
            try expect(try await store.blob(one.id)?.moving == [0], "what is missing cannot be moved")
            try expect(try await store.blob(two.id)?.moving == [0, 3], "moving")
            try expect(try await store.missingShardCount() == 1, "nothing more is missing")
            try expect(try await store.statistics().movingShards == 3, "count")
            let first = try await store.movingShards(after: nil, limit: 2)
            try expect(first.map(\.shard.blob) == [one.id, two.id], "order")
            let rest = try await store.movingShards(after: first.last, limit: 9)
            try expect(rest.map(\.shard) == [ShardID(blob: two.id, index: 3)], "after")
            try expect(try await store.movingShards(of: group.id, after: nil, limit: 2) == first, "of its group")
            try expect(try await store.movingShards(of: group.id, after: first.last, limit: 9) == rest, "behind that")
            for other in [GroupID(0), GroupID(2)] {
                try expect(try await store.movingShards(of: other, after: nil, limit: 9).isEmpty, "of another group")
            }
            let old = try await store.registerShard(ShardID(blob: two.id, index: 0), groupEpoch: 1)
            try expect(!old, "under the epoch before")
            try expect(try await store.registerShard(ShardID(blob: two.id, index: 0), groupEpoch: 2), "moved")
            try expect(try await store.finishedMoves().isEmpty, "none has ended")
            try expect(try await store.endMoves([group.id: [0, 3]]) == 0, "nothing to end")
            let lost = ShardID(blob: one.id, index: 0)
            try await store.markMissing([PlacedShard(lost, on: try await store.groups()[0].members[0])])
            try expect(try await store.blob(one.id)?.missing == [3], "not there yet, so it says nothing")
            try await store.markMissing([PlacedShard(lost, on: Sample.disks[0])])
            try expect(try await store.blob(one.id)?.moving == [], "what is lost is not moving")
            try expect(try await store.finishedMoves() == [group.id: [0]], "finished")
            try expect(try await store.endMoves([group.id: [3], GroupID(2): [0]]) == 0, "none of these")
            try expect(try await store.endMoves([group.id: [0, 3]]) == 1, "place 0")
            try expect(try await store.groups()[0].former == [3: Sample.disks[3]], "ended")
            try await store.moveMembers([GroupID(1): [3: Sample.disks[3]]])
            try expect(try await store.blob(two.id)?.moving == [], "back where it is")
            try expect(try await store.endMoves([group.id: [0, 3]]) == 1, "place 3")
            try expect(try await store.groups()[0].members[3] == Sample.disks[3], "back")
        },
        Check("a move to a disk that is part of the group is refused") { store in
            _ = try await store.prepare()
            let group = GroupID(1)
            let refused: [MemberMoves] = [
                [group: [0: Sample.disks[1]]], [group: [0: Sample.disks[0]]], [GroupID(9): [0: Sample.disks[7]]],
                [group: [0: Sample.disks[7], 1: Sample.disks[7]]], [group: [6: Sample.disks[7]]],
            ]
            for moves in refused {
                let found = await code { try await store.moveMembers(moves) }
                try expect(found == .invalidArgument, "\(moves)")
            }
            try await store.moveMembers([group: [0: Sample.disks[7]]])
            for moves in [[group: [0: Sample.disks[6]]], [group: [1: Sample.disks[0]]]] as [MemberMoves] {
                let found = await code { try await store.moveMembers(moves) }
                try expect(found == .invalidArgument, "\(moves) while a place is moved")
            }
        },
        Check("a blob that was written before its group changed says where its shards are") { store in
            let lease = try await store.prepare()
            try await store.replaceMember(Sample.disks[0], with: Sample.disks[7])
            try await store.moveMembers([GroupID(1): [1: Sample.disks[6]]])
            var late = Sample.blob(lease, 1)
            late.groupEpoch = 1
            var current = Sample.blob(lease, 2)
            current.groupEpoch = 3
            for blob in [late, current] {
                _ = try await store.commit(
                    WriteTransaction(
                        lease: lease,
                        blobs: [blob],
                        writes: [.version(Sample.version("b", "\(blob.id)", [Sample.extent(blob)]), .none)]
                    )
                )[0].get()
            }
            let found = try await store.blob(late.id)
            try expect(found?.missing == [0] && found?.moving == [1], "\(String(describing: found))")
            try expect(try await store.blob(current.id)?.missing == [], "current")
            try await store.replaceMember(Sample.disks[2], with: Sample.disks[0])
            var lost = Sample.blob(lease, 3)
            lost.groupEpoch = 1
            let refusal = await code {
                _ = try await store.commit(WriteTransaction(lease: lease, blobs: [lost], writes: []))
            }
            try expect(refusal == .unavailable, "two of six are gone: \(String(describing: refusal))")
        },
    ]

    static let clusterChecks: [Check] = [
        Check("leases are never granted twice, also in a new incarnation") { store in
            let first = try await store.prepare()
            let second = try await store.grantLease(holder: NodeName("n2"))
            try expect(first != second, "same lease")
            try await store.endLease(first)
            try await store.endLease(first)
            let active = try await store.activeLeases()
            try expect(active.map(\.lease) == [second] && active[0].holder == NodeName("n2"), "active")
            try expect(await code { try await store.beginIncarnation(1) } == .invalidArgument, "same incarnation")
            try await store.beginIncarnation(7)
            try expect(try await store.incarnation() == 7, "incarnation")
            let third = try await store.grantLease(holder: Sample.node)
            try expect(third.incarnation == 7 && third.number == 1, "\(third)")
            try expect(try await store.activeLeases().count == 2, "the old one is still active")
        },
        Check("disks, keepers and checkpoints come back; checkpoints hold their blobs") { store in
            let lease = try await store.prepare()
            let disk = DiskRecord(
                id: Sample.disks[0],
                site: SiteName("s"),
                node: Sample.node,
                slot: "disk-1",
                state: .retired,
                epoch: 4
            )
            try await store.putDisk(disk)
            try expect(try await store.disks() == [disk], "disk")
            let (none, keepers) = (
                KeeperSet(generation: 0, keepers: []), KeeperSet(generation: 1, keepers: Sample.disks)
            )
            try await store.recordKeeperSetChange(KeeperSetChange(before: none, after: keepers))
            try expect(try await store.keeperSet() == keepers, "keepers")
            let wrong = await code { try await store.recordKeeperSetChange(KeeperSetChange(before: none, after: none)) }
            try expect(wrong == .invalidArgument, "another set")
            let forced = KeeperSet(generation: 2, keepers: Array(Sample.disks.prefix(2)))
            let other = KeeperSet(generation: 1, keepers: forced.keepers)
            let grown = KeeperSet(generation: 3, keepers: Sample.disks)
            let change = KeeperSetChange(before: other, after: grown)
            let same = await code { try await store.recordKeeperSetChange(change) }
            try expect(same == .invalidArgument, "another set of the same generation")
            try await store.recordKeeperSetChange(KeeperSetChange(before: forced, after: grown))
            try expect(try await store.keeperSet() == grown, "behind a set that was forced at a start")
            let blob = Sample.blob(lease, 1)
            let piece = CheckpointRecord.Piece(
                digest: ContentDigest(high: 1, low: 2),
                length: 1_000,
                extents: [Sample.extent(blob)]
            )
            let checkpoint = CheckpointRecord(position: JournalPosition(incarnation: 1, sequence: 3), pieces: [piece])
            try await store.putCheckpoints(
                CheckpointTransaction(lease: lease, blobs: [blob], checkpoints: [checkpoint, checkpoint])
            )
            try expect(try await store.checkpoints() == [checkpoint, checkpoint], "checkpoints")
            try expect(try await store.blob(blob.id) == blob, "its blob lives")
            try expect(try await store.owners(of: blob.id).isEmpty, "and is nobody's to move")
            try await store.putCheckpoints(CheckpointTransaction(lease: lease, blobs: [], checkpoints: []))
            try expect(try await store.deadBlobs(after: nil, limit: 9).map(\.id) == [blob.id], "freed")
        },
        Check("classes come with groups of their scheme, and go when no bucket has them as default") { store in
            _ = try await store.prepare()
            guard let cold = Scheme(dataCount: 2, parityCount: 1) else { throw Violation(description: "scheme") }
            let item = StorageClass(name: "COLD", scheme: cold)
            let group = GroupRecord(id: GroupID(9), epoch: 1, scheme: cold, members: Array(Sample.disks.prefix(3)))
            try expect(await code { try await store.addClass(item, groups: []) } == .invalidArgument, "no groups")
            let other = StorageClass(name: "COLD", scheme: try Sample.scheme())
            try expect(await code { try await store.addClass(other, groups: [group]) } == .invalidArgument, "mixed")
            for name in ["", "STANDARD", "cold", "A B", String(repeating: "A", count: StorageClass.nameLimit + 1)] {
                let bad = StorageClass(name: name, scheme: cold)
                try expect(await code { try await store.addClass(bad, groups: [group]) } == .invalidArgument, name)
            }
            try expect(try await store.groups().count == 1, "no group was made")
            try expect(try await store.classes().isEmpty, "no class was made")
            try await store.addClass(item, groups: [group])
            try await store.addClass(item, groups: [])
            try expect(await code { try await store.addClass(item, groups: [group]) } == .invalidArgument, "twice")
            try expect(await code { try await store.addClass(other, groups: []) } == .invalidArgument, "another scheme")
            try expect(try await store.classes() == [item], "classes")
            try expect(try await store.groups().last == group, "groups")
            try await store.createBucket(Sample.bucket("c"))
            let missing = await code { try await store.setBucketClass("c", "WARM") }
            try expect(missing == .invalidArgument, "no such class")
            let nowhere = await code { try await store.setBucketClass("nowhere", "COLD") }
            try expect(nowhere == .noSuchBucket, "no such bucket")
            try await store.setBucketClass("c", "COLD")
            try expect(try await store.bucket("c")?.storageClass == "COLD", "default")
            try expect(try await store.buckets(owner: nil).map(\.storageClass) == [nil, "COLD"], "in lists")
            try expect(await code { try await store.removeClass("COLD") } == .invalidArgument, "in use")
            try await store.setBucketClass("c", nil)
            try expect(try await store.bucket("c")?.storageClass == nil, "no default")
            try await store.removeClass("COLD")
            try expect(await code { try await store.removeClass("COLD") } == .invalidArgument, "gone")
            try expect(try await store.classes().isEmpty, "no class is left")
            try expect(try await store.groups().count == 2, "its groups stay")
        },
        Check("rewrites into classes are bounded, kept, held and ended, and go with their bucket") { store in
            let lease = try await store.prepare()
            let old = try await store.put(lease, 1, "old")
            try await store.addClass(StorageClass(name: "IA", scheme: try Sample.scheme()), groups: [])
            let wanted = ClassRewrite(bucket: "b", prefix: "o", storageClass: "IA", rate: 7)
            let unknown = ClassRewrite(bucket: "b", storageClass: "WARM", rate: 7)
            try expect(await code { _ = try await store.beginClassRewrite(unknown) } == .invalidArgument, "class")
            let nowhere = ClassRewrite(bucket: "nowhere", storageClass: "IA", rate: 7)
            try expect(await code { _ = try await store.beginClassRewrite(nowhere) } == .noSuchBucket, "bucket")
            let begun = try await store.beginClassRewrite(wanted)
            let number = try await store.version(bucket: "b", key: "old")?.version.number
            try expect(begun.before > number ?? .max, "versions that are there are meant")
            let later = try await store.put(lease, 2, "later")
            let newer = try await store.version(bucket: "b", key: "later")?.version.number
            try expect(begun.before <= newer ?? 0, "later ones are not")
            try expect(await code { _ = try await store.beginClassRewrite(wanted) } == .invalidArgument, "twice")
            try expect(await code { try await store.removeClass("IA") } == .invalidArgument, "its class is in use")
            try expect(try await store.classRewrites() == [begun], "kept")
            try expect(try await store.pauseClassRewrite("b", true), "paused")
            try expect(try await store.classRewrites().map(\.isPaused) == [true], "held")
            try expect(try await store.pauseClassRewrite("c", true) == false, "there is none")

            // A move that labels: the version is the same but for that.
            var move = MoveTransaction.Move(
                owner: .version(bucket: "b", key: "old", number: number ?? 0),
                before: [Sample.extent(old)],
                after: [Sample.extent(old)],
                storageClass: "IA"
            )
            let before = try await store.version(bucket: "b", key: "old")?.version
            try expect(try await store.move(MoveTransaction(lease: lease, blobs: [], moves: [move])) == [true], "moved")
            var labelled = try await store.version(bucket: "b", key: "old")?.version
            try expect(labelled?.attributes.storageClass == "IA", "label")
            labelled?.attributes.storageClass = before?.attributes.storageClass ?? ""
            try expect(labelled == before, "the rest")
            move.owner = .version(bucket: "b", key: "later", number: number ?? 0)
            move.before = [Sample.extent(later)]
            move.after = [Sample.extent(later)]
            try expect(
                try await store.move(MoveTransaction(lease: lease, blobs: [], moves: [move])) == [false],
                "other"
            )

            try expect(try await store.endClassRewrite("b", before: begun.before + 1) == false, "another one")
            try expect(try await store.endClassRewrite("b", before: begun.before), "ended")
            try expect(try await store.endClassRewrite("b", before: nil) == false, "there is none now")
            _ = try await store.beginClassRewrite(wanted)
            for key in ["old", "later"] { try expect(try await store.delete(key), key) }
            try await store.deleteBucket("b")
            try expect(try await store.classRewrites().isEmpty, "gone with the bucket")
            try await store.removeClass("IA")
        },
        Check("nodes in maintenance are noted until they are not, and forgotten when it is over") { store in
            _ = try await store.prepare()
            func noted() async throws -> [String] {
                try await store.maintenances().map { "\($0.site)/\($0.node) \($0.until.milliseconds)" }
            }
            func begin(_ site: String, _ node: String, until: Int64, now: Int64) async throws {
                let until = WallTime(milliseconds: until)
                let maintenance = NodeMaintenance(site: SiteName(site), node: NodeName(node), until: until)
                try await store.beginMaintenance(maintenance, now: WallTime(milliseconds: now))
            }
            func end(_ site: String, _ node: String) async throws -> Bool {
                try await store.endMaintenance(SiteName(site), NodeName(node))
            }
            try expect(try await end("s", "n") == false, "there is none")
            try await begin("s", "n", until: 10, now: 1)
            try await begin("s", "m", until: 20, now: 1)
            try expect(try await noted() == ["s/m 20", "s/n 10"], "both")
            try await begin("s", "n", until: 12, now: 2)
            try expect(try await noted() == ["s/m 20", "s/n 12"], "replaced")
            try await begin("t", "n", until: 30, now: 12)
            try expect(try await noted() == ["s/m 20", "t/n 30"], "what is over is gone")
            try expect(try await end("s", "n") == false, "of another site")
            try expect(try await end("t", "n"), "ended")
            try expect(try await end("s", "m"), "ended")
            try expect(try await noted().isEmpty, "none")
        },
        Check("a forced start is noted until an operator accepts it, and known ever after") { store in
            _ = try await store.prepare()
            try expect(try await store.forcedStart() == nil, "there was none")
            try expect(try await store.acceptForcedStart() == false, "none to accept")
            let (first, second) = (WallTime(milliseconds: 7), WallTime(milliseconds: 9))
            try await store.noteForcedStart(ForcedStart(time: first))
            try expect(try await store.forcedStart() == ForcedStart(time: first), "noted")
            try expect(try await store.acceptForcedStart(), "accepted")
            try expect(try await store.acceptForcedStart() == false, "accepted already")
            try expect(try await store.forcedStart() == ForcedStart(time: first, isAccepted: true), "known")
            try await store.noteForcedStart(ForcedStart(time: second))
            try expect(try await store.forcedStart() == ForcedStart(time: second), "another is to be accepted anew")
        },
        Check("leases that were granted are known ever after, and others not before their loss is accepted") { store in
            let lease = try await store.prepare()
            func knows(_ incarnation: UInt32, _ number: UInt32) async throws -> Bool {
                try await store.grantedLeases().contains(WriteLease(incarnation: incarnation, number: number))
            }
            try expect(try await knows(1, 1), "the first")
            try expect(try await !knows(1, 2), "not granted yet")
            _ = try await store.grantLease(holder: Sample.node)
            try expect(try await knows(1, 2), "granted")
            try await store.endLease(lease)
            try await store.beginIncarnation(9)
            try expect(try await knows(1, 1), "ended")
            try expect(try await knows(1, 2), "of an incarnation before")
            try expect(try await !knows(9, 1), "none granted yet")
            for (incarnation, number) in [(1, 3), (5, 1), (12, 1)] as [(UInt32, UInt32)] {
                try expect(try await !knows(incarnation, number), "never granted")
            }
            try await store.noteForcedStart(ForcedStart(time: WallTime(milliseconds: 7), forgotten: 12))
            try expect(try await !knows(12, 1), "not accepted yet")
            try expect(try await store.acceptForcedStart(), "accepted")
            for (incarnation, number) in [(1, 3), (5, 1), (9, 1), (12, 1)] as [(UInt32, UInt32)] {
                try expect(try await knows(incarnation, number), "accepted")
            }
            try expect(try await !knows(13, 1), "above all that was accepted")
            try await store.beginIncarnation(20)
            _ = try await store.grantLease(holder: Sample.node)
            try expect(try await knows(20, 1), "granted behind it")
            try expect(try await !knows(19, 1), "never begun")
        },
        Check("from which generation on a node's certificates count never falls") { store in
            _ = try await store.prepare()
            func note(_ floors: (String, UInt32)...) async throws -> [String] {
                try await store.noteCertificateFloors(
                    floors.map { CertificateFloor(node: NodeName($0.0), generation: $0.1) }
                )
                return try await store.certificateFloors().map { "\($0.node) \($0.generation)" }
            }
            try expect(try await note().isEmpty, "there is none")
            try expect(try await note(("n", 7), ("m", 1)) == ["m 1", "n 7"], "by node")
            try expect(try await note(("n", 6), ("m", 2)) == ["m 2", "n 7"], "the higher one")
        },
        Check("groups keep their scheme and their epoch never falls") { store in
            _ = try await store.prepare()
            guard var group = try await store.groups().first else { throw Violation(description: "no group") }
            group.epoch = 0
            let falling = group
            try expect(await code { try await store.putGroups([falling]) } == .invalidArgument, "epoch")
            group.members.removeLast()
            let short = group
            try expect(await code { try await store.putGroups([short]) } == .invalidArgument, "members")
        },
        Check("after a small change nearly all ranges of an export are the same bytes") { store in
            let lease = try await store.prepare()
            let blob = try await store.put(lease, 1, "first")
            let writes = (0..<4_000).map { index in
                WriteTransaction.Write.version(
                    Sample.version("b", "folder/object-\(index)", [Sample.extent(blob)]),
                    .none
                )
            }
            _ = try await store.commit(WriteTransaction(lease: nil, blobs: [], writes: writes))
            func ranges() async throws -> Set<[UInt8]> {
                let snapshot = try await store.snapshot()
                var (found, cursor): (Set<[UInt8]>, [UInt8]?) = ([], nil)
                repeat {
                    let range = try await snapshot.exportRows(from: cursor, limit: 64 << 10)
                    try expect(range.bytes.count < 65 << 10, "a range of \(range.bytes.count)")
                    found.insert(range.bytes)
                    cursor = range.next
                } while cursor != nil
                return found
            }
            let before = try await ranges()
            try await store.put(lease, 2, "folder/object-17-and-a-half")
            let shared = try await ranges().intersection(before).count
            try expect(before.count > 8 && shared >= before.count - 5, "\(shared) of \(before.count)")
        },
        Check("an export in ranges makes the same store again") { store in
            let lease = try await store.prepare()
            for index in 1...200 as ClosedRange<UInt64> { try await store.put(lease, index, "key-\(index)") }
            let snapshot = try await store.snapshot()
            try await store.delete("key-7")
            let copy = JournaledMetadataStore.inMemory(journal: FakeJournal())
            try await copy.beginImport()
            try expect(await code { _ = try await copy.position() } != nil, "half an import has no position")
            var (cursor, ranges): ([UInt8]?, Int) = (nil, 0)
            repeat {
                let range = try await snapshot.exportRows(from: cursor, limit: 2_000)
                try await copy.importRows(range.bytes)
                (cursor, ranges) = (range.next, ranges + 1)
            } while cursor != nil
            try await copy.finishImport()
            try expect(ranges > 5, "\(ranges) ranges")
            try expect(try await copy.position() == snapshot.position, "position")
            let names = try await copy.names().names
            try expect(names.count == 200 && names.contains("key-7"), "one moment")
            try await copy.put(lease, 999, "new")
            try expect(try await copy.statistics().versions == 201, "it works on")
        },
    ]
}
