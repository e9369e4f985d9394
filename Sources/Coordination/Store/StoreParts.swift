internal import BlobStorage
internal import Checksums
internal import Metadata
internal import ObjectModel
internal import ObjectStorage
internal import StorageNode
internal import SystemInterface

/// What `Store.open` has put together.
struct StoreParts {
    var configuration: StoreConfiguration
    var cluster: ClusterID
    var metadata: any ReplicatedMetadata
    var journal: Journal
    var journalTask: Task<Void, Never>
    var blobs: BlobStore
    var agents: [NodeName: NodeAgent]
    var nodes: [NodeMember]
    var served: [DiskID: ServedDisk]
    var transport: any Transport
    var time: any TimeSource
    var random: any RandomSource
    var md5: MD5Engine
    var absent: [SlotPlace: String]
    var paths: [SlotPlace: String]
}

/// What a store makes of them.
extension StoreParts {
    func makeObjects() -> ObjectStore {
        let node = configuration.holder ?? configuration.slots.first?.node ?? NodeName("coordinator")
        return ObjectStore(
            metadata: metadata,
            blobs: blobs,
            node: node,
            time: time,
            random: random,
            md5: md5,
            memoryLimit: configuration.requestMemory
        )
    }

    /// `budget`: shared with the moves, so that both together keep within the rates.
    func makeRepairer(budget: RepairBudget) -> Repairer {
        Repairer(metadata: metadata, blobs: blobs, time: time, budget: budget, folder: configuration.stateFolder)
    }

    /// `budget`: that of the repairs.
    func makeMover(budget: RepairBudget) -> Mover {
        Mover(
            metadata: metadata,
            blobs: blobs,
            time: time,
            budget: budget,
            notice: configuration.nodes.isEmpty ? .zero : Membership.mapPatience,
            folder: configuration.stateFolder
        )
    }

    func makeScrubber() -> Scrubber {
        Scrubber(
            metadata: metadata,
            blobs: blobs,
            time: time,
            settings: configuration.scrub,
            folder: configuration.stateFolder
        )
    }

    /// Leaves what is being read, in this process or by gateways in others.
    func makeGarbageCollector(readers: BlobReaders, remote: RemoteReaders) -> GarbageCollector {
        GarbageCollector(metadata: metadata, blobs: blobs, time: time) { [time] dead in
            let here = await readers.held(among: dead, time: time)
            return here.union(await remote.held(among: dead))
        }
    }

    func makeRepacker(of objects: ObjectStore) -> Repacker {
        Repacker(metadata: metadata, objects: objects, time: time, grace: configuration.repackGrace)
    }

    /// Collects nothing unless metadata may tell garbage, its rows are sound, and the journal is this process's.
    func makeOrphanCollector(rows: RowChecker) -> OrphanCollector {
        OrphanCollector(
            metadata: metadata,
            blobs: blobs,
            time: time,
            quarantine: configuration.orphanQuarantine,
            isSound: { [metadata] in
                guard await metadata.mayTellGarbage() else { return false }
                return await rows.isSound()
            }
        ) { [journal] in journal.isConfirmed && journal.report.stopped == nil }
    }
}
