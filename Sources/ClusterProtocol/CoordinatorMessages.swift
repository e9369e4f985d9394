package import ObjectModel

/// A call to the coordinator beside metadata: joining, and the beat of each node (`Docs/ClusterProtocol.md`).
package enum CoordinatorCall: Hashable, Sendable {
    /// Asks for a certificate, with a one-use token; the only call that is answered without one.
    case join(JoinRequest)
    /// Asks for a new certificate before the old one runs out; the name is the caller's.
    case renew(publicKey: String)
    /// A node lives, and how. Answered by `.state`.
    case beat(NodeBeat)
    /// Which certificates of nodes count no more. Answered by `.certificates`; a coordinator that does not know of it
    /// refuses.
    case certificates
}

package enum CoordinatorResponse: Hashable, Sendable {
    case joined(NodeCertificate)
    case state(ClusterState)
    case refused(String)
    /// Of the nodes that are not here all certificates count.
    case certificates([CertificateFloor])
    /// To a beat: the caller's certificate counts no more.
    case dismissed(String)
}

/// The certificates of a node count from this generation on: those before it are of a machine that was removed, or that
/// another has replaced.
package struct CertificateFloor: Hashable, Sendable {
    package var node: NodeName
    package var generation: UInt32

    package init(node: NodeName, generation: UInt32) {
        self.node = node
        self.generation = generation
    }
}

package struct JoinRequest: Hashable, Sendable {
    /// The secret of the token.
    package var secret: [UInt8]
    package var name: NodeName
    package var site: SiteName
    /// PEM.
    package var publicKey: String

    package init(secret: [UInt8], name: NodeName, site: SiteName, publicKey: String) {
        self.secret = secret
        self.name = name
        self.site = site
        self.publicKey = publicKey
    }
}

/// What makes a machine a node of the cluster; PEM.
package struct NodeCertificate: Hashable, Sendable {
    package var cluster: ClusterID
    package var certificate: String
    package var authority: String

    package init(cluster: ClusterID, certificate: String, authority: String) {
        self.cluster = cluster
        self.certificate = certificate
        self.authority = authority
    }
}

/// Where a process of the cluster takes calls.
package struct NodeAddress: Hashable, Sendable {
    package var name: NodeName
    package var site: SiteName
    package var host: String
    package var port: Int

    package init(name: NodeName, site: SiteName, host: String, port: Int) {
        self.name = name
        self.site = site
        self.host = host
        self.port = port
    }
}

package struct NodeBeat: Hashable, Sendable {
    package var address: NodeAddress
    /// The highest incarnation that the node has heard of.
    package var incarnation: UInt32
    /// The map and the credentials that it has.
    package var mapVersion: UInt64
    package var credentialsVersion: UInt64
    /// Shards that its reads found lost or bad.
    package var suspects: [ShardID]
    /// Blobs of which its clients read what lacks a shard: they are repaired before others.
    package var degraded: [BlobID]
    /// Drawn at the start of the process, which two that run under one name are told apart by. A coordinator of the
    /// version before refuses a beat that has it; a node of that version says nothing.
    package var process: UInt64?

    /// Suspects in one beat at most.
    package static let suspectLimit = 4_096
    /// Degraded blobs in one beat at most.
    package static let degradedLimit = 1_024

    package init(
        address: NodeAddress,
        incarnation: UInt32,
        mapVersion: UInt64,
        credentialsVersion: UInt64,
        suspects: [ShardID],
        degraded: [BlobID] = [],
        process: UInt64? = nil
    ) {
        self.address = address
        self.incarnation = incarnation
        self.mapVersion = mapVersion
        self.credentialsVersion = credentialsVersion
        self.suspects = suspects
        self.degraded = degraded
        self.process = process
    }
}

/// What a node must know to serve: which of it comes is what the beat said is missing.
package struct ClusterState: Hashable, Sendable {
    /// 0 while the cluster is not formed, or the coordinator starts.
    package var incarnation: UInt32
    package var region: String
    package var map: MapUpdate?
    package var credentials: CredentialsUpdate?
    package var conditions: [DiskFitness]
    /// All write leases that nodes hold, read after the beat came; nil when they could not be read.
    package var leases: [HeldLease]?

    package init(
        incarnation: UInt32,
        region: String,
        map: MapUpdate?,
        credentials: CredentialsUpdate?,
        conditions: [DiskFitness],
        leases: [HeldLease]?
    ) {
        self.incarnation = incarnation
        self.region = region
        self.map = map
        self.credentials = credentials
        self.conditions = conditions
        self.leases = leases
    }
}

/// A write lease that has not ended, and the node that may write, and erase again, under it.
package struct HeldLease: Hashable, Sendable {
    package var lease: WriteLease
    package var holder: NodeName

    package init(lease: WriteLease, holder: NodeName) {
        self.lease = lease
        self.holder = holder
    }
}

/// Nodes, disks, groups and storage classes.
package struct MapUpdate: Hashable, Sendable {
    package struct Disk: Hashable, Sendable {
        package var id: DiskID
        package var site: SiteName
        package var node: NodeName

        package init(id: DiskID, site: SiteName, node: NodeName) {
            self.id = id
            self.site = site
            self.node = node
        }
    }

    package struct Group: Hashable, Sendable {
        package var id: GroupID
        package var epoch: UInt32
        package var scheme: Scheme
        package var members: [DiskID]
        /// By shard, of places that are being moved: the disk that stood there before.
        package var former: [UInt8: DiskID]

        package init(
            id: GroupID,
            epoch: UInt32,
            scheme: Scheme,
            members: [DiskID],
            former: [UInt8: DiskID] = [:]
        ) {
            self.id = id
            self.epoch = epoch
            self.scheme = scheme
            self.members = members
            self.former = former
        }
    }

    package var version: UInt64
    package var nodes: [NodeAddress]
    package var disks: [Disk]
    package var groups: [Group]
    /// Without `STANDARD`, by name, rising.
    package var classes: [StorageClass]

    package init(
        version: UInt64,
        nodes: [NodeAddress],
        disks: [Disk],
        groups: [Group],
        classes: [StorageClass] = []
    ) {
        self.version = version
        self.nodes = nodes
        self.disks = disks
        self.groups = groups
        self.classes = classes
    }
}

/// The keys that gateways check signatures with. Crosses only the mutually authenticated connection.
package struct CredentialsUpdate: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package var user: String
        package var displayName: String
        package var accessKey: String
        package var secretKey: String

        package init(user: String, displayName: String, accessKey: String, secretKey: String) {
            self.user = user
            self.displayName = displayName
            self.accessKey = accessKey
            self.secretKey = secretKey
        }
    }

    package var version: UInt64
    package var entries: [Entry]

    package init(version: UInt64, entries: [Entry]) {
        self.version = version
        self.entries = entries
    }
}

package struct DiskFitness: Hashable, Sendable {
    package var disk: DiskID
    package var isUsable: Bool
    /// A write to it hangs: it is read, and gets nothing new.
    package var hangs: Bool
    package var room: Int

    package init(disk: DiskID, isUsable: Bool, hangs: Bool = false, room: Int) {
        self.disk = disk
        self.isUsable = isUsable
        self.hangs = hangs
        self.room = room
    }
}

/// A call of the coordinator to a node's gateway.
package enum GatewayCall: Hashable, Sendable {
    /// Which of these dead blobs some read may still want. Answered once every look-up that began before has ended.
    case held([BlobID])
    /// The caller is the coordinator from here on, and takes calls there. Answered by `.nodes`.
    case follow(incarnation: UInt32, host: String, port: Int)
    /// Where all nodes are, as far as this one knows: for a coordinator that begins anew. Answered by `.nodes`.
    case nodes
}

package enum GatewayResponse: Hashable, Sendable {
    case held([BlobID])
    case nodes([NodeAddress])
    case refused(String)
}
