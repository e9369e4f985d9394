import Foundation
import NIOHTTP1

/// The calls of the admin socket: HTTP/1.1 with JSON bodies.
enum AdminRoute: String, CaseIterable {
    case status = "/v1/status"
    case replaceDisk = "/v1/disks/replace"
    case retireDisk = "/v1/disks/retire"
    case addDisks = "/v1/disks/add"
    // Questions have routes of their own: a store of before they came refuses them, and does nothing.
    case planReplacement = "/v1/disks/replace/plan"
    case planRetirement = "/v1/disks/retire/plan"
    case planAddition = "/v1/disks/add/plan"
    case beginMoves = "/v1/moves/begin"
    case moves = "/v1/moves"
    case controlMoves = "/v1/moves/control"
    case setRepairRate = "/v1/repair/rate"
    case pauseRepair = "/v1/repair/pause"
    case resumeRepair = "/v1/repair/resume"
    case addUser = "/v1/users/add"
    case listUsers = "/v1/users"
    case removeUser = "/v1/users/remove"
    case recoveryKit = "/v1/recovery-kit"
    case scrub = "/v1/scrub"
    case scrubStatus = "/v1/scrub/status"
    case scrubNow = "/v1/scrub/now"
    case pauseScrub = "/v1/scrub/pause"
    case resumeScrub = "/v1/scrub/resume"
    case nodes = "/v1/nodes"
    case nodeToken = "/v1/nodes/token"
    case removeNode = "/v1/nodes/remove"
    case maintenances = "/v1/nodes/maintenance"
    case setMaintenance = "/v1/nodes/maintenance/set"
    case acceptForcedStart = "/v1/journal/accept-loss"
    case formCluster = "/v1/cluster/form"
    case examine = "/v1/examination"
    case planLoss = "/v1/plan/lose"
    case planGrowth = "/v1/plan/add"
    case classes = "/v1/classes"
    case addClass = "/v1/classes/add"
    case removeClass = "/v1/classes/remove"
    case setBucketClass = "/v1/buckets/class"
    case applyClass = "/v1/classes/apply"
    case classRewrites = "/v1/classes/rewrites"
    case controlRewrite = "/v1/classes/rewrites/control"

    /// GET reads; POST changes something, or asks with a body.
    var method: HTTPMethod {
        switch self {
        case .status, .listUsers, .moves, .examine, .scrubStatus, .classes, .classRewrites, .maintenances,
            .nodes:
            .GET
        case .replaceDisk, .retireDisk, .addDisks, .planReplacement, .planRetirement, .planAddition,
            .beginMoves, .controlMoves, .setRepairRate, .addUser, .removeUser,
            .recoveryKit, .scrub, .scrubNow, .pauseScrub, .resumeScrub, .nodeToken, .removeNode, .formCluster,
            .planLoss, .planGrowth, .addClass, .removeClass, .setBucketClass, .setMaintenance, .applyClass,
            .controlRewrite, .acceptForcedStart, .pauseRepair, .resumeRepair:
            .POST
        }
    }

    /// Does the call and gives the body of the response.
    func respond(_ body: [UInt8], by service: some AdminService) async throws -> Data {
        switch self {
        case .status: try Self.encode(await service.status())
        case .replaceDisk: try await Self.encode(Self.replaceDisk(Self.decode(GivenUpDisk.self, body), by: service))
        case .retireDisk: try await Self.encode(Self.retireDisk(Self.decode(GivenUpDisk.self, body), by: service))
        case .addDisks:
            try await Self.encode(Self.add(Self.decode(AdditionRequest.self, body), by: service))
        case .planReplacement:
            try await Self.encode(Self.planReplacement(Self.decode(GivenUpDisk.self, body), by: service))
        case .planRetirement:
            try await Self.encode(Self.planRetirement(Self.decode(GivenUpDisk.self, body), by: service))
        case .planAddition: try Self.encode(await service.planAddition(Self.decode(AdditionQuestion.self, body)))
        case .beginMoves: try Self.encode(await service.beginMoves(Self.decode(MoveRequest.self, body)))
        case .moves: try Self.encode(await service.moves())
        case .controlMoves:
            try Self.encode(await service.control(Self.decode(MovesRequest.self, body).action))
        case .setRepairRate: try Self.encode(await service.setRepairRate(Self.decode(RepairRateChange.self, body)))
        case .pauseRepair:
            try Self.encode(await service.pauseRepair(for: Self.decode(RepairPauseRequest.self, body).seconds))
        case .resumeRepair: try Self.encode(await service.resumeRepair())
        case .addUser: try Self.encode(await service.addUser(Self.decode(NewUser.self, body)))
        case .listUsers: try Self.encode(await service.users())
        case .removeUser: try await Self.encode(Self.remove(Self.decode(NameRequest.self, body), by: service))
        case .recoveryKit: try Self.encode(await service.recoveryKit())
        case .scrub: try Self.encode(await service.startScrub())
        case .scrubStatus: try Self.encode(await service.scrub())
        case .scrubNow: try Self.encode(await service.startScrub(Self.decode(ScrubTarget.self, body)))
        case .pauseScrub: try Self.encode(await service.pauseScrub(Self.decode(ScrubTarget.self, body)))
        case .resumeScrub: try Self.encode(await service.resumeScrub(Self.decode(ScrubTarget.self, body)))
        case .nodeToken:
            try await Self.encode(Self.token(Self.decode(TokenRequest.self, body), by: service))
        case .nodes: try Self.encode(await service.nodes())
        case .removeNode:
            try await Self.encode(service.removeNode(named: Self.decode(NameRequest.self, body).name))
        case .maintenances: try Self.encode(await service.maintenances())
        case .setMaintenance: try Self.encode(await service.setMaintenance(Self.decode(MaintenanceRequest.self, body)))
        case .acceptForcedStart: try await Self.encode(Self.acceptForcedStart(by: service))
        case .formCluster: try Self.encode(await service.formCluster())
        case .examine: try Self.encode(await service.examine())
        case .planLoss: try Self.encode(await service.planLoss(Self.decode(LossQuestion.self, body)))
        case .planGrowth: try Self.encode(await service.planGrowth(Self.decode(GrowthQuestion.self, body)))
        case .classes: try Self.encode(await service.classes())
        case .addClass: try Self.encode(await service.addClass(Self.decode(ClassRequest.self, body)))
        case .removeClass: try await Self.encode(Self.removeClass(Self.decode(NameRequest.self, body), by: service))
        case .applyClass: try Self.encode(await service.applyClass(Self.decode(ClassApplication.self, body)))
        case .classRewrites: try Self.encode(await service.classRewrites())
        case .controlRewrite: try Self.encode(await service.control(Self.decode(ClassRewriteControl.self, body)))
        case .setBucketClass: try Self.encode(await service.setBucketClass(Self.decode(BucketClass.self, body)))
        }
    }

    private static func remove(_ request: NameRequest, by service: some AdminService) async throws -> NameRequest {
        try await service.removeUser(named: request.name)
        return request
    }

    private static func replaceDisk(
        _ disk: GivenUpDisk,
        by service: some AdminService
    ) async throws -> DiskReplacement {
        try await service.replaceDisk(named: disk.name, isForced: disk.isForced)
    }

    private static func retireDisk(
        _ disk: GivenUpDisk,
        by service: some AdminService
    ) async throws -> DiskRetirementReport {
        try await service.retireDisk(named: disk.name, isForced: disk.isForced)
    }

    private static func planReplacement(
        _ disk: GivenUpDisk,
        by service: some AdminService
    ) async throws -> DiskLossReport {
        try await service.planReplacement(ofDisk: disk.name, isForced: disk.isForced)
    }

    private static func planRetirement(
        _ disk: GivenUpDisk,
        by service: some AdminService
    ) async throws -> DiskLossReport {
        try await service.planRetirement(ofDisk: disk.name, isForced: disk.isForced)
    }

    private static func removeClass(_ request: NameRequest, by service: some AdminService) async throws -> NameRequest {
        try await service.removeClass(named: request.name)
        return request
    }

    private static func acceptForcedStart(by service: some AdminService) async throws -> Done {
        try await service.acceptForcedStart()
        return Done()
    }

    private static func token(_ request: TokenRequest, by service: some AdminService) async throws -> NodeToken {
        try await service.makeNodeToken(validFor: request.seconds, replacing: request.replaces)
    }

    private static func add(_ request: AdditionRequest, by service: some AdminService) async throws -> DiskAddition {
        try await service.addDisks(node: request.node, slot: request.slot)
    }

    static func encode(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    static func decode<Value: Decodable>(_ type: Value.Type, _ body: some Sequence<UInt8>) throws(AdminError) -> Value {
        do { return try JSONDecoder().decode(type, from: Data(body)) } catch {
            throw AdminError(
                .badRequest,
                "the admin socket got a message that it does not understand",
                advice: "Use the same version of cairn for the command and the store."
            )
        }
    }
}

/// The answer to a call that has nothing to tell.
struct Done: Codable {}

/// The body of the calls that give up a disk.
struct GivenUpDisk: Codable {
    var name: String
    var isForced: Bool
}

/// The body of calls that name one thing.
struct NameRequest: Codable {
    var name: String
}

extension AdminError.Code {
    var status: HTTPResponseStatus {
        switch self {
        case .notFound: .notFound
        case .conflict, .alreadyRunning: .conflict
        case .badRequest: .badRequest
        case .unavailable, .notRunning: .serviceUnavailable
        case .failed: .internalServerError
        }
    }
}
