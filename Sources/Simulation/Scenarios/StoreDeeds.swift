import Coordination
import Metadata
import ObjectModel

/// What a store does beside its clients' work and its repair, counted to show that it took part.
enum StoreDeed: String, CaseIterable {
    /// Read and compared by a scrub.
    case shardsScrubbed
    /// Coded again by a scrub, and compared.
    case blobsRecoded
    /// Found in another class than the one they were written in.
    case objectsRewritten
    /// Emptied by moves, and out of use.
    case disksDrained
    /// Whose places were given to others because they were away, or by an operator.
    case disksGivenUp, disksRetired
    /// Put into the slots of those.
    case disksAdded
    /// Back after they were away.
    case disksReturned
    /// Carried out a second time.
    case callsRepeated
    /// Erasures of shards, of which it was looked whether they counted.
    case erasuresJudged
}

extension World {
    func count(_ deed: StoreDeed, times: Int = 1) { countDeeds(deed.rawValue, times) }

    /// Counts from here on what happens to the store's disks.
    func watch(_ store: Store) {
        store.events.observe { [weak self] event in
            self?.trace.record("event \(event)")
            switch event {
            case .diskDrained: self?.count(.disksDrained)
            case .diskGivenUp: self?.count(.disksGivenUp)
            case .diskRetired: self?.count(.disksRetired)
            case .diskAdded: self?.count(.disksAdded)
            case .diskServed: self?.count(.disksReturned)
            default: break
            }
        }
    }

    /// Counts what the scrub of a store has done that ends here. Nothing in a simulation codes wrongly: what it finds
    /// miscoded was made so by the store.
    func noteScrub(of store: Store?) {
        guard let status = store?.scrubber.status else { return }
        count(.shardsScrubbed, times: status.totals.shards)
        count(.blobsRecoded, times: status.totals.blobsChecked)
        guard status.totals.blobsMiscoded > 0 else { return }
        report("a scrub found \(status.totals.blobsMiscoded) blobs miscoded, of them damaged \(status.damaged)")
    }
}
