internal import ClusterProtocol
internal import Metadata
internal import ObjectModel
internal import StorageNode
internal import SystemInterface

/// A journal keeper that a start lacks, in words for its operator.
struct MissingKeeper: Sendable {
    var name: String
    /// What was seen of it.
    var reason: String
    /// Its disk is there with what it holds, and counts once a hand has mended it: nothing of it is to be given up.
    var isMendable: Bool

    /// Why a journal does not start that needs `needed` of its keepers and has `reached`. A forced start is offered
    /// only where mending does not do: it gives up what the missing ones alone have.
    static func text(reached: Int, needed: Int, _ missing: [MissingKeeper]) -> String {
        let mendable = missing.filter(\.isMendable).count
        let list = missing.map { "\($0.name): \($0.reason)" }.joined(separator: "; ")
        var text = "the journal needs \(needed) of its keepers and \(reached) answered. Missing: \(list). "
        if mendable > 0 {
            text += "Mend those that are there and start again; replace, format and erase none of them"
        }
        if mendable == missing.count || reached + mendable >= needed {
            return text + ". Take out what cannot be mended: the start then says how to go on without it"
        }
        text += mendable > 0 ? ". Bring back the others. " : "Bring their disks back. "
        return text
            + "If they are gone for good\(mendable > 0 ? ", and the first are mended" : ""), start once with "
            + "--force-journal: changes that only the missing keepers have are then lost"
    }
}

/// Finds out why keepers are missing at a start that was refused, from what the start has seen and what the nodes say
/// now. Changes nothing.
struct MissingKeepers {
    var survey: DiskSurvey
    var served: [DiskID: ServedDisk]
    /// Why disks that are there could not be opened.
    var refusals: [DiskID: String]
    /// The disks as the database knows them.
    var records: [DiskID: DiskRecord]
    var transport: any Transport

    func explain(_ keepers: [DiskID]) async -> [MissingKeeper] {
        var missing: [MissingKeeper] = []
        for keeper in keepers { missing.append(await explain(keeper)) }
        return missing
    }

    private func explain(_ keeper: DiskID) async -> MissingKeeper {
        let name = records[keeper].map { "\($0.name) (\(keeper))" } ?? "\(keeper)"
        if let place = served[keeper]?.place { return await explainLog(of: keeper, at: place, name: name) }
        if let refusal = refusals[keeper] {
            return MissingKeeper(name: name, reason: "there, but \(refusal)", isMendable: true)
        }
        return explainAbsence(of: keeper, name: name)
    }

    private func explainLog(of keeper: DiskID, at place: SlotPlace, name: String) async -> MissingKeeper {
        let client = TransportKeeperClient(
            keeper: keeper,
            node: place.node.name,
            transport: transport,
            timeout: StoreOpening.keeperTimeout
        )
        do throws(KeeperCallError) {
            let state = try await client.state()
            if state.isFresh { return MissingKeeper(name: name, reason: "its journal is empty", isMendable: false) }
            // Behind the end that is not known: the refusal says why.
            if state.hasUnknownEnd { _ = try await client.read(from: .max, limit: 1) }
        } catch {
            switch error {
            case .unreachable: return MissingKeeper(name: name, reason: error.description, isMendable: false)
            case .refused(let refusal):
                var isMendable = false
                if case .failed = refusal { isMendable = true }
                return MissingKeeper(name: name, reason: "there, but \(refusal)", isMendable: isMendable)
            }
        }
        return MissingKeeper(name: name, reason: "there, but it did not take the journal up", isMendable: true)
    }

    private func explainAbsence(of keeper: DiskID, name: String) -> MissingKeeper {
        guard let record = records[keeper] else {
            return MissingKeeper(name: name, reason: "not found", isMendable: false)
        }
        if let silence = survey.silent[record.node] {
            return MissingKeeper(name: name, reason: "its node does not answer: \(silence)", isMendable: false)
        }
        switch survey.entries.first(where: { $0.place == record.place })?.finding {
        case .unusable(let reason):
            let isThere = reason != GivenDisk.noFolder
            return MissingKeeper(name: name, reason: isThere ? reason : "not found: \(reason)", isMendable: isThere)
        case .empty:
            let reason = "not found: its folder is empty, as one is where its file system is not mounted"
            return MissingKeeper(name: name, reason: reason, isMendable: false)
        case .occupied(let what):
            return MissingKeeper(name: name, reason: "not found: its folder holds \(what)", isMendable: false)
        case .disk: return MissingKeeper(name: name, reason: "not found: another disk is there", isMendable: false)
        case nil: return MissingKeeper(name: name, reason: "not found", isMendable: false)
        }
    }
}
