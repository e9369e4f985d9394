/// What a running store offers its operator. Implemented where the store is put together; called by `AdminServer`.
///
/// Calls come from any task, several at a time; each must be safe to repeat. Durations are bounded: long work is begun,
/// and `status` shows how it goes.
package protocol AdminService: Sendable {
    /// A consistent picture of now, from memory and one read of the metadata: cheap enough for once a second.
    func status() async throws(AdminError) -> StatusReport

    /// Takes an empty disk in the place of the named one and begins to rebuild what that held.
    ///
    /// Durable when it returns. `name` is any of `DiskNames`.
    /// `conflict` when something that cannot be read now may need the disk, unless `isForced`.
    func replaceDisk(named name: String, isForced: Bool) async throws(AdminError) -> DiskReplacement

    /// What `replaceDisk` would come to. Changes nothing; what would refuse it is told in the answer.
    func planReplacement(ofDisk name: String, isForced: Bool) async throws(AdminError) -> DiskLossReport

    /// Gives up a disk that is gone: others take its place, and what it held is made anew on them.
    ///
    /// Durable when it returns; the rebuild begins at once. `name` as for `replaceDisk`.
    func retireDisk(named name: String, isForced: Bool) async throws(AdminError) -> DiskRetirementReport

    /// What `retireDisk` would come to. As for `planReplacement`.
    func planRetirement(ofDisk name: String, isForced: Bool) async throws(AdminError) -> DiskLossReport

    /// Takes empty disks of a node that are not in use into the store: all of them, or the one in a slot. Durable when
    /// it returns; they hold nothing until shards are moved to them.
    func addDisks(node: String, slot: String?) async throws(AdminError) -> DiskAddition

    /// What `addDisks`, and evening out after it, would come to. Changes nothing.
    func planAddition(_ question: AdditionQuestion) async throws(AdminError) -> DiskAdditionReport

    /// Begins to move shards, or only tells what that would take. Durable when it returns, and goes on after a restart.
    func beginMoves(_ request: MoveRequest) async throws(AdminError) -> MovePlanReport

    /// How the moves go.
    func moves() async throws(AdminError) -> MovesReport

    /// Pauses, resumes or cancels them. A cancellation is durable when it returns.
    func control(_ action: MovesAction) async throws(AdminError) -> MovesReport

    /// Sets what repair may take, until the program starts again; how it goes then.
    func setRepairRate(_ change: RepairRateChange) async throws(AdminError) -> RepairReport

    /// Repairs only what has no spare shard, for so many seconds or (nil) until `resumeRepair`; how it goes then. Kept
    /// over a restart; durable when it returns.
    func pauseRepair(for seconds: Int?) async throws(AdminError) -> RepairReport

    /// Repairs everything again. Durable when it returns.
    func resumeRepair() async throws(AdminError) -> RepairReport

    /// Adds a user; the keys are made where they are not given. Durable when it returns.
    func addUser(_ user: NewUser) async throws(AdminError) -> UserKeys

    /// All users, by name, without secrets.
    func users() async throws(AdminError) -> [UserReport]

    /// Removes a user: its keys stop working, its buckets stay. Durable when it returns.
    func removeUser(named name: String) async throws(AdminError)

    /// What a restore needs and the disks do not hold (DESIGN §10); the store notes durably that it was taken.
    func recoveryKit() async throws(AdminError) -> RecoveryKit

    /// Begins a verification of every shard now; one that runs already goes on.
    func startScrub() async throws(AdminError) -> ScrubStart

    /// How the scrub is, from memory.
    func scrub() async throws(AdminError) -> ScrubReport

    /// Begins to read a disk, a node's disks or a bucket now; `target` is never everything. `.conflict` while the scrub
    /// is paused there.
    func startScrub(_ target: ScrubTarget) async throws(AdminError) -> ScrubAnswer

    /// Stops reading by date; what a repair or an operator waits for goes on. Kept over a restart.
    func pauseScrub(_ target: ScrubTarget) async throws(AdminError) -> ScrubAnswer

    /// Goes on where it was.
    func resumeScrub(_ target: ScrubTarget) async throws(AdminError) -> ScrubAnswer

    /// A one-use token with which a node joins the cluster within so many seconds; kept durably before it is given out.
    /// `member`: lets that member join again, which has lost its folder, and nobody else; `notFound` when it is none.
    func makeNodeToken(validFor seconds: Int, replacing member: String?) async throws(AdminError) -> NodeToken

    /// The nodes that were ever heard of and not removed.
    func nodes() async throws(AdminError) -> NodesReport

    /// Forgets a node that has ended and holds no disk in use; `conflict` when it runs or holds one, `notFound` when
    /// there is none of this name. The list in the coordinator's folder follows at once.
    func removeNode(named name: String) async throws(AdminError) -> NodesReport.Node

    /// The nodes that are in maintenance.
    func maintenances() async throws(AdminError) -> MaintenanceReport

    /// Notes that a node's disks are to be waited for, or no longer. Durable when it returns. `notFound` when there is
    /// no such node.
    func setMaintenance(_ request: MaintenanceRequest) async throws(AdminError) -> MaintenanceReport

    /// Ends what a forced start, or one with metadata that was put back, began: garbage is inferred again. Durable when
    /// it returns; `conflict` when there is no such start, or it was accepted before.
    func acceptForcedStart() async throws(AdminError)

    /// Founds the store on the empty disks of the nodes that have joined. Durable when it returns.
    func formCluster() async throws(AdminError) -> ClusterFormation

    /// Everything that `Doctor` judges by; as cheap as `status`.
    func examine() async throws(AdminError) -> StoreExamination

    /// What would be if the named disks, nodes and sites were lost at once. Changes nothing.
    ///
    /// `notFound` or `badRequest` when a name is none, or that of several.
    func planLoss(_ question: LossQuestion) async throws(AdminError) -> LossPlanReport

    /// What would be if these disks were added and the shards evened out. Changes nothing. `badRequest` when a node of
    /// that name stands in another site.
    func planGrowth(_ question: GrowthQuestion) async throws(AdminError) -> GrowthPlanReport

    /// All storage classes, with what each survives now.
    func classes() async throws(AdminError) -> ClassesReport

    /// Adds a class, or only tells what it would survive. Durable when it returns; `conflict` with the reason when it
    /// could not hold its promise on these disks.
    func addClass(_ request: ClassRequest) async throws(AdminError) -> ClassAddition

    /// Removes a class; what was written in it stays. `conflict` while it is a bucket's default.
    func removeClass(named name: String) async throws(AdminError)

    /// Sets the class of later writes into a bucket that name none. Durable when it returns.
    func setBucketClass(_ request: BucketClass) async throws(AdminError) -> BucketClass

    /// Begins to rewrite objects into another class, or only tells what that would take. Durable when it returns, and
    /// goes on after a restart. `conflict` while the bucket is being rewritten already.
    func applyClass(_ application: ClassApplication) async throws(AdminError) -> ClassApplicationReport

    /// How what is rewritten goes, by bucket.
    func classRewrites() async throws(AdminError) -> ClassRewritesReport

    /// Pauses, resumes or cancels the rewriting of a bucket. Durable when it returns.
    func control(_ control: ClassRewriteControl) async throws(AdminError) -> ClassRewritesReport
}

extension AdminService {
    /// A store in one process is no cluster.
    package func makeNodeToken(
        validFor seconds: Int,
        replacing member: String?
    ) async throws(AdminError) -> NodeToken { throw Self.isNoCluster }

    package func nodes() async throws(AdminError) -> NodesReport { throw Self.isNoCluster }

    package func removeNode(named name: String) async throws(AdminError) -> NodesReport.Node { throw Self.isNoCluster }

    package func formCluster() async throws(AdminError) -> ClusterFormation { throw Self.isNoCluster }

    private static var isNoCluster: AdminError {
        AdminError(
            .badRequest,
            "this store runs in one process: it has no nodes of their own",
            advice: "`cairn cluster init` makes a cluster."
        )
    }
}
