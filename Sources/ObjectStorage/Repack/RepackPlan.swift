internal import DiskFormat
internal import Metadata
internal import ObjectInterface
internal import ObjectModel

/// Which frames of sparse blobs go on in a new blob, and where their owners find them there.
///
/// A frame goes as it is stored: nothing is compressed anew, and no two objects ever share one that did not before, so
/// that the live bytes of the new blob are counted as exactly as those of a pack.
struct RepackPlan: Sendable {
    struct Source: Sendable {
        var record: BlobRecord
        var frames: [Frame]
        /// By frame: its place in the new blob; nil when nothing names it.
        var places: [Int?]
    }

    private(set) var sources: [Source] = []
    /// The frames of the new blob.
    private(set) var frames: [Frame] = []
    /// By frame of the new blob: where its logical bytes begin.
    private var starts: [Int] = []
    let owners: [BlobOwner]
    private let sourceNumbers: [BlobID: Int]

    /// `owners` are those that name the blobs and are to go with the new one, each once.
    init(_ records: [BlobRecord], owners: [BlobOwner]) throws(StorageError) {
        self.owners = owners
        sourceNumbers = Dictionary(records.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        var live = records.map { [Bool](repeating: false, count: $0.frames.count(storedLength: $0.length)) }
        for extent in owners.flatMap(\.extents) {
            guard let number = sourceNumbers[extent.blob] else { continue }
            guard let named = records[number].frames(of: extent) else {
                throw StorageError(.internalFailure, "An extent does not lie within blob \(extent.blob).")
            }
            for frame in named { live[number][frame] = true }
        }
        for (record, live) in zip(records, live) { add(record, live) }
    }

    private mutating func add(_ record: BlobRecord, _ live: [Bool]) {
        let all = record.frames.all(storedLength: record.length)
        var places: [Int?] = []
        places.reserveCapacity(all.count)
        for (frame, isLive) in zip(all, live) {
            places.append(isLive ? frames.count : nil)
            guard isLive else { continue }
            starts.append((starts.last ?? 0) + (frames.last?.logicalLength ?? 0))
            frames.append(frame)
        }
        sources.append(Source(record: record, frames: all, places: places))
    }

    /// Bytes of the new blob.
    var storedLength: Int { frames.reduce(0) { $0 + $1.storedLength } }

    /// One move for each owner: what it names now, and what it is to name.
    func moves(to blob: BlobID) -> [MoveTransaction.Move] {
        owners.map { owner in
            let after = owner.extents.compactMap { placed($0, in: blob) }
            return MoveTransaction.Move(owner: owner.owner, before: owner.extents, after: after)
        }
    }

    /// The extent as it is to be; nil for one without bytes, which then need no place.
    private func placed(_ extent: Extent, in blob: BlobID) -> Extent? {
        guard let number = sourceNumbers[extent.blob] else { return extent }
        let source = sources[number]
        guard let first = source.record.frames(of: extent)?.first, let place = source.places[first] else { return nil }
        let skipped = source.frames[extent.firstFrame..<first].reduce(0) { $0 + $1.logicalLength }
        return Extent(blob: blob, firstFrame: place, offset: extent.offset - skipped, length: extent.length)
    }

    /// The evidence for the new blob's trailers: whose bytes lie where. At most `limit` bytes: with very many or very
    /// long names some are left out.
    func identity(limit: Int) -> IdentityBlock {
        var objects = owners.flatMap(objects(of:))
        var block = IdentityDocument(objects: objects).block()
        while block.bytes.count > limit, !objects.isEmpty {
            objects.removeLast((objects.count + 1) / 2)
            block = IdentityDocument(objects: objects).block()
        }
        return block
    }

    private func objects(of owner: BlobOwner) -> [IdentityDocument.Object] {
        var upload: (id: UploadID, number: Int)?
        if case .part(let id, let number) = owner.owner { upload = (id, number) }
        var objects: [IdentityDocument.Object] = []
        var position = 0
        for extent in owner.extents {
            defer { position += extent.length }
            // Any id will do: only the place within the new blob is of interest.
            guard sourceNumbers[extent.blob] != nil, let placed = placed(extent, in: extent.blob) else { continue }
            objects.append(
                IdentityDocument.Object(
                    bucket: owner.bucket,
                    key: owner.key,
                    contentType: owner.contentType,
                    offset: position,
                    length: extent.length,
                    start: starts[placed.firstFrame] + placed.offset,
                    upload: upload?.id.text,
                    part: upload?.number
                )
            )
        }
        return objects
    }
}

extension FrameIndex {
    /// All frames of a blob with `storedLength` bytes, in order.
    func all(storedLength: Int) -> [Frame] {
        switch self {
        case .explicit(let frames): frames
        case .uniform:
            stride(from: 0, to: storedLength, by: Limits.frameLength).map { start in
                let length = min(Limits.frameLength, storedLength - start)
                return Frame(logicalLength: length, storedLength: length)
            }
        }
    }
}
