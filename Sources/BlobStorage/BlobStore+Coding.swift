internal import Checksums
internal import ClusterProtocol
internal import DiskFormat
internal import ErasureCoding
package import ObjectModel
internal import SystemInterface

/// What coding a blob's data again showed.
package struct CodingCheck: Hashable, Sendable {
    /// The blob's bytes are those that came in.
    package var isAsIngested: Bool
    /// Shards whose own trailer states other digests than coding gives: each may be good by its own measure and is
    /// still not what it should be. Empty, as `fitting` is, when `isAsIngested` does not hold: then nothing is proved.
    package var deviating: [Deviation]
    /// Shards whose trailer states what coding gives.
    package var fitting: [UInt8]

    /// A shard as it was looked at: what is written since is another record.
    package struct Deviation: Hashable, Sendable {
        package var shard: UInt8
        package var writeStamp: UInt64
    }

    package var isGood: Bool { isAsIngested && deviating.isEmpty }
}

extension BlobStore {
    /// Reads the k data shards of a blob, codes them again, and compares the digest of each of the k+m shards with what
    /// every shard's trailer states, and the decoded bytes with the digest taken at ingest (DESIGN §8).
    ///
    /// A verification of single shards cannot see what this does: a stripe that was coded wrongly, a shard of another
    /// history that is whole in itself. Memory of one stripe. Throws `unreadable` when fewer than k shards answer.
    package func checkCoding(
        _ location: BlobLocation,
        frames: FrameIndex,
        ingestDigest: ContentDigest
    ) async throws(BlobError) -> CodingCheck {
        let described = await described(location)
        let trailers = described.mapValues(\.trailer)
        // What differs from most others is taken for data only when there is no other way.
        let stated = Self.most(trailers.sorted { $0.key < $1.key }.map { Stated($0.value) })
        let odd = trailers.filter { Stated($0.value) != stated }.map(\.key)
        let trusted = BlobLocation(location, leavingOut: odd)
        var coded: (shards: [ContentDigest], blob: ContentDigest?)?
        do throws(BlobError) {
            coded = try await code(trusted, frames: frames)
        } catch {
            if odd.isEmpty { throw error }
        }
        if coded?.blob != ingestDigest, !odd.isEmpty { coded = try await code(location, frames: frames) }
        guard let digests = coded?.shards, coded?.blob == ingestDigest else {
            return CodingCheck(isAsIngested: false, deviating: [], fitting: [])
        }
        let right = Stated(blobLength: location.geometry.blobLength, shards: digests, ingest: ingestDigest)
        return CodingCheck(
            isAsIngested: true,
            deviating: described.filter { Stated($0.value.trailer) != right }.sorted { $0.key < $1.key }.map {
                CodingCheck.Deviation(shard: $0.key, writeStamp: $0.value.header.writeStamp)
            },
            fitting: trailers.filter { Stated($0.value) == right }.map(\.key).sorted()
        )
    }

    private func code(
        _ location: BlobLocation,
        frames: FrameIndex
    ) async throws(BlobError) -> (shards: [ContentDigest], blob: ContentDigest?) {
        var checker = try StripeChecker(store: self, location: location, frames: frames)
        for stripe in 0..<location.geometry.stripeCount { try await checker.check(stripe) }
        return checker.finish()
    }

    /// Of the shards that answer.
    private func described(
        _ location: BlobLocation
    ) async -> [UInt8: (header: ShardHeader, trailer: ShardTrailer)] {
        await withTaskGroup(of: (UInt8, (header: ShardHeader, trailer: ShardTrailer)?).self) { group in
            for shard in location.members.indices where !location.missing.contains(UInt8(shard)) {
                group.addTask { [nodes] in
                    let described = try? await nodes.describe(location.members[shard], location.shard(shard))
                    return (UInt8(shard), described)
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    /// Shards noted as missing that are on their disks all the same, and may be decoded from as far as their leaves are
    /// good: their trailers say of the blob what most others' do, or those of one another when there are no others. So
    /// what is not of this blob's making, though its own checksums vouch for it, gives no byte.
    func remains(of location: BlobLocation) async -> [Int] {
        guard !location.missing.isEmpty else { return [] }
        let found = await withTaskGroup(of: (Int, Stated?).self) { group in
            for shard in location.members.indices
            where location.missing.contains(UInt8(shard)) || view.isUsable(location.members[shard]) {
                group.addTask { (shard, await self.describe(location, shard: shard).map { Stated($0) }) }
            }
            return await group.reduce(into: [Int: Stated]()) { $0[$1.0] = $1.1 }
        }.filter { $0.value.blobLength == location.geometry.blobLength }
        let noted = found.filter { location.missing.contains(UInt8($0.key)) }
        let judges = noted.count < found.count ? found.filter { noted[$0.key] == nil } : noted
        let stated = Self.most(judges.sorted { $0.key < $1.key }.map(\.value))
        return noted.filter { $0.value == stated }.map(\.key).sorted()
    }

    /// What a trailer says of the whole blob.
    private struct Stated: Hashable {
        var blobLength: Int
        var shards: [ContentDigest]
        var ingest: ContentDigest

        init(blobLength: Int, shards: [ContentDigest], ingest: ContentDigest) {
            (self.blobLength, self.shards, self.ingest) = (blobLength, shards, ingest)
        }

        init(_ trailer: ShardTrailer) {
            self.init(blobLength: trailer.blobLength, shards: trailer.shardDigests, ingest: trailer.ingestDigest)
        }
    }

    /// The statement made most often; of several the first.
    private static func most(_ statements: [Stated]) -> Stated? {
        let counts = Dictionary(statements.map { ($0, 1) }, uniquingKeysWith: +)
        let most = counts.values.max()
        return statements.first { counts[$0] == most }
    }
}

/// Codes a blob again, stripe by stripe.
private struct StripeChecker {
    let store: BlobStore
    let location: BlobLocation
    private let coder: ErasureCoder
    private let digests: [XXH3Digest]
    private var verifier: IngestVerifier
    private var isDecodable = true

    init(store: BlobStore, location: BlobLocation, frames: FrameIndex) throws(BlobError) {
        self.store = store
        self.location = location
        coder = try store.coder(for: location.scheme)
        digests = (0..<location.scheme.shardCount).map { _ in XXH3Digest() }
        verifier = IngestVerifier(frames: frames, pool: store.pool)
    }

    mutating func check(_ stripe: Int) async throws(BlobError) {
        let scheme = location.scheme
        let range = location.geometry.shardRange(ofStripe: stripe)
        let given = await readData(range)
        let cells = try await store.reconstruct(
            Reconstruction(
                location: location,
                range: range,
                wanted: Dictionary(uniqueKeysWithValues: (0..<scheme.dataCount).map { ($0, range) }),
                given: given
            )
        )
        let data = (0..<scheme.dataCount).compactMap { cells[$0] }
        guard data.count == scheme.dataCount else {
            throw .unreadable(location.blob, good: data.count, needed: scheme.dataCount)
        }
        let parity = (0..<scheme.parityCount).map { _ in store.pool.take(range.count).slice(0..<range.count) }
        withExtendedLifetime((data, parity)) {
            coder.encode(
                data: data.map(\.bytes),
                parity: parity.map { UnsafeMutableRawBufferPointer(mutating: $0.bytes) }
            )
        }
        for (digest, cell) in zip(digests, data + parity) { cell.withBytes { digest.update($0) } }
        verify(data, stripe: stripe)
    }

    /// The data shards that answer; what does not is decoded from the others.
    private func readData(_ range: Range<Int>) async -> [BlobStore.VerifiedRange] {
        await withTaskGroup(of: BlobStore.VerifiedRange?.self) { [store, location] group in
            for shard in 0..<location.scheme.dataCount where !location.missing.contains(UInt8(shard)) {
                group.addTask { try? await store.readVerified(location, shard: shard, range: range) }
            }
            return await group.reduce(into: []) { if let piece = $1 { $0.append(piece) } }
        }
    }

    /// Feeds the stripe's data, without its padding, to the digest of the blob.
    private mutating func verify(_ data: [BufferSlice], stripe: Int) {
        let whole = location.scheme.dataCount * location.scheme.cellSize
        var left = min(whole, location.geometry.blobLength - stripe * whole)
        for cell in data where left > 0 && isDecodable {
            let part = cell.slice(0..<min(cell.count, left))
            do {
                try part.withBytes { bytes throws(FrameMismatch) in try verifier.update(bytes) }
            } catch {
                isDecodable = false
            }
            left -= part.count
        }
    }

    /// The digest of each shard, and that of the blob; nil when its frames do not decode.
    func finish() -> (shards: [ContentDigest], blob: ContentDigest?) {
        (digests.map { ContentDigest($0.finalize()) }, isDecodable ? verifier.finalize() : nil)
    }
}
