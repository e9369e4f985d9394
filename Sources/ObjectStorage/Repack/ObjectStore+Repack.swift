internal import BlobStorage
package import Metadata
package import ObjectInterface
package import ObjectModel
internal import Placement
internal import SystemInterface

/// Live frames of sparse blobs in a new blob that is durable and proved, and that no metadata names yet.
///
/// As long as it lives its write lease does not end, and its sources are not erased.
package struct Repack: ~Copyable, Sendable {
    package let record: BlobRecord
    package let sources: [BlobID]
    fileprivate let moves: [MoveTransaction.Move]
    fileprivate let session: WriteSession
    fileprivate let hold: BlobHold
}

/// What a repack came to: owners that find their bytes in the new blob now, and owners that had changed meanwhile.
package struct RepackOutcome: Hashable, Sendable {
    package var moved: Int
    package var refused: Int
    /// Of those moved, versions that are labelled with the target's class now.
    package var labelled = 0
}

extension ObjectStore {
    /// Moves of one transaction at most: bounds the journal record.
    private static let moveLimit = 256

    /// Writes what lives of the blobs as one new blob; nil when nothing of them does any more.
    ///
    /// The blobs are of one scheme, which the new one keeps. With a `target` only what its versions name goes on, from
    /// blobs of any scheme but its own into one of its own; the rest stays where it is.
    ///
    /// Each source is read in full and proved equal to its ingest digest; the new blob is on as many shards as a PUT is
    /// acknowledged with, every one of them is verified, and it is read back, before this returns. On an error nothing
    /// of it stays. To be followed by `commit`.
    package func repack(_ ids: [BlobID], into target: ClassTarget? = nil) async throws(StorageError) -> Repack? {
        let (plan, hold) = try await planRepack(ids, target)
        guard !plan.frames.isEmpty else { return nil }
        guard plan.storedLength <= Limits.blobLength else {
            throw StorageError(.internalFailure, "What lives of these blobs does not fit into one.")
        }
        let scheme: Scheme
        if let target { scheme = target.scheme } else { scheme = try commonScheme(of: plan.sources) }
        let moves = try await moves(plan, target)
        let session = try await leases.begin()
        let blob = session.nextBlob()
        let record: BlobRecord
        do throws(BlobError) {
            record = try await write(plan, as: blob, scheme: scheme, usesReserve: target == nil)
        } catch {
            let error = StorageError(error)
            session.noteFailure(error)
            throw error
        }
        return Repack(
            record: record,
            sources: plan.sources.map(\.record.id),
            moves: moves(blob),
            session: session,
            hold: hold
        )
    }

    private func commonScheme(of sources: [RepackPlan.Source]) throws(StorageError) -> Scheme {
        let schemes = Set(sources.map { blobs.view.group($0.record.group)?.scheme })
        guard schemes.count == 1, let scheme = schemes.first ?? nil else {
            throw StorageError(.internalFailure, "Blobs of several schemes cannot become one.")
        }
        return scheme
    }

    /// The moves to the new blob, once it has an id. A version whose bytes all lie in the target's scheme then gets its
    /// label, not before: a label must not promise what some of the bytes do not keep.
    private func moves(
        _ plan: RepackPlan,
        _ target: ClassTarget?
    ) async throws(StorageError) -> @Sendable (BlobID) -> [MoveTransaction.Move] {
        guard let target else { return { plan.moves(to: $0) } }
        let sources = Set(plan.sources.map(\.record.id))
        var others: [BlobID: Bool] = [:]
        for extent in plan.owners.flatMap(\.extents) where !sources.contains(extent.blob) && others[extent.blob] == nil
        {
            let group = try await metadata.blob(extent.blob)?.group
            others[extent.blob] = group.flatMap { blobs.view.group($0)?.scheme } == target.scheme
        }
        let fitting = Set(others.filter(\.value).keys)
        return { blob in
            plan.moves(to: blob).map { move in
                var move = move
                let isWhole = move.after.allSatisfy { $0.blob == blob || fitting.contains($0.blob) }
                if isWhole { move.storageClass = target.rewrite.storageClass }
                return move
            }
        }
    }

    /// Lets the owners name the new blob: each only if it still is what it was when the repack was planned, so that an
    /// overwrite or delete since then wins. A source that nothing names any more is dead from here on.
    package func commit(_ repack: consuming Repack) async throws(StorageError) -> RepackOutcome {
        defer { repack.session.end() }
        var outcome = RepackOutcome(moved: 0, refused: 0)
        var rest = repack.moves[...]
        await blobs.buggify.pause(.repackLate, time)
        do {
            while !rest.isEmpty {
                let moves = Array(rest.prefix(Self.moveLimit))
                rest = rest.dropFirst(Self.moveLimit)
                let blobs = outcome.moved == 0 ? [repack.record] : []
                let results = try await metadata.move(
                    MoveTransaction(lease: repack.session.lease, blobs: blobs, moves: moves)
                )
                outcome.moved += results.count { $0 }
                outcome.refused += results.count { !$0 }
                outcome.labelled += zip(moves, results).count { $0.storageClass != nil && $1 }
            }
        } catch {
            repack.session.noteFailure(error)
            // An unknown outcome may have been committed: then the new blob is live and stays.
            if outcome.moved == 0, error.code != .unknownOutcome { await erase(repack.record) }
            throw error
        }
        if outcome.moved == 0 { await erase(repack.record) }
        return outcome
    }

    // MARK: Reading

    /// Looks the blobs and their owners up and keeps the blobs from being erased as long as the hold lives.
    private func planRepack(
        _ ids: [BlobID],
        _ target: ClassTarget?
    ) async throws(StorageError) -> (RepackPlan, BlobHold) {
        let turn = readers.enter()
        do {
            var records: [BlobRecord] = []
            var owners: [BlobOwner] = []
            var seen: Set<MoveTransaction.Move.Owner> = []
            for id in ids {
                // A sealed frame cannot go to another blob as it is: its nonce is made of its place.
                guard let record = try await metadata.blob(id), record.dataKeys.isEmpty else { continue }
                if let target, blobs.view.group(record.group)?.scheme == target.scheme { continue }
                records.append(record)
                owners += try await metadata.owners(of: id).filter {
                    (target?.covers($0.owner) ?? true) && seen.insert($0.owner).inserted
                }
            }
            return (try RepackPlan(records, owners: owners), readers.hold(records.map(\.id), entered: turn))
        } catch {
            _ = readers.hold([], entered: turn)
            throw error
        }
    }

    // MARK: Writing

    private func write(
        _ plan: RepackPlan,
        as blob: BlobID,
        scheme: Scheme,
        usesReserve: Bool
    ) async throws(BlobError) -> BlobRecord {
        let frames = FrameIndex.simplest(plan.frames)
        var writer = try await RepackWriter(
            store: blobs,
            blob: blob,
            scheme: scheme,
            length: plan.storedLength,
            usesReserve: usesReserve
        )
        let receipt: BlobReceipt
        let digest: ContentDigest
        do throws(BlobError) {
            for source in plan.sources { try await copyFrames(of: source, to: &writer) }
        } catch {
            await writer.abort()
            throw error
        }
        (receipt, digest) = try await writer.finish(
            frames: frames,
            identity: plan.identity(limit: writer.identityLimit)
        )
        let record = BlobRecord(
            id: blob,
            group: receipt.group,
            length: plan.storedLength,
            frames: frames,
            ingestDigest: digest,
            missing: receipt.missing,
            groupEpoch: receipt.groupEpoch
        )
        do throws(BlobError) {
            guard !receipt.isDegraded else { throw .tooFewDisks("a repack needs the shards of a whole write") }
            try await prove(record)
        } catch {
            await erase(record)
            throw error
        }
        return record
    }

    private func copyFrames(of source: RepackPlan.Source, to writer: inout RepackWriter) async throws(BlobError) {
        // The closure cannot borrow `writer` across calls: it hands it out and takes it back.
        var current = writer
        try await VerifiedFrames(store: blobs, decoder: decoder).read(source.record) { frame throws(BlobError) in
            if source.places[frame.number] != nil { try await current.append(frame) }
        }
        writer = current
    }

    /// Reads the new blob back: every shard by its disk, and the whole as a client would.
    private func prove(_ record: BlobRecord) async throws(BlobError) {
        let location = try blobs.locate(
            record.id,
            length: record.length,
            group: record.group,
            missing: record.missing,
            moving: record.moving
        )
        let present = location.members.indices.filter { !location.missing.contains(UInt8($0)) }
        for shard in present {
            let id = ShardID(blob: record.id, index: UInt8(shard))
            let isGood = (try? await blobs.nodes.verify(location.members[shard], id)) ?? false
            guard isGood else {
                throw .unreadable(record.id, good: present.count - 1, needed: present.count)
            }
        }
        try await VerifiedFrames(store: blobs, decoder: decoder).read(record)
    }

    private func erase(_ record: BlobRecord) async { await blobs.eraseUncommitted(record.id, of: record.group) }
}
