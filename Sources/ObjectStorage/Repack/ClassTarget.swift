internal import BlobStorage
package import Metadata
package import ObjectInterface
package import ObjectModel
internal import Placement

/// Versions of a bucket that are to be in a class: as its scheme says, and labelled with it.
package struct ClassTarget: Hashable, Sendable {
    package var rewrite: ClassRewrite
    package var scheme: Scheme

    package init(_ rewrite: ClassRewrite, scheme: Scheme) {
        self.rewrite = rewrite
        self.scheme = scheme
    }

    /// Whether the owner is one of them. Parts of uploads are not: their upload has a class of its own.
    func covers(_ owner: MoveTransaction.Move.Owner) -> Bool {
        guard case .version(let bucket, let key, let number) = owner else { return false }
        return bucket == rewrite.bucket && key.hasPrefix(bytes: rewrite.prefix) && number < rewrite.before
    }
}

extension String {
    /// As keys are listed: by bytes, where Swift's own `hasPrefix` compares characters.
    fileprivate func hasPrefix(bytes prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }
}

/// What a version lacks to be in a class.
package enum ClassGap: Sendable {
    /// Nothing: it is in the class, or came later.
    case none
    /// The label alone: its bytes lie as they should, or it has none.
    case label(MoveTransaction.Move)
    /// The bytes in these blobs, each of `bytes` in all.
    case blobs([BlobID], bytes: Int)
}

extension ObjectStore {
    /// What a version lacks to be in the class.
    package func gap(of detail: VersionDetail, to target: ClassTarget) -> ClassGap {
        let version = detail.version
        let owner = MoveTransaction.Move.Owner.version(
            bucket: version.bucket,
            key: version.key,
            number: version.number
        )
        guard target.covers(owner) else { return .none }
        let elsewhere = version.extents.filter { !lies([$0], of: detail, in: target.scheme) }
        guard elsewhere.isEmpty else {
            var ids: [BlobID] = []
            for extent in elsewhere where !ids.contains(extent.blob) { ids.append(extent.blob) }
            return .blobs(ids, bytes: elsewhere.reduce(0) { $0 + $1.length })
        }
        guard version.attributes.storageClass != target.rewrite.storageClass else { return .none }
        return .label(
            MoveTransaction.Move(
                owner: owner,
                before: version.extents,
                after: version.extents,
                storageClass: target.rewrite.storageClass
            )
        )
    }

    /// Logical bytes of a blob that the class's versions name, and how many do.
    package func usage(of blob: BlobID, by target: ClassTarget) async throws(StorageError) -> (bytes: Int, owners: Int)
    {
        let owners = try await metadata.owners(of: blob).filter { target.covers($0.owner) }
        let extents = owners.flatMap(\.extents).filter { $0.blob == blob }
        return (extents.reduce(0) { $0 + $1.length }, owners.count)
    }

    /// Labels versions with the class whose bytes lie in its scheme already: each only if it is what it was. Returns
    /// how many were not.
    package func relabel(_ moves: [MoveTransaction.Move]) async throws(StorageError) -> Int {
        guard !moves.isEmpty else { return 0 }
        let session = try await leases.begin()
        defer { session.end() }
        do {
            let results = try await metadata.move(MoveTransaction(lease: session.lease, blobs: [], moves: moves))
            return results.count { !$0 }
        } catch {
            session.noteFailure(error)
            throw error
        }
    }
}
