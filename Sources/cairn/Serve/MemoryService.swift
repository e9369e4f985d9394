import Coordination
import LinuxSystem
import ServiceLifecycle

/// Gives back what a burst of load needed and nobody needs any more.
struct MemoryService: Service {
    let store: Store

    /// Buffers that nobody took for this long are given back.
    private static let interval = Duration.seconds(3)
    /// Bytes of buffers from which it is worth to trim the whole heap.
    private static let heapThreshold = 16 << 20

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.interval)) != nil {
                if store.trimMemory() >= Self.heapThreshold { LinuxHeap.trim() }
            }
        }
    }
}
