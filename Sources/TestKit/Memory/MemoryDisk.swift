import Synchronization
import SystemInterface

/// A disk in memory, with all that can go wrong with one. `MemoryFileSystem` is how a process sees it.
///
/// Durable is what was synced: bytes by `sync`, names by `syncDirectory`. Everything else is at stake in `crash`.
/// Deterministic: no threads, no clock, no randomness but the generator given to `crash`.
package final class MemoryDisk: Sendable {
    /// Called before each operation takes effect, with the operation, the path and the bytes it moves: the place to let
    /// simulated time pass.
    package typealias Latency = @Sendable (DiskOperation, String, Int) async -> Void

    struct State: Sendable {
        var tree = MemoryTree()
        var capacity: Int
        var faults: [DiskFault] = []
        var lies: [WriteLie] = []
        var readLies: [ReadLie] = []
        var liesAboutSync = false
        var latency: Latency?
        var isGone = false
        var answersCachedReads = true
        /// Views that still work; a crash or restart of the process ends them.
        var mounts: Set<Int> = []
        var nextMount = 0
        var locks: [String: Int] = [:]
        /// Changes that take their time just now, each with the view that makes it.
        var changes: [UInt64: Int] = [:]
        var nextChange: UInt64 = 0

        mutating func beginChange(of mount: Int) -> UInt64 {
            nextChange += 1
            changes[nextChange] = mount
            return nextChange
        }
    }

    let state: Mutex<State>
    /// What `space()` reports as the device; equal for disks that share one file system.
    let device: UInt64

    /// A disk with room for `capacity` bytes, counted in blocks of 4 KiB.
    package init(capacity: Int = 1 << 40, device: UInt64 = 1) {
        state = Mutex(State(capacity: capacity))
        self.device = device
    }

    private init(copy: State, device: UInt64) {
        state = Mutex(copy)
        self.device = device
    }

    /// The disk as one process sees it.
    package func mount() -> MemoryFileSystem { MemoryFileSystem(disk: self, mount: newMount()) }

    func newMount() -> Int {
        state.withLock { state in
            state.nextMount += 1
            state.mounts.insert(state.nextMount)
            return state.nextMount
        }
    }

    // MARK: What can happen to a disk

    /// Power is lost: of what was not synced each sector, each length and each name may or may not be there. All
    /// views, files and locks end with `.gone`.
    package func crash(using generator: inout SplitMix64) {
        state.withLock { state in
            state.tree.crash(using: &generator)
            Self.endMounts(&state)
        }
    }

    /// The process ends and the machine does not (`kill -9`): nothing written is lost, but views, files and locks end.
    package func restart() {
        state.withLock { state in
            state.tree.closeAll()
            Self.endMounts(&state)
        }
    }

    /// Everything answers `.gone` while true: the disk was pulled.
    package var isGone: Bool {
        get { state.withLock { $0.isGone } }
        set { state.withLock { $0.isGone = newValue } }
    }

    /// Bytes of room; writes beyond it fail with `.full` after as many 4 KiB pages as fit.
    package var capacity: Int {
        get { state.withLock { $0.capacity } }
        set { state.withLock { $0.capacity = newValue } }
    }

    /// Bytes of room taken.
    package var used: Int { state.withLock { $0.tree.used } }

    /// Whether `readIfCached` answers (without latency); off, every read takes the slow path.
    package var answersCachedReads: Bool {
        get { state.withLock { $0.answersCachedReads } }
        set { state.withLock { $0.answersCachedReads = newValue } }
    }

    package func setLatency(_ latency: Latency?) { state.withLock { $0.latency = latency } }

    /// Plans a fault; several may be planned, the first that fits strikes.
    package func inject(_ fault: DiskFault) { state.withLock { $0.faults.append(fault) } }

    /// Plans a write that says it was done and was not, or not there.
    package func inject(_ lie: WriteLie) { state.withLock { $0.lies.append(lie) } }

    /// Plans reads that say they went well and give wrong bytes.
    package func inject(_ lie: ReadLie) { state.withLock { $0.readLies.append(lie) } }

    /// While true, syncs of files and folders say that they were done, and are not: a loss of power takes what it will.
    /// Set back, everything reaches the medium.
    package var liesAboutSync: Bool {
        get { state.withLock { $0.liesAboutSync } }
        set {
            state.withLock { state in
                if state.liesAboutSync, !newValue { state.tree.syncAll() }
                state.liesAboutSync = newValue
            }
        }
    }

    package func clearFaults() {
        state.withLock { state in
            state.faults = []
            state.lies = []
            state.readLies = []
        }
        liesAboutSync = false
    }

    /// Flips the bits of `mask` in the byte at `offset` of a file, for every reader, until that byte is written again,
    /// flipped back or `clearFlips`. The pristine byte stays. False when there is no such file.
    @discardableResult
    package func flip(_ path: String, offset: Int, mask: UInt8) -> Bool {
        state.withLock { state in
            guard let node = state.tree.find(path.split(separator: "/")[...]) else { return false }
            state.tree.update(node) { $0.flip(offset: offset, mask: mask) }
            return true
        }
    }

    package func clearFlips() {
        state.withLock { state in
            for node in state.tree.nodes.keys { state.tree.update(node) { $0.clearFlips() } }
        }
    }

    /// Makes the block of 4 KiB at `offset` of a file one that cannot be read, until it is written or `clearSpoiled`.
    /// False when there is no such file.
    @discardableResult
    package func spoil(_ path: String, offset: Int) -> Bool {
        state.withLock { state in
            guard let node = state.tree.find(path.split(separator: "/")[...]) else { return false }
            state.tree.update(node) { $0.spoil(offset: offset) }
            return true
        }
    }

    /// What could not be read can be read again.
    package func clearSpoiled() {
        state.withLock { state in
            for node in state.tree.nodes.keys { state.tree.update(node) { $0.clearSpoiled() } }
        }
    }

    /// Gives up all contents and whatever the latency refers to; every view ends.
    package func destroy() {
        state.withLock { state in
            state = State(capacity: state.capacity)
            state.isGone = true
        }
    }

    /// Bytes of a file as the process sees them; nil when there is none.
    package func length(_ path: String) -> Int? {
        state.withLock { state in
            state.tree.find(path.split(separator: "/")[...]).flatMap { state.tree.node($0)?.content.current.length }
        }
    }

    /// A second disk with the same contents, un-synced ones included: yesterday's image of this one, or a clone.
    package func copy() -> MemoryDisk {
        let copy = state.withLock { state in
            var copy = state
            copy.tree.closeAll()
            Self.endMounts(&copy)
            return copy
        }
        return MemoryDisk(copy: copy, device: device)
    }

    /// Paths of all files, sorted, as the process sees them.
    package var files: [String] {
        state.withLock { state in
            var found: [String] = []
            Self.collectFiles(of: MemoryTree.root, under: "", in: state.tree, into: &found)
            return found.sorted()
        }
    }

    private static func endMounts(_ state: inout State) {
        state.mounts = []
        state.locks = [:]
    }

    private static func collectFiles(
        of node: Int,
        under path: String,
        in tree: MemoryTree,
        into found: inout [String]
    ) {
        guard let node = tree.node(node) else { return }
        for (name, child) in node.entries {
            let path = path.isEmpty ? name : "\(path)/\(name)"
            if tree.node(child)?.isDirectory == true {
                collectFiles(of: child, under: path, in: tree, into: &found)
            } else {
                found.append(path)
            }
        }
    }
}

// MARK: For views and files

extension MemoryDisk {
    /// One operation of a view: lets time pass, then does `body` unless the view has ended or a fault strikes.
    func perform<Value: Sendable>(
        _ operation: DiskOperation,
        _ path: String,
        mount: Int,
        bytes: Int = 0,
        onFault: (inout State) -> Void = { _ in },
        _ body: (inout State) throws(FileError) -> Value
    ) async throws(FileError) -> Value {
        if let latency = state.withLock({ $0.latency }) {
            let change = operation.isChange ? state.withLock { $0.beginChange(of: mount) } : nil
            await latency(operation, path, bytes)
            if let change { state.withLock { $0.changes[change] = nil } }
        }
        return try performNow(operation, path, mount: mount, onFault: onFault, body)
    }

    func performNow<Value: Sendable>(
        _ operation: DiskOperation,
        _ path: String,
        mount: Int,
        onFault: (inout State) -> Void = { _ in },
        _ body: (inout State) throws(FileError) -> Value
    ) throws(FileError) -> Value {
        try state.withLock { state throws(FileError) in
            if state.isGone || !state.mounts.contains(mount) {
                throw FileError(.gone, operation: operation.rawValue, path: path)
            }
            for index in state.faults.indices where state.faults[index].strikes(operation, path) {
                onFault(&state)
                throw FileError(state.faults[index].code, operation: operation.rawValue, path: path)
            }
            return try body(&state)
        }
    }
}
