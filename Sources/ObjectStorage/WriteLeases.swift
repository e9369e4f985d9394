package import Metadata
package import ObjectInterface
package import ObjectModel
internal import Synchronization
package import SystemInterface

/// The write lease of this node: one at a time is current, older ones drain (DESIGN §4).
///
/// Every upload works within a `WriteSession`. A lease ends by a transaction once it is no longer current and its last
/// session has ended; whatever was written under it and not committed is an orphan from then on.
package final class WriteLeases: Sendable {
    private struct State {
        var current: WriteLease?
        /// Leases that were current: only these are ended, never one that has been granted and is not current yet.
        var draining: Set<WriteLease> = []
        var nextSequence: UInt64 = 0
        /// Sessions under each lease; a lease with none that is not current is to be ended.
        var sessions: [WriteLease: Int] = [:]
        var isGranting = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let metadata: any MetadataStore
    private let node: NodeName
    private let buggify: Buggify

    package init(metadata: any MetadataStore, node: NodeName, buggify: Buggify = .never) {
        self.metadata = metadata
        self.node = node
        self.buggify = buggify
    }

    /// A session under the current lease, which is granted first when there is none.
    package func begin() async throws(StorageError) -> WriteSession {
        while true {
            let session = state.withLock { state -> WriteSession? in
                guard let lease = state.current else { return nil }
                state.sessions[lease, default: 0] += 1
                return WriteSession(lease: lease, leases: self)
            }
            if let session {
                if buggify.strikes(.leaseEndsEarly) { try? await metadata.endLease(session.lease) }
                return session
            }
            try await grantIfNeeded()
        }
    }

    /// Ends the leases that an earlier process of this node was granted: what it had not committed can no longer be.
    /// Call before the first session.
    package func endEarlier() async throws(StorageError) {
        for (lease, holder) in try await metadata.activeLeases() where holder == node {
            guard state.withLock({ $0.current != lease && !$0.draining.contains(lease) }) else { continue }
            try await metadata.endLease(lease)
        }
    }

    /// Opens a new lease; the old one drains and is ended by `endDrained`.
    package func rotate() async throws(StorageError) {
        let lease = try await metadata.grantLease(holder: node)
        state.withLock { state in
            if let old = state.current { state.draining.insert(old) }
            state.current = lease
        }
    }

    /// A write or commit under the lease was refused because it has ended, by a new coordinator say: the next session
    /// gets a new one. A node that did not know the lease may have said so of one that lasts: it is ended in any case.
    func noteEnded(_ lease: WriteLease) {
        state.withLock { state in
            if state.current == lease { state.current = nil }
            state.draining.insert(lease)
        }
    }

    /// Ends the leases that are no longer current and have no session left.
    package func endDrained() async throws(StorageError) {
        let drained = state.withLock { state in
            state.draining.filter { state.sessions[$0, default: 0] == 0 }
        }
        for lease in drained.sorted() {
            do {
                try await metadata.endLease(lease)
            } catch {
                guard error.code == .leaseEnded else { throw error }
            }
            state.withLock { _ = $0.draining.remove(lease) }
        }
    }

    fileprivate func nextBlob(of lease: WriteLease) -> BlobID {
        // One counter serves all leases of this process: sequences only need to be unique within their lease.
        state.withLock { state in
            state.nextSequence += 1
            return BlobID(incarnation: lease.incarnation, lease: lease.number, sequence: state.nextSequence)
        }
    }

    fileprivate func end(_ lease: WriteLease) {
        state.withLock { state in
            let left = (state.sessions[lease] ?? 1) - 1
            state.sessions[lease] = left > 0 ? left : nil
        }
    }

    /// Grants the first lease once, however many uploads ask for it at the same time.
    private func grantIfNeeded() async throws(StorageError) {
        let isMine = state.withLock { state in
            guard state.current == nil, !state.isGranting else { return false }
            state.isGranting = true
            return true
        }
        guard isMine else { return await waitForGrant() }
        defer { finishGranting() }
        try await rotate()
    }

    private func waitForGrant() async {
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                guard state.isGranting else { return true }
                state.waiters.append(continuation)
                return false
            }
            if goesOn { continuation.resume() }
        }
    }

    private func finishGranting() {
        let waiters = state.withLock { state in
            state.isGranting = false
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

/// One upload's use of a lease. Ends when the last reference goes, or by `end`.
package final class WriteSession: Sendable {
    package let lease: WriteLease
    private let leases: WriteLeases
    private let isEnded = Mutex(false)

    fileprivate init(lease: WriteLease, leases: WriteLeases) {
        self.lease = lease
        self.leases = leases
    }

    /// A blob id that was never used before.
    package func nextBlob() -> BlobID { leases.nextBlob(of: lease) }

    /// What was done in this session failed. Where its lease has ended, the next session gets another: what goes on by
    /// itself would fail under this one for as long as it counts as current.
    package func noteFailure(_ error: StorageError) {
        if error.code == .leaseEnded { leases.noteEnded(lease) }
    }

    /// Everything written in this session is committed or aborted.
    package func end() {
        let isFirst = isEnded.withLock { isEnded in
            defer { isEnded = true }
            return !isEnded
        }
        if isFirst { leases.end(lease) }
    }

    deinit { end() }
}
