internal import BlobStorage
internal import Metadata
internal import ObjectInterface
package import ObjectModel
package import Placement
import Synchronization

/// Why a storage class is not added, removed or made a bucket's default.
package enum ClassChangeError: Error, Hashable, Sendable, CustomStringConvertible {
    case badName(String)
    case standard
    case noSuchClass(String)
    case noSuchBucket(String)
    /// It has another scheme already.
    case exists(String, scheme: Scheme)
    /// It is the default of these buckets.
    case inUse(String, buckets: [String])
    /// Buckets are being rewritten into it.
    case isTarget(String, buckets: [String])
    case isRewriting(String)
    case notRewriting(String)
    case tooMany
    /// It could not hold its promise on these disks.
    case refused(ClassPlan.Refusal)
    case busy
    case failed(String)

    package var description: String {
        switch self {
        case .badName(let name):
            "\(name) is no name for a class: upper-case letters, digits, _ and -, at most \(StorageClass.nameLimit)"
        case .standard: "STANDARD is the scheme that the store was made with: it cannot be changed or removed"
        case .noSuchClass(let name): "there is no class \(name): `cairn admin class list` shows them"
        case .noSuchBucket(let name): "there is no bucket \(name)"
        case .exists(let name, let scheme): "there is a class \(name) already, with \(scheme)"
        case .inUse(let name, let buckets):
            "\(name) is the default of \(buckets.joined(separator: ", ")): "
                + "change that first by `cairn admin bucket class`"
        case .isTarget(let name, let buckets):
            "\(buckets.joined(separator: ", ")) is being rewritten into \(name): "
                + "wait, or cancel that by `cairn admin class rewrites cancel`"
        case .isRewriting(let bucket):
            "objects of \(bucket) are being rewritten already: wait until `cairn admin class rewrites` shows none, or "
                + "cancel that by `cairn admin class rewrites cancel --bucket \(bucket)`"
        case .notRewriting(let bucket): "no objects of \(bucket) are being rewritten"
        case .tooMany: "a store has at most \(StorageClass.limit) classes"
        case .refused(let refusal): "refused: \(refusal)"
        case .busy: StoreDecision.busy
        case .failed(let reason): reason
        }
    }
}

// Storage classes: several schemes side by side.
extension Store {
    /// What a class of this scheme would be on the disks that work now; refused when it could not hold its promise.
    package func planClass(_ scheme: Scheme) async throws(ClassChangeError) -> ClassPlan {
        await watchDisks()
        do {
            let records = try await metadata.disks()
            let conditions = blobs.view.conditions
            func working(_ state: DiskRecord.State) -> [DiskID] {
                records.filter { $0.state == state && conditions[$0.id]?.isUsable ?? false }.map(\.id)
            }
            let next = try await metadata.groups().map { $0.id.number + 1 }.max() ?? 0
            return try ClassPlan(
                scheme,
                map: blobs.view.map,
                usable: Set(working(.active)),
                emptied: working(.draining).count,
                capacities: await capacities(),
                next: next
            )
        } catch let refusal as ClassPlan.Refusal {
            throw .refused(refusal)
        } catch {
            throw .failed("\(error)")
        }
    }

    /// Adds a class and the groups that its scheme does not have yet: durable on return, and used from then on by this
    /// process; by others once they have heard of it. The journal gets further keepers in the background where the
    /// class promises more than there was so far, and its checkpoint is written anew for the same reason.
    package func addClass(_ item: StorageClass) async throws(ClassChangeError) -> ClassPlan {
        // Groups must not be made of a disk that is being given up meanwhile.
        guard await beginCommand() else { throw .busy }
        defer { endCommand() }
        try await checkName(of: item)
        let plan = try await planClass(item.scheme)
        try await classErrors {
            try await self.metadata.addClass(item, groups: plan.added.map(GroupRecord.init))
            try await self.reloadMap()
        }
        checkpointer.request()
        return plan
    }

    /// Whether a class may be added under this name.
    package func checkName(of item: StorageClass) async throws(ClassChangeError) {
        guard StorageClass.isName(item.name) else { throw .badName(item.name) }
        guard item.name != StorageClass.standard else { throw .standard }
        let classes = try await classErrors { try await self.metadata.classes() }
        if let known = classes.first(where: { $0.name == item.name }) {
            guard known == item else { throw .exists(item.name, scheme: known.scheme) }
        } else if classes.count >= StorageClass.limit {
            throw .tooMany
        }
    }

    /// Removes a class that is no bucket's default. What was written in it stays as it is; new objects with its label
    /// are stored as the bucket's default says.
    package func removeClass(_ name: String) async throws(ClassChangeError) {
        guard name != StorageClass.standard else { throw .standard }
        try await requireClass(name)
        let buckets = try await classErrors {
            try await self.metadata.buckets(owner: nil).filter { $0.storageClass == name }.map(\.name)
        }
        guard buckets.isEmpty else { throw .inUse(name, buckets: buckets) }
        let rewritten = try await classErrors {
            try await self.metadata.classRewrites().filter { $0.storageClass == name }.map(\.bucket)
        }
        guard rewritten.isEmpty else { throw .isTarget(name, buckets: rewritten) }
        try await classErrors {
            try await self.metadata.removeClass(name)
            try await self.reloadMap()
        }
    }

    /// Makes a class the one of later writes into a bucket that name none; nil, or `STANDARD`, for none.
    package func setBucketClass(_ bucket: String, _ name: String?) async throws(ClassChangeError) {
        let name = name == StorageClass.standard ? nil : name
        if let name { try await requireClass(name) }
        let known = try await classErrors { try await self.metadata.bucket(bucket) }
        guard known != nil else { throw .noSuchBucket(bucket) }
        try await classErrors { try await self.metadata.setBucketClass(bucket, name) }
    }

    private func requireClass(_ name: String) async throws(ClassChangeError) {
        let classes = try await classErrors { try await self.metadata.classes() }
        guard classes.contains(where: { $0.name == name }) else { throw .noSuchClass(name) }
    }

    @discardableResult
    private func classErrors<Value>(_ body: () async throws -> Value) async throws(ClassChangeError) -> Value {
        do {
            return try await body()
        } catch let error as StorageError {
            throw .failed(error.message)
        } catch {
            throw .failed("\(error)")
        }
    }
}

extension GroupRecord {
    /// A group that is new.
    init(_ group: ClusterMap.Group) {
        self.init(id: group.id, epoch: group.epoch, scheme: group.scheme, members: group.members)
    }
}
