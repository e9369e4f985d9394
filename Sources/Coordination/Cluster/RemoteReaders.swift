package import ObjectModel
import Synchronization

/// The readers of gateways in other processes, as the garbage collector asks for them; none until they are set.
package final class RemoteReaders: Sendable {
    private let ask = Mutex<(@Sendable ([BlobID]) async -> Set<BlobID>)?>(nil)

    /// `ask` gives those of the dead blobs that some remote reader may still want.
    package func set(_ ask: @escaping @Sendable ([BlobID]) async -> Set<BlobID>) {
        self.ask.withLock { $0 = ask }
    }

    func held(among dead: [BlobID]) async -> Set<BlobID> {
        guard let ask = ask.withLock({ $0 }) else { return [] }
        return await ask(dead)
    }
}
