/// A file's bytes as the process sees them, as the medium has them, and what lies between.
///
/// The medium takes sectors of 512 bytes whole, in any order, at any time after they were written; the length is one
/// more such item. So after a loss of power each sector is what it was at some moment since the last sync, each on its
/// own.
struct MemoryContent: Sendable {
    static let sectorSize = 512
    private static let blockSize = 4_096

    fileprivate enum Change: Sendable {
        case write(offset: Int, bytes: [UInt8])
        case zero(Range<Int>)
        case length(Int)
    }

    private(set) var current = SparseBytes()
    private var durable = SparseBytes()
    private var pending: [Change] = []
    /// Bits that the medium flips, by offset: applied on reading, while the pristine bytes stay.
    private(set) var flips: [Int: UInt8] = [:]
    /// Blocks of 4 KiB, by number, that the medium cannot read until they are written.
    private(set) var unreadable: Set<Int> = []

    mutating func write(_ bytes: [UInt8], at offset: Int) {
        let oldLength = current.length
        current.write(bytes[...], at: offset)
        pending.append(.write(offset: offset, bytes: bytes))
        noteLength(since: oldLength)
        heal(offset..<offset + bytes.count)
    }

    mutating func reserve(_ range: Range<Int>) {
        let oldLength = current.length
        current.reserve(range)
        noteLength(since: oldLength)
    }

    mutating func punch(_ range: Range<Int>) {
        pending += current.written(in: range).map { .zero($0) }
        current.punch(range)
        heal(range)
    }

    mutating func setLength(_ length: Int) {
        let oldLength = current.length
        if length < oldLength {
            pending += current.written(in: length..<oldLength).map { .zero($0) }
            heal(length..<oldLength)
        }
        current.setLength(length)
        noteLength(since: oldLength)
    }

    /// Puts everything on the medium.
    mutating func sync() {
        for change in pending {
            guard let range = change.range else { continue }
            durable.copyPages(of: range, from: current)
        }
        durable.copyShape(from: current)
        pending = []
    }

    /// A sync that failed: what was pending still reads back, but no later sync will put it on the medium
    /// (Rebello et al., ATC 2020).
    mutating func forgetPending() { pending = [] }

    /// Shows what the medium has, but for what is still pending.
    mutating func forgetCached() {
        var medium = self
        medium.pending = []
        for change in pending { medium.apply(change, to: change.range) }
        current = medium.durable
    }

    /// What is left after a loss of power.
    mutating func crash(using generator: inout SplitMix64) {
        switch Outcome.allCases.randomElement(using: &generator) ?? .nothing {
        case .nothing: break
        case .everything: sync()
        case .prefix: keepPrefix(using: &generator)
        case .scattered: keepScattered(using: &generator)
        }
        current = durable
        pending = []
    }

    mutating func flip(offset: Int, mask: UInt8) {
        let flipped = flips[offset, default: 0] ^ mask
        flips[offset] = flipped == 0 ? nil : flipped
    }

    mutating func clearFlips() { flips = [:] }

    mutating func spoil(offset: Int) { unreadable.insert(offset / Self.blockSize) }

    mutating func clearSpoiled() { unreadable = [] }

    func canRead(_ range: Range<Int>) -> Bool {
        unreadable.isEmpty || range.isEmpty
            || unreadable.isDisjoint(with: range.lowerBound / Self.blockSize...(range.upperBound - 1) / Self.blockSize)
    }

    private mutating func noteLength(since oldLength: Int) {
        if current.length != oldLength { pending.append(.length(current.length)) }
    }

    /// New bytes have no flipped bits, and can be read.
    private mutating func heal(_ range: Range<Int>) {
        if !flips.isEmpty { flips = flips.filter { !range.contains($0.key) } }
        if !unreadable.isEmpty {
            unreadable = unreadable.filter { !range.overlaps($0 * Self.blockSize..<($0 + 1) * Self.blockSize) }
        }
    }
}

// MARK: Losing power

extension MemoryContent {
    private enum Outcome: CaseIterable { case nothing, everything, prefix, scattered }

    /// Everything up to some change is there, that one is torn, the rest is lost.
    private mutating func keepPrefix(using generator: inout SplitMix64) {
        guard !pending.isEmpty else { return }
        let torn = Int.random(in: 0..<pending.count, using: &generator)
        for change in pending[..<torn] { apply(change, to: change.range) }
        if case .length = pending[torn] { return }
        let length = durable.length
        for sector in pending[torn].sectors where Bool.random(using: &generator) {
            apply(pending[torn], to: sector)
        }
        if Bool.random(using: &generator) { durable.setLength(length) }
    }

    /// Each sector, and the length, as of some moment of its own.
    private mutating func keepScattered(using generator: inout SplitMix64) {
        var touches: [Int: Int] = [:]
        var lengths = [durable.length]
        for change in pending {
            if case .length(let length) = change { lengths.append(length) }
            for sector in change.sectors { touches[sector.lowerBound / Self.sectorSize, default: 0] += 1 }
        }
        var kept: [Int: Int] = [:]
        for (sector, count) in touches.sorted(by: { $0.key < $1.key }) {
            kept[sector] = Int.random(in: 0...count, using: &generator)
        }
        for change in pending {
            for sector in change.sectors {
                let number = sector.lowerBound / Self.sectorSize
                guard let left = kept[number], left > 0 else { continue }
                kept[number] = left - 1
                apply(change, to: sector)
            }
        }
        durable.setLength(lengths.randomElement(using: &generator) ?? durable.length)
    }

    /// Applies the part of a change that lies in `range` to the medium; a write grows the file as far as it goes.
    private mutating func apply(_ change: Change, to range: Range<Int>?) {
        switch change {
        case .length(let length):
            durable.setLength(length)
        case .write(let offset, let bytes):
            guard let part = range?.clamped(to: offset..<offset + bytes.count) else { return }
            durable.write(bytes[part.lowerBound - offset..<part.upperBound - offset], at: part.lowerBound)
        case .zero(let zeroed):
            guard let part = range?.clamped(to: zeroed) else { return }
            durable.zero(part)
        }
    }
}

extension MemoryContent.Change {
    /// The bytes that change; nil when only the length does.
    fileprivate var range: Range<Int>? {
        switch self {
        case .write(let offset, let bytes): offset..<offset + bytes.count
        case .zero(let range): range
        case .length: nil
        }
    }

    /// The sectors that change, whole.
    fileprivate var sectors: [Range<Int>] {
        guard let range, !range.isEmpty else { return [] }
        let size = MemoryContent.sectorSize
        return (range.lowerBound / size...(range.upperBound - 1) / size).map { $0 * size..<($0 + 1) * size }
    }
}
