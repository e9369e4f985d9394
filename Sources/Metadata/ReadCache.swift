internal import ObjectInterface
internal import ObjectModel
import Synchronization

/// Buckets and versions as they were last read, so that a hot key costs no database read.
///
/// Coherent: what a commit changes leaves the cache before the commit, and a read puts in only what it read while no
/// commit ran beside it. So nobody reads from here what an acknowledged change has replaced.
///
/// Bounded by cost in two generations: when the young one is full it becomes the old one, and what is not asked for
/// until the next time goes.
final class ReadCache: Sendable {
    /// Bytes, roughly, of one generation.
    static let generationCost = 6 << 20
    /// A version costlier than this (long frame indexes, thousands of parts) is not kept: it is read for bytes, not
    /// for its headers, and would push out hundreds.
    static let largestCost = 64 << 10

    fileprivate struct State {
        var buckets: [[UInt8]: BucketRow] = [:]
        var young: [[UInt8]: VersionDetail] = [:]
        var old: [[UInt8]: VersionDetail] = [:]
        var youngCost = 0
        var epoch: UInt64 = 0
        var isCommitting = false
    }

    /// What a read saw of the cache when it began; nil there says that it must not put anything in.
    typealias Ticket = UInt64

    private let state = Mutex(State())

    /// The key of a version: the bucket's name (which has no NUL), 0, the key.
    static func key(bucket: String, key: String) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bucket.utf8.count + key.utf8.count + 1)
        result.append(contentsOf: bucket.utf8)
        result.append(0)
        result.append(contentsOf: key.utf8)
        return result
    }

    func bucket(_ name: [UInt8]) -> (found: BucketRow?, ticket: Ticket?) {
        state.withLock { ($0.buckets[name], $0.isCommitting ? nil : $0.epoch) }
    }

    func version(_ key: [UInt8]) -> (found: VersionDetail?, ticket: Ticket?) {
        state.withLock { state in
            if let detail = state.young[key] { return (detail, nil) }
            if let detail = state.old[key] {
                state.insert(detail, key)
                return (detail, nil)
            }
            return (nil, state.isCommitting ? nil : state.epoch)
        }
    }

    func put(_ bucket: BucketRow, _ name: [UInt8], _ ticket: Ticket?) {
        state.withLock { if !$0.isCommitting, $0.epoch == ticket { $0.buckets[name] = bucket } }
    }

    func put(_ detail: VersionDetail, _ key: [UInt8], _ ticket: Ticket?) {
        guard detail.cost <= Self.largestCost else { return }
        state.withLock { if !$0.isCommitting, $0.epoch == ticket { $0.insert(detail, key) } }
    }

    /// Before a commit becomes visible.
    func willCommit(_ touched: TouchedRows) {
        state.withLock { state in
            state.isCommitting = true
            state.epoch += 1
            for name in touched.buckets { state.buckets[name] = nil }
            if touched.everyBucket { state.buckets = [:] }
            if touched.everyVersion || !touched.buckets.isEmpty {
                (state.young, state.old, state.youngCost) = ([:], [:], 0)
            } else {
                for key in touched.versions {
                    if let detail = state.young.removeValue(forKey: key) { state.youngCost -= detail.cost }
                    state.old[key] = nil
                }
            }
        }
    }

    /// After it has become visible, and before anyone is told.
    func didCommit() {
        state.withLock {
            $0.epoch += 1
            $0.isCommitting = false
        }
    }
}

extension ReadCache.State {
    fileprivate mutating func insert(_ detail: VersionDetail, _ key: [UInt8]) {
        let cost = detail.cost
        if youngCost + cost > ReadCache.generationCost {
            old = young
            young = [:]
            youngCost = 0
        }
        if young.updateValue(detail, forKey: key) == nil { youngCost += cost }
    }
}

extension VersionDetail {
    /// Bytes, roughly, that it takes in memory.
    fileprivate var cost: Int {
        let version = version
        let attributes = version.attributes.headers + version.attributes.metadata
        var cost = 768 + version.key.utf8.count + 48 * version.extents.count + 112 * version.parts.count
        cost += attributes.reduce(0) { $0 + 64 + $1.name.utf8.count + $1.value.utf8.count } + 64 * version.tags.count
        for blob in blobs.values {
            cost += 192
            if case .explicit(let frames) = blob.frames { cost += frames.count * 24 }
        }
        return cost
    }
}
