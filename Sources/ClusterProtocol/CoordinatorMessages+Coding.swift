internal import ObjectModel

/// Message kinds of joining, beats, and calls to gateways.
package enum CoordinatorMessageKind {
    package static let call: UInt16 = 0x4301
    package static let response: UInt16 = 0x4302
    package static let gatewayCall: UInt16 = 0x4303
    package static let gatewayResponse: UInt16 = 0x4304
    /// The layout's version.
    package static let version: UInt16 = 1

    /// UTF-8 bytes of a name, address or message at most.
    static let textLimit = 4_096
    /// Bytes of a certificate or key in PEM at most.
    static let certificateLimit = 64 << 10
    /// Nodes, and disks, of one cluster at most.
    static let nodeLimit = 65_536
    static let groupLimit = 1 << 20
    /// Write leases of all nodes together at most.
    static let leaseLimit = 1 << 20
    static let credentialLimit = 1 << 20
    /// Blobs of one `held` at most.
    package static let blobLimit = 65_536

    static func checkHead(_ decoder: inout MessageDecoder, kind: UInt16) throws(MessageError) {
        let head = try decoder.head()
        guard head.version == version else { throw .unknownVersion(head.version) }
        guard head.kind == kind else { throw .unknownKind(head.kind) }
    }

    /// The kind of a message, of whatever version; nil for what is none.
    package static func kind(of header: [UInt8]) -> UInt16? {
        var decoder = MessageDecoder(header)
        return (try? decoder.head())?.kind
    }
}

extension CoordinatorCall {
    package var encoded: [UInt8] {
        var out = MessageEncoder(
            MessageHead(version: CoordinatorMessageKind.version, kind: CoordinatorMessageKind.call)
        )
        switch self {
        case .join(let request):
            out.append(UInt8(1))
            out.append(bytes: request.secret)
            out.append(text: request.name.name)
            out.append(text: request.site.name)
            out.append(text: request.publicKey)
        case .renew(let key):
            out.append(UInt8(2))
            out.append(text: key)
        case .beat(let beat):
            out.append(UInt8(beat.process == nil ? 3 : 5))
            if let process = beat.process { out.append(process) }
            out.append(beat.address)
            out.append(beat.incarnation)
            out.append(beat.mapVersion)
            out.append(beat.credentialsVersion)
            out.append(list: beat.suspects.prefix(NodeBeat.suspectLimit)) { $0.append($1) }
            out.append(list: beat.degraded.prefix(NodeBeat.degradedLimit)) { $0.append($1) }
        case .certificates: out.append(UInt8(4))
        }
        return out.bytes
    }

    package init(decoding bytes: [UInt8]) throws(MessageError) {
        var decoder = MessageDecoder(bytes)
        try CoordinatorMessageKind.checkHead(&decoder, kind: CoordinatorMessageKind.call)
        switch try decoder.integer(UInt8.self) {
        case 1:
            self = .join(
                JoinRequest(
                    secret: try decoder.byteString(limit: CoordinatorMessageKind.textLimit),
                    name: NodeName(try decoder.name()),
                    site: SiteName(try decoder.name()),
                    publicKey: try decoder.text(limit: CoordinatorMessageKind.certificateLimit)
                )
            )
        case 2: self = .renew(publicKey: try decoder.text(limit: CoordinatorMessageKind.certificateLimit))
        case 3: self = .beat(try decoder.beat(process: nil))
        case 4: self = .certificates
        case 5:
            let process: UInt64 = try decoder.integer()
            self = .beat(try decoder.beat(process: process))
        default: throw .invalid(field: "coordinator call")
        }
        try decoder.finish()
    }
}

extension MessageDecoder {
    fileprivate mutating func beat(process: UInt64?) throws(MessageError) -> NodeBeat {
        NodeBeat(
            address: try nodeAddress(),
            incarnation: try integer(),
            mapVersion: try integer(),
            credentialsVersion: try integer(),
            suspects: try list(limit: NodeBeat.suspectLimit) { d throws(MessageError) in try d.shardID() },
            degraded: try list(limit: NodeBeat.degradedLimit) { d throws(MessageError) in try d.blobID() },
            process: process
        )
    }
}

extension CoordinatorResponse {
    package var encoded: [UInt8] {
        var out = MessageEncoder(
            MessageHead(version: CoordinatorMessageKind.version, kind: CoordinatorMessageKind.response)
        )
        switch self {
        case .joined(let certificate):
            out.append(UInt8(1))
            out.append(certificate.cluster)
            out.append(text: certificate.certificate)
            out.append(text: certificate.authority)
        case .state(let state):
            out.append(UInt8(2))
            out.append(state)
        case .refused(let reason):
            out.append(UInt8(3))
            out.append(words: reason)
        case .certificates(let floors):
            out.append(UInt8(4))
            out.append(list: floors.prefix(CoordinatorMessageKind.nodeLimit)) { out, floor in
                out.append(text: floor.node.name)
                out.append(floor.generation)
            }
        case .dismissed(let reason):
            out.append(UInt8(5))
            out.append(words: reason)
        }
        return out.bytes
    }

    package init(decoding bytes: [UInt8]) throws(MessageError) {
        var decoder = MessageDecoder(bytes)
        try CoordinatorMessageKind.checkHead(&decoder, kind: CoordinatorMessageKind.response)
        switch try decoder.integer(UInt8.self) {
        case 1:
            self = .joined(
                NodeCertificate(
                    cluster: try decoder.clusterID(),
                    certificate: try decoder.text(limit: CoordinatorMessageKind.certificateLimit),
                    authority: try decoder.text(limit: CoordinatorMessageKind.certificateLimit)
                )
            )
        case 2: self = .state(try decoder.clusterState())
        case 3: self = .refused(try decoder.words())
        case 4:
            self = .certificates(
                try decoder.list(limit: CoordinatorMessageKind.nodeLimit) { d throws(MessageError) in
                    CertificateFloor(node: NodeName(try d.name()), generation: try d.integer())
                }
            )
        case 5: self = .dismissed(try decoder.words())
        default: throw .invalid(field: "coordinator response")
        }
        try decoder.finish()
    }
}

extension GatewayCall {
    package var encoded: [UInt8] {
        var out = MessageEncoder(
            MessageHead(version: CoordinatorMessageKind.version, kind: CoordinatorMessageKind.gatewayCall)
        )
        switch self {
        case .held(let blobs):
            out.append(UInt8(1))
            out.append(list: blobs.prefix(CoordinatorMessageKind.blobLimit)) { $0.append($1) }
        case .follow(let incarnation, let host, let port):
            out.append(UInt8(2))
            out.append(incarnation)
            out.append(text: host)
            out.append(UInt16(clamping: port))
        case .nodes: out.append(UInt8(3))
        }
        return out.bytes
    }

    package init(decoding bytes: [UInt8]) throws(MessageError) {
        var decoder = MessageDecoder(bytes)
        try CoordinatorMessageKind.checkHead(&decoder, kind: CoordinatorMessageKind.gatewayCall)
        switch try decoder.integer(UInt8.self) {
        case 1:
            self = .held(
                try decoder.list(limit: CoordinatorMessageKind.blobLimit) { d throws(MessageError) in try d.blobID() }
            )
        case 2:
            self = .follow(
                incarnation: try decoder.integer(),
                host: try decoder.name(),
                port: Int(try decoder.integer(UInt16.self))
            )
        case 3: self = .nodes
        default: throw .invalid(field: "gateway call")
        }
        try decoder.finish()
    }
}

extension GatewayResponse {
    package var encoded: [UInt8] {
        var out = MessageEncoder(
            MessageHead(version: CoordinatorMessageKind.version, kind: CoordinatorMessageKind.gatewayResponse)
        )
        switch self {
        case .held(let blobs):
            out.append(UInt8(1))
            out.append(list: blobs.prefix(CoordinatorMessageKind.blobLimit)) { $0.append($1) }
        case .nodes(let nodes):
            out.append(UInt8(2))
            out.append(list: nodes.prefix(CoordinatorMessageKind.nodeLimit)) { $0.append($1) }
        case .refused(let reason):
            out.append(UInt8(3))
            out.append(words: reason)
        }
        return out.bytes
    }

    package init(decoding bytes: [UInt8]) throws(MessageError) {
        var decoder = MessageDecoder(bytes)
        try CoordinatorMessageKind.checkHead(&decoder, kind: CoordinatorMessageKind.gatewayResponse)
        switch try decoder.integer(UInt8.self) {
        case 1:
            self = .held(
                try decoder.list(limit: CoordinatorMessageKind.blobLimit) { d throws(MessageError) in try d.blobID() }
            )
        case 2:
            self = .nodes(
                try decoder.list(limit: CoordinatorMessageKind.nodeLimit) { d throws(MessageError) in
                    try d.nodeAddress()
                }
            )
        case 3: self = .refused(try decoder.words())
        default: throw .invalid(field: "gateway response")
        }
        try decoder.finish()
    }
}

// MARK: Parts

extension MessageEncoder {
    fileprivate mutating func append(_ address: NodeAddress) {
        append(text: address.name.name)
        append(text: address.site.name)
        append(text: address.host)
        append(UInt16(clamping: address.port))
    }

    fileprivate mutating func append(_ state: ClusterState) {
        append(state.incarnation)
        append(text: state.region)
        append(optional: state.map) { out, map in
            out.append(map.version)
            out.append(list: map.nodes) { $0.append($1) }
            out.append(list: map.disks) { out, disk in
                out.append(disk.id)
                out.append(text: disk.site.name)
                out.append(text: disk.node.name)
            }
            out.append(list: map.groups) { out, group in
                out.append(group.id.number)
                out.append(group.epoch)
                out.append(group.scheme)
                out.append(list: group.members) { $0.append($1) }
                out.append(list: group.former.sorted { $0.key < $1.key }) { out, place in
                    out.append(place.key)
                    out.append(place.value)
                }
            }
            out.append(list: map.classes) { out, item in
                out.append(text: item.name)
                out.append(item.scheme)
            }
        }
        append(optional: state.credentials) { out, credentials in
            out.append(credentials.version)
            out.append(list: credentials.entries) { out, entry in
                for text in [entry.user, entry.displayName, entry.accessKey, entry.secretKey] { out.append(text: text) }
            }
        }
        append(list: state.conditions) { out, condition in
            out.append(condition.disk)
            out.append(condition.isUsable)
            out.append(count: condition.hangs ? DiskFitness.hangingRoom : max(0, condition.room))
        }
        append(optional: state.leases) { out, leases in
            out.append(list: leases.prefix(CoordinatorMessageKind.leaseLimit)) { out, held in
                out.append(held.lease.incarnation)
                out.append(held.lease.number)
                out.append(text: held.holder.name)
            }
        }
    }
}

extension MessageDecoder {
    fileprivate mutating func name() throws(MessageError) -> String {
        try text(limit: CoordinatorMessageKind.textLimit)
    }

    fileprivate mutating func nodeAddress() throws(MessageError) -> NodeAddress {
        NodeAddress(
            name: NodeName(try name()),
            site: SiteName(try name()),
            host: try name(),
            port: Int(try integer(UInt16.self))
        )
    }

    fileprivate mutating func clusterState() throws(MessageError) -> ClusterState {
        ClusterState(
            incarnation: try integer(),
            region: try name(),
            map: try optional { d throws(MessageError) in try d.mapUpdate() },
            credentials: try optional { d throws(MessageError) in try d.credentialsUpdate() },
            conditions: try list(limit: CoordinatorMessageKind.nodeLimit) { d throws(MessageError) in
                try d.diskFitness()
            },
            leases: try optional { d throws(MessageError) in
                try d.list(limit: CoordinatorMessageKind.leaseLimit) { d throws(MessageError) in try d.heldLease() }
            }
        )
    }

    private mutating func diskFitness() throws(MessageError) -> DiskFitness {
        let (disk, isUsable, room) = (try diskID(), try bool(), try count())
        let hangs = room == DiskFitness.hangingRoom
        return DiskFitness(disk: disk, isUsable: isUsable, hangs: hangs, room: hangs ? 0 : room)
    }

    private mutating func heldLease() throws(MessageError) -> HeldLease {
        HeldLease(
            lease: WriteLease(incarnation: try integer(), number: try integer()),
            holder: NodeName(try name())
        )
    }

    private mutating func mapUpdate() throws(MessageError) -> MapUpdate {
        MapUpdate(
            version: try integer(),
            nodes: try list(limit: CoordinatorMessageKind.nodeLimit) { d throws(MessageError) in try d.nodeAddress() },
            disks: try list(limit: CoordinatorMessageKind.nodeLimit) { d throws(MessageError) in
                MapUpdate.Disk(id: try d.diskID(), site: SiteName(try d.name()), node: NodeName(try d.name()))
            },
            groups: try list(limit: CoordinatorMessageKind.groupLimit) { d throws(MessageError) in try d.group() },
            classes: try classes()
        )
    }

    private mutating func classes() throws(MessageError) -> [StorageClass] {
        let classes = try list(limit: StorageClass.limit) { d throws(MessageError) in
            StorageClass(name: try d.text(limit: StorageClass.nameLimit), scheme: try d.scheme())
        }
        guard classes.allSatisfy({ StorageClass.isName($0.name) }),
            zip(classes, classes.dropFirst()).allSatisfy({ $0.name < $1.name })
        else { throw .invalid(field: "storage classes") }
        return classes
    }

    private mutating func group() throws(MessageError) -> MapUpdate.Group {
        let id = GroupID(try integer())
        let epoch: UInt32 = try integer()
        let scheme = try scheme()
        let members = try list(limit: Scheme.maximumShardCount) { d throws(MessageError) in try d.diskID() }
        guard members.count == scheme.shardCount else { throw .invalid(field: "members of a group") }
        let former = try list(limit: Scheme.maximumShardCount) { d throws(MessageError) in
            (place: try d.integer(UInt8.self), disk: try d.diskID())
        }
        guard former.allSatisfy({ Int($0.place) < members.count }),
            zip(former, former.dropFirst()).allSatisfy({ $0.place < $1.place })
        else { throw .invalid(field: "moves of a group") }
        return MapUpdate.Group(
            id: id,
            epoch: epoch,
            scheme: scheme,
            members: members,
            former: Dictionary(uniqueKeysWithValues: former.map { ($0.place, $0.disk) })
        )
    }

    private mutating func credentialsUpdate() throws(MessageError) -> CredentialsUpdate {
        CredentialsUpdate(
            version: try integer(),
            entries: try list(limit: CoordinatorMessageKind.credentialLimit) { d throws(MessageError) in
                CredentialsUpdate.Entry(
                    user: try d.name(),
                    displayName: try d.name(),
                    accessKey: try d.name(),
                    secretKey: try d.name()
                )
            }
        )
    }
}

extension DiskFitness {
    /// Stands for the room of a disk that hangs, which is none: no disk has so much. A gateway of a version that does
    /// not know of it goes on writing there, as it did.
    fileprivate static let hangingRoom = Int.max
}
