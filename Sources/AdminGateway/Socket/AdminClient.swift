import Foundation
import Glibc
import NIOHTTP1

/// Speaks to the store that runs on a data folder. Blocking: for commands, never for servers.
package struct AdminClient: Sendable {
    /// Seconds to wait for an answer: longer than a status of 10^9 objects takes, short enough for an operator.
    private static let timeout = 60
    /// The same for what makes files on many disks, each of them synced: slow disks need minutes for a whole cluster.
    private static let diskTimeout = 600
    /// Bytes of an answer at most: a status of thousands of disks is below.
    private static let answerLimit = 64 << 20

    private let directory: String

    package init(directory: String) { self.directory = directory }

    package func status() throws(AdminError) -> StatusReport { try call(.status) }

    package func replaceDisk(named name: String, isForced: Bool = false) throws(AdminError) -> DiskReplacement {
        try call(.replaceDisk, GivenUpDisk(name: name, isForced: isForced), timeout: Self.diskTimeout)
    }

    package func retireDisk(named name: String, isForced: Bool = false) throws(AdminError) -> DiskRetirementReport {
        try call(.retireDisk, GivenUpDisk(name: name, isForced: isForced))
    }

    package func addDisks(node: String, slot: String?) throws(AdminError) -> DiskAddition {
        try call(.addDisks, AdditionRequest(node: node, slot: slot), timeout: Self.diskTimeout)
    }

    package func planReplacement(ofDisk name: String, isForced: Bool = false) throws(AdminError) -> DiskLossReport {
        try call(.planReplacement, GivenUpDisk(name: name, isForced: isForced))
    }

    package func planRetirement(ofDisk name: String, isForced: Bool = false) throws(AdminError) -> DiskLossReport {
        try call(.planRetirement, GivenUpDisk(name: name, isForced: isForced))
    }

    package func planAddition(_ question: AdditionQuestion) throws(AdminError) -> DiskAdditionReport {
        try call(.planAddition, question)
    }

    package func beginMoves(_ request: MoveRequest) throws(AdminError) -> MovePlanReport {
        try call(.beginMoves, request)
    }

    package func moves() throws(AdminError) -> MovesReport { try call(.moves) }

    package func control(_ action: MovesAction) throws(AdminError) -> MovesReport {
        try call(.controlMoves, MovesRequest(action: action))
    }

    package func setRepairRate(_ change: RepairRateChange) throws(AdminError) -> RepairReport {
        try call(.setRepairRate, change)
    }

    package func pauseRepair(for seconds: Int?) throws(AdminError) -> RepairReport {
        try call(.pauseRepair, RepairPauseRequest(seconds: seconds))
    }

    package func resumeRepair() throws(AdminError) -> RepairReport { try call(.resumeRepair) }

    package func addUser(_ user: NewUser) throws(AdminError) -> UserKeys { try call(.addUser, user) }

    package func users() throws(AdminError) -> [UserReport] { try call(.listUsers) }

    package func removeUser(named name: String) throws(AdminError) {
        let _: NameRequest = try call(.removeUser, NameRequest(name: name))
    }

    package func recoveryKit() throws(AdminError) -> RecoveryKit { try call(.recoveryKit) }

    package func startScrub() throws(AdminError) -> ScrubStart { try call(.scrub) }

    package func scrub() throws(AdminError) -> ScrubReport { try call(.scrubStatus) }

    package func startScrub(_ target: ScrubTarget) throws(AdminError) -> ScrubAnswer { try call(.scrubNow, target) }

    package func pauseScrub(_ target: ScrubTarget) throws(AdminError) -> ScrubAnswer { try call(.pauseScrub, target) }

    package func resumeScrub(_ target: ScrubTarget) throws(AdminError) -> ScrubAnswer { try call(.resumeScrub, target) }

    package func makeNodeToken(
        validFor seconds: Int,
        replacing member: String? = nil
    ) throws(AdminError) -> NodeToken {
        try call(.nodeToken, TokenRequest(seconds: seconds, replaces: member))
    }

    package func nodes() throws(AdminError) -> NodesReport { try call(.nodes) }

    package func removeNode(named name: String) throws(AdminError) -> NodesReport.Node {
        try call(.removeNode, NameRequest(name: name))
    }

    package func maintenances() throws(AdminError) -> MaintenanceReport { try call(.maintenances) }

    package func setMaintenance(_ request: MaintenanceRequest) throws(AdminError) -> MaintenanceReport {
        try call(.setMaintenance, request)
    }

    package func acceptForcedStart() throws(AdminError) { let _: Done = try call(.acceptForcedStart) }

    package func formCluster() throws(AdminError) -> ClusterFormation {
        try call(.formCluster, Nothing(), timeout: Self.diskTimeout)
    }

    package func examine() throws(AdminError) -> StoreExamination { try call(.examine) }

    package func planLoss(_ question: LossQuestion) throws(AdminError) -> LossPlanReport {
        try call(.planLoss, question)
    }

    package func planGrowth(_ question: GrowthQuestion) throws(AdminError) -> GrowthPlanReport {
        try call(.planGrowth, question)
    }

    package func classes() throws(AdminError) -> ClassesReport { try call(.classes) }

    package func addClass(_ request: ClassRequest) throws(AdminError) -> ClassAddition { try call(.addClass, request) }

    package func removeClass(named name: String) throws(AdminError) {
        let _: NameRequest = try call(.removeClass, NameRequest(name: name))
    }

    package func setBucketClass(_ request: BucketClass) throws(AdminError) -> BucketClass {
        try call(.setBucketClass, request)
    }

    package func applyClass(_ application: ClassApplication) throws(AdminError) -> ClassApplicationReport {
        try call(.applyClass, application)
    }

    package func classRewrites() throws(AdminError) -> ClassRewritesReport { try call(.classRewrites) }

    package func control(_ control: ClassRewriteControl) throws(AdminError) -> ClassRewritesReport {
        try call(.controlRewrite, control)
    }

    // MARK: HTTP

    private struct Nothing: Encodable {}

    private func call<Answer: Decodable>(_ route: AdminRoute) throws(AdminError) -> Answer {
        try call(route, Nothing())
    }

    private func call<Answer: Decodable>(
        _ route: AdminRoute,
        _ value: some Encodable,
        timeout: Int = Self.timeout
    ) throws(AdminError) -> Answer {
        let body: Data
        do { body = try AdminRoute.encode(value) } catch { throw AdminError(.badRequest, "\(error)") }
        let descriptor = try AdminSocket.connect(in: directory)
        defer { close(descriptor) }
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let head =
            "\(route.method.rawValue) \(route.rawValue) HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n"
            + "content-type: application/json\r\ncontent-length: \(body.count)\r\n\r\n"
        try send(Array(head.utf8) + body, descriptor)
        let (status, answer) = try Self.split(receive(descriptor))
        guard status == 200 else { throw try AdminRoute.decode(AdminError.self, answer) }
        return try AdminRoute.decode(Answer.self, answer)
    }

    private func send(_ bytes: [UInt8], _ descriptor: Int32) throws(AdminError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw lost(errno) }
            rest = rest.dropFirst(count)
        }
    }

    /// Everything up to the end of the stream: the server closes behind its answer.
    private func receive(_ descriptor: Int32) throws(AdminError) -> [UInt8] {
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while answer.count < Self.answerLimit {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw lost(errno) }
            if count == 0 { return answer }
            answer += buffer[..<count]
        }
        throw AdminError(.failed, "the store's answer is longer than \(Self.answerLimit) bytes")
    }

    private func lost(_ number: Int32) -> AdminError {
        number == EAGAIN
            ? AdminError(
                .unavailable,
                "the store on \(directory) did not answer in time",
                advice: "Look at its log and its disks; the command may still have been done."
            )
            : AdminError(
                .unavailable,
                "the store on \(directory) ended the connection: \(String(cString: strerror(number)))",
                advice: "Look whether it still runs; the command may have been done."
            )
    }

    /// The status and the body of a response; the body must be as long as its head says.
    static func split(_ response: [UInt8]) throws(AdminError) -> (status: Int, body: ArraySlice<UInt8>) {
        let broken = AdminError(
            .unavailable,
            "the store's answer was cut short",
            advice: "Look whether it still runs; the command may have been done."
        )
        guard let end = response.firstRange(of: Array("\r\n\r\n".utf8)) else { throw broken }
        let lines = String(decoding: response[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        let body = response[end.upperBound...]
        let length = lines.compactMap { line -> Int? in
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "content-length" else { return nil }
            return Int(parts[1].drop { $0 == " " })
        }.first
        guard let words = lines.first?.split(separator: " "), words.count > 1, let status = Int(words[1]),
            length == body.count
        else { throw broken }
        return (status, body)
    }
}
