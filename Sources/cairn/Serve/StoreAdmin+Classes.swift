import AdminGateway
import BlobStorage
import Coordination
import Metadata
import ObjectInterface
import ObjectModel
import Placement

/// The operator's commands about storage classes.
extension StoreAdmin {
    func classes() async throws(AdminError) -> ClassesReport {
        do {
            let status = try await store.status()
            let snapshot = try await store.snapshot(status)
            let buckets = try await store.metadata.buckets(owner: nil)
            let standard = store.blobs.view.standardScheme.map { StorageClass(name: StorageClass.standard, scheme: $0) }
            let classes = (standard.map { [$0] } ?? []) + (try await store.metadata.classes())
            var reports: [ClassReport] = []
            for item in classes {
                let own = snapshot.store.only(item.scheme)
                let names = buckets.filter { ($0.storageClass ?? StorageClass.standard) == item.name }.map(\.name)
                guard let survival = Survival(own.layout, without: own.away) else { continue }
                reports.append(
                    try report(
                        item,
                        own,
                        survival,
                        journal: LossAssembly.journal(own),
                        buckets: item.name == StorageClass.standard ? [] : names
                    )
                )
            }
            return ClassesReport(
                classes: reports,
                keepers: snapshot.store.keepers.all.count,
                keepersNeeded: try await store.keepersWanted(),
                closed: status.groups.closed.map { ClosedGroupsReport(scheme: $0.key.name, groups: $0.value) }
                    .sorted { $0.scheme < $1.scheme }
            )
        } catch {
            throw adminError(error)
        }
    }

    func addClass(_ request: ClassRequest) async throws(AdminError) -> ClassAddition {
        guard let scheme = Scheme(name: request.scheme) else {
            throw AdminError(
                .badRequest,
                "\(request.scheme) is no scheme",
                advice: "Give rs-K-M, such as rs-6-3: K and M from 1 on, together at most \(Scheme.maximumShardCount)."
            )
        }
        let item = StorageClass(name: request.name, scheme: scheme)
        let plan = try await added(item, isDryRun: request.isDryRun)
        do {
            let status = try await store.status()
            var own = try await store.snapshot(status).store
            own.layout = plan.layout
            let keepers = own.keepers.all.count
            return ClassAddition(
                storageClass: try report(item, own, plan.survival, journal: plan.journal, buckets: []),
                groupsMade: plan.added.count,
                keepers: keepers,
                keepersNeeded: max(plan.keepers, try await store.keepersWanted()),
                isDryRun: request.isDryRun
            )
        } catch {
            throw adminError(error)
        }
    }

    private func added(_ item: StorageClass, isDryRun: Bool) async throws(AdminError) -> ClassPlan {
        do throws(ClassChangeError) {
            guard isDryRun else { return try await store.addClass(item) }
            try await store.checkName(of: item)
            return try await store.planClass(item.scheme)
        } catch {
            throw AdminError(error)
        }
    }

    func removeClass(named name: String) async throws(AdminError) {
        do throws(ClassChangeError) {
            try await store.removeClass(name)
        } catch {
            throw AdminError(error)
        }
    }

    func setBucketClass(_ request: BucketClass) async throws(AdminError) -> BucketClass {
        do throws(ClassChangeError) {
            try await store.setBucketClass(request.bucket, request.storageClass)
            return request
        } catch {
            throw AdminError(error)
        }
    }

    private func report(
        _ item: StorageClass,
        _ own: LossPlan.Store,
        _ survival: Survival,
        journal: Survival?,
        buckets: [String]
    ) throws -> ClassReport {
        ClassReport(
            name: item.name,
            scheme: item.scheme.name,
            dataShards: item.scheme.dataCount,
            totalShards: item.scheme.shardCount,
            groups: own.layout.groups.count,
            survives: LossAssembly.report(survival).limited(by: journal.map(LossAssembly.report)),
            durability: try LossAssembly.durability(own),
            buckets: buckets
        )
    }
}

extension LossPlan.Store {
    /// The same with the groups of one scheme alone.
    fileprivate func only(_ scheme: Scheme) -> Self {
        var own = self
        own.layout.groups.removeAll { $0.scheme != scheme }
        // What it would be worth to what is written into it.
        own.layout.unused = []
        own.layout.damaged.removeAll { $0.group.scheme != scheme }
        return own
    }
}

extension AdminError {
    init(_ error: ClassChangeError) {
        let (code, advice): (Code, String) =
            switch error {
            case .badName: (.badRequest, "")
            case .noSuchClass, .noSuchBucket: (.notFound, "")
            case .exists: (.conflict, "Give another name, or remove it first.")
            case .refused: (.conflict, "Nothing was changed. Add disks, or give a smaller scheme.")
            case .notRewriting: (.notFound, "`cairn admin class rewrites` shows what is being rewritten.")
            case .standard, .inUse, .isTarget, .isRewriting, .tooMany, .busy: (.conflict, "")
            case .failed: (.failed, "")
            }
        self.init(code, error.description, advice: advice)
    }
}
