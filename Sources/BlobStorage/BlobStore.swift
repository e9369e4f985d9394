internal import ClusterProtocol
package import DiskFormat
internal import ErasureCoding
package import ObjectModel
internal import Placement
internal import Synchronization
package import SystemInterface

/// Blobs on the disks of a cluster: written to a quorum, read from any k (DESIGN §4, §5).
///
/// Safe to share. Whoever writes holds a write lease for the blob ids it uses and commits what it wrote to metadata;
/// nothing here is visible to clients by itself.
package final class BlobStore: Sendable {
    /// How long a write waits for the shards beyond its quorum, or as long again as the quorum took if that is more
    /// (`FanOutPatience`). What is later is noted as missing and left to repair: one slow disk never holds a write.
    package static let stragglerGrace = Duration.milliseconds(250)
    /// The same for a group with a disk that a write was lately left behind by, or waited for alone for longer than
    /// `slowWrite`: it would wait for that one again.
    package static let knownStragglerGrace = Duration.milliseconds(50)
    /// A disk that a write still waits for after so long, though the others have done, is slow.
    package static let slowWrite = Duration.milliseconds(75)
    /// Idle buffers kept for stripes and reads.
    package static let poolLimit = 96 << 20

    package let view: ClusterView
    package let nodes: NodeClient
    package let pool: BufferPool
    let alarm: Alarm
    /// Where calls to nodes go on after each wait; nil is the global executor.
    package let executor: (any TaskExecutor)?
    let time: any TimeSource
    let random: any RandomSource
    package let buggify: Buggify
    private let coders = Mutex<[Scheme: ErasureCoder]>([:])
    private let badShardObserver = Mutex<(@Sendable (ShardID) -> Void)?>(nil)
    private let degradedReadObserver = Mutex<(@Sendable (BlobID) -> Void)?>(nil)

    package init(
        transport: any Transport,
        view: ClusterView,
        time: any TimeSource,
        random: any RandomSource,
        pool: BufferPool = BufferPool(limit: BlobStore.poolLimit),
        executor: (any TaskExecutor)? = nil,
        buggify: Buggify = .never
    ) {
        self.view = view
        nodes = NodeClient(transport: transport, view: view)
        self.pool = pool
        alarm = Alarm(time: time)
        self.executor = executor
        self.time = time
        self.random = random
        self.buggify = buggify
    }

    /// Called with each shard that a read found lost or bad, from any task: to be handed to repair.
    package func onBadShard(_ observer: @escaping @Sendable (ShardID) -> Void) {
        badShardObserver.withLock { $0 = observer }
    }

    func reportBad(_ shard: ShardID) { badShardObserver.withLock { $0 }?(shard) }

    /// Called with the blob of each read that had to do without a shard which is noted as missing, from any task: its
    /// repair is worth more than that of others.
    package func onDegradedRead(_ observer: @escaping @Sendable (BlobID) -> Void) {
        degradedReadObserver.withLock { $0 = observer }
    }

    func reportDegraded(_ blob: BlobID) { degradedReadObserver.withLock { $0 }?(blob) }

    func coder(for scheme: Scheme) throws(BlobError) -> ErasureCoder {
        if let coder = coders.withLock({ $0[scheme] }) { return coder }
        do {
            let coder = try ErasureCoder(scheme: scheme)
            coders.withLock { $0[scheme] = coder }
            return coder
        } catch {
            throw .unsupportedScheme("\(scheme): \(error)")
        }
    }

    /// Draws a write stamp for each of `count` shards.
    func writeStamps(_ count: Int) -> [UInt64] { (0..<count).map { _ in random.next() } }
}

/// What was stored of a blob: the caller's transaction names it.
package struct BlobReceipt: Hashable, Sendable {
    package var group: GroupID
    package var groupEpoch: UInt32
    /// Shards not durable when the write was acknowledged, ascending.
    package var missing: [UInt8]
    /// Fewer shards are durable than the scheme's write quorum.
    package var isDegraded: Bool

    package init(group: GroupID, groupEpoch: UInt32, missing: [UInt8], isDegraded: Bool) {
        self.group = group
        self.groupEpoch = groupEpoch
        self.missing = missing
        self.isDegraded = isDegraded
    }
}

/// What the writer of a blob knows of its bytes beside the bytes.
package struct BlobDescription: Sendable {
    package var frames: FrameIndex
    package var ingestDigest: ContentDigest
    package var dataKeys: [DataKey]
    /// Put into m+1 of the shards, so that any k of them include one.
    package var identity: IdentityBlock?

    package init(
        frames: FrameIndex,
        ingestDigest: ContentDigest,
        dataKeys: [DataKey] = [],
        identity: IdentityBlock? = nil
    ) {
        self.frames = frames
        self.ingestDigest = ingestDigest
        self.dataKeys = dataKeys
        self.identity = identity
    }

    /// The trailer of one shard. Identity lies in the first m+1 shards.
    func trailer(blobLength: Int, shardDigests: [ContentDigest], shard: Int, scheme: Scheme) -> ShardTrailer {
        ShardTrailer(
            blobLength: blobLength,
            shardDigests: shardDigests,
            ingestDigest: ingestDigest,
            frames: frames,
            dataKeys: dataKeys,
            identity: shard <= scheme.parityCount ? identity : nil
        )
    }
}
