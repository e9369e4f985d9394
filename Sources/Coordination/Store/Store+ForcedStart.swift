package import Metadata
package import ObjectInterface

extension Store {
    /// The last start that was forced, or that metadata was put back before, if there was one.
    package func forcedStart() async throws(StorageError) -> ForcedStart? { try await metadata.forcedStart() }

    /// The operator's word that nothing is looked for any more of what such a start may have lost: from here on
    /// garbage is inferred again. False when there is no such start, or it has been accepted.
    package func acceptForcedStart() async throws(StorageError) -> Bool {
        guard try await metadata.acceptForcedStart() else { return false }
        events.note(.forcedStartAccepted)
        return true
    }
}

extension ReplicatedMetadata {
    /// Whether what it does not name may be taken for garbage. Behind a forced start it may lack what only lost keepers
    /// knew, and put back what was acknowledged since; nothing that is counted from the metadata would find that: an
    /// operator has to look.
    package func mayTellGarbage() async -> Bool {
        do throws(StorageError) {
            return try await forcedStart()?.isAccepted ?? true
        } catch {
            return false
        }
    }
}
