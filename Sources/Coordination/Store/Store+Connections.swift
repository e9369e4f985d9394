internal import BlobStorage

/// What the parts of a store tell one another.
extension Store {
    func connect() {
        connectReads()
        connectRepairs()
        connectMoves()
        connectScrub()
        orphans.report(to: events)
        checkpointer.hurries { [weak self] in self?.keepersWantCheckpoint ?? false }
    }

    /// Weakly: the repairer holds the blobs, and a store that starts again must let go of the one before.
    private func connectReads() {
        let repairer = repairer
        blobs.onBadShard { [weak repairer] in repairer?.suspect($0) }
        blobs.onDegradedRead { [weak repairer] in repairer?.prefer($0) }
    }

    private func connectRepairs() {
        let (repairer, verifier) = (repairer, verifier)
        verifier.yields { [weak repairer] in repairer?.progress.isActive ?? false }
        // A repair is over when an independent count has read what was put back.
        repairer.onWhole { verifier.request(recounting: $0) }
        verifier.onPass { [weak self] in await self?.mendSegments() ?? 0 }
        repairer.report(to: events)
        repairer.report(to: badShards)
        verifier.report(to: badShards)
    }

    private func connectMoves() {
        mover.waits { [collector] in await collector.isReadWhileMoved() }
        mover.onEnd { [weak self] in await self?.endMoves() }
    }
}
