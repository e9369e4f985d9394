package import ClusterProtocol
package import DiskFormat
package import ObjectModel

/// What the keepers that can be reached hold between them. Taking it changes nothing: the first look of a start, of a
/// rebuild and of an offline inspection.
package struct JournalSurvey: Sendable {
    package struct Answer: Sendable {
        package var keeper: DiskID
        package var state: KeeperState
    }

    /// Those that answered, by keeper.
    package private(set) var answers: [Answer] = []
    /// Why the others did not.
    package private(set) var failures: [DiskID: KeeperCallError] = [:]

    package static func take(_ clients: [any KeeperClient]) async -> JournalSurvey {
        await ask(clients) { client async throws(KeeperCallError) in try await client.state() }
    }

    /// Asks all keepers at the same time.
    static func ask(
        _ clients: [any KeeperClient],
        _ question: @escaping @Sendable (any KeeperClient) async throws(KeeperCallError) -> KeeperState
    ) async -> JournalSurvey {
        await withTaskGroup(of: (DiskID, Result<KeeperState, KeeperCallError>).self) { group in
            for client in clients {
                group.addTask {
                    do throws(KeeperCallError) {
                        return (client.keeper, .success(try await question(client)))
                    } catch {
                        return (client.keeper, .failure(error))
                    }
                }
            }
            var survey = JournalSurvey()
            for await (keeper, result) in group {
                switch result {
                case .success(let state): survey.answers.append(Answer(keeper: keeper, state: state))
                case .failure(let error): survey.failures[keeper] = error
                }
            }
            survey.answers.sort { $0.keeper < $1.keeper }
            return survey
        }
    }

    /// True when no coordinator has written to any of them.
    package var isFresh: Bool { answers.allSatisfy { $0.state.isFresh } }

    /// True when none of them has ever held a record: a first start that was cut off leaves them so.
    var isEmpty: Bool {
        answers.allSatisfy { $0.state.last == .origin && $0.state.base == .origin && $0.state.damaged.isEmpty }
    }

    /// Keepers that know their log: neither empty among written ones, nor with an unknown end.
    package var knowing: [Answer] {
        isFresh ? answers : answers.filter { !$0.state.isFresh && !$0.state.hasUnknownEnd }
    }

    /// From best to worst: the log that was declared whole last, and of those the longest, is the journal.
    package var ranked: [Answer] {
        knowing.sorted { left, right in
            let (one, two) = (left.state, right.state)
            if one.written != two.written { return one.written > two.written }
            if one.last.sequence != two.last.sequence { return one.last.sequence > two.last.sequence }
            return left.keeper < right.keeper
        }
    }

    /// The latest reference any of them has, with the position it covers.
    package func reference() throws(JournalError) -> (base: JournalPosition, reference: JournalReference)? {
        var newest: (base: JournalPosition, reference: JournalReference)?
        for answer in answers where !answer.state.reference.isEmpty {
            let reference: JournalReference
            do throws(JournalFormatError) {
                reference = try JournalReference(decoding: answer.state.reference)
            } catch {
                throw .format(error)
            }
            let key = (answer.state.base.sequence, reference.keepers.generation)
            if let newest, (newest.base.sequence, newest.reference.keepers.generation) >= key { continue }
            newest = (answer.state.base, reference)
        }
        return newest
    }

    /// The highest incarnation any of them has heard of.
    package var highestIncarnation: UInt32 {
        answers.map { max($0.state.promised, $0.state.written, $0.state.last.incarnation) }.max() ?? 0
    }
}
