internal import ClusterProtocol
internal import Metadata
internal import ObjectModel

/// What stands in each slot of each node at a start, before anything is changed.
struct DiskSurvey: Sendable {
    struct Entry: Sendable {
        var place: SlotPlace
        var site: SiteName
        var path: String
        var finding: SlotReport.Finding
    }

    /// By node, and there in the order of the slots.
    var entries: [Entry] = []
    /// Nodes that did not answer.
    var silent: [NodeName: String] = [:]

    static func take(_ nodes: [NodeMember], _ calls: NodeCalls) async -> DiskSurvey {
        let answers = await withTaskGroup(of: Answer.self) { group in
            for node in nodes { group.addTask { await ask(node, calls) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var survey = DiskSurvey()
        for answer in answers.sorted(by: { $0.node.name < $1.node.name }) {
            let node = answer.node
            switch answer.slots {
            case .success(let slots):
                survey.entries += slots.map {
                    Entry(
                        place: SlotPlace(node: node.name, slot: $0.slot),
                        site: node.site,
                        path: $0.path,
                        finding: $0.finding
                    )
                }
            case .failure(let error): survey.silent[node.name] = error.description
            }
        }
        return survey
    }

    private struct Answer: Sendable {
        var node: NodeMember
        var slots: Result<[SlotReport], NodeCallError>
    }

    private static func ask(_ node: NodeMember, _ calls: NodeCalls) async -> Answer {
        do throws(NodeCallError) {
            let slots = try await calls.survey(node.name)
            return Answer(node: node, slots: .success(slots))
        } catch {
            return Answer(node: node, slots: .failure(error))
        }
    }

    var identities: [(entry: Entry, cluster: ClusterID, disk: DiskID)] {
        entries.compactMap { entry in
            if case .disk(let cluster, let disk) = entry.finding { (entry, cluster, disk) } else { nil }
        }
    }

    /// The slots that cannot be used, each with its reason, for people.
    var unusable: [String] {
        entries.compactMap { entry in
            guard case .unusable(let reason) = entry.finding else { return nil }
            let path = entry.path.isEmpty || entry.path == entry.place.slot ? "" : " (\(entry.path))"
            return "\(entry.place.slot)\(path): \(reason)"
        }
    }

    /// The cluster of the disks that `records` name; of all disks when none is named yet.
    func cluster(_ records: [DiskRecord]) -> ClusterID? {
        let known = Set(records.map(\.id))
        let named = identities.filter { known.contains($0.disk) }
        return (named.first ?? identities.first)?.cluster
    }
}
