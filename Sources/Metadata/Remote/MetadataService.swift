internal import ObjectInterface
package import ObjectModel

/// Answers the metadata calls of gateways over the coordinator's own store.
///
/// An old coordinator that was paused must never answer from rows that a newer one has changed since. A change that
/// made a journal record proves by the keepers that its coordinator was the newest one. All else is evaluated on rows
/// alone: reads, but also refusals and changes that found nothing to do. Those are answered only when `isConfirmed`
/// says, after the evaluation, that the keepers still know of no newer incarnation.
package struct MetadataService: Sendable {
    let metadata: any MetadataStore
    let leases: LeaseHolders
    let onRefusal: @Sendable (_ caller: NodeName, _ what: String) -> Void
    private let isConfirmed: @Sendable () async -> Bool

    /// `onRefusal` is told what a caller asked for that is not its to ask, for the log.
    ///
    /// `isConfirmed` is asked once or never for each call, behind its evaluation. What it says must hold for a moment
    /// behind that: a round of `confirm` begun when it is asked (many calls may share one), or a promise of the
    /// keepers that has not run out. That keepers confirmed a while ago is not enough.
    package init(
        metadata: any MetadataStore,
        onRefusal: @escaping @Sendable (_ caller: NodeName, _ what: String) -> Void = { _, _ in },
        isConfirmed: @escaping @Sendable () async -> Bool
    ) {
        self.metadata = metadata
        self.onRefusal = onRefusal
        leases = LeaseHolders(metadata)
        self.isConfirmed = isConfirmed
    }

    /// The encoded response to an encoded request; nil when the header is no metadata call at all, by its kind.
    ///
    /// `holder` is the caller as its connection authenticated it: leases are granted to it, whatever the message says.
    package func answer(_ header: [UInt8], from holder: NodeName) async -> [UInt8]? {
        guard MetadataMessage.isCall(header) else { return nil }
        let request: MetadataRequest
        do {
            request = try MetadataRequest(decoding: header)
        } catch {
            onRefusal(holder, "it sent a call that is not taken: \(error)")
            let reason = "The coordinator does not take this call (\(error)): do all nodes run the same version?"
            return MetadataResponse.failed(StorageError(.internalFailure, reason)).encoded
        }
        let answer = await respond(request, from: holder).encoded
        // A change has been carried out: its answer must leave, whatever its length.
        guard request.isRead, answer.count > MetadataMessage.answerLimit else { return answer }
        let reason = "The answer has \(answer.count) bytes, more than the coordinator sends at once."
        return MetadataResponse.failed(StorageError(.internalFailure, reason)).encoded
    }

    /// The encoded answer of a coordinator that cannot answer yet.
    package static func unavailable(_ reason: String) -> [UInt8] {
        MetadataResponse.failed(StorageError(.unavailable, reason)).encoded
    }

    private func respond(_ request: MetadataRequest, from holder: NodeName) async -> MetadataResponse {
        do throws(StorageError) {
            let response = try await evaluate(request, from: holder)
            if Self.isProven(response, to: request) { return response }
            if await isConfirmed() { return response }
            return .failed(Self.mayChangeNothing(request) ? Self.unknown : Self.unconfirmed)
        } catch {
            // A refusal is evaluated on rows too; an unknown outcome says nothing that could be stale.
            if error.code == .unknownOutcome { return .failed(error) }
            return .failed(await isConfirmed() ? error : Self.unconfirmed)
        }
    }

    /// Whether the response could only come about by a record that the keepers took.
    private static func isProven(_ response: MetadataResponse, to request: MetadataRequest) -> Bool {
        switch response {
        case .outcomes(let outcomes): outcomes.contains { if case .success = $0 { true } else { false } }
        case .deletions(let results): results.contains { (try? $0.get())?.existed == true }
        default: !request.isRead && !mayChangeNothing(request)
        }
    }

    /// Changes that succeed also where there is nothing to do: a success may have made a record, and proves none.
    private static func mayChangeNothing(_ request: MetadataRequest) -> Bool {
        if case .endLease = request { true } else { false }
    }

    private static let unconfirmed = StorageError(
        .unavailable,
        "This coordinator is not confirmed by its keepers: another one may have taken its place. Try again."
    )

    private static let unknown = StorageError(
        .unknownOutcome,
        "The change may or may not have been carried out: its coordinator is not confirmed by its keepers."
    )
}
