/// The contents of a file, kept in 4 KiB pages; a page that is missing reads as zeros.
struct SparseBytes: Sendable {
    static let pageSize = 4_096

    private var pages: [Int: [UInt8]] = [:]
    /// Pages that take room, written or only reserved.
    private(set) var allocated = RangeSet<Int>()
    private(set) var length = 0

    /// Bytes of room taken.
    var allocatedBytes: Int { allocated.ranges.reduce(0) { $0 + $1.count } * Self.pageSize }

    /// The pages that `range` touches.
    static func pageRange(_ range: Range<Int>) -> Range<Int> {
        range.isEmpty ? 0..<0 : range.lowerBound / pageSize..<(range.upperBound - 1) / pageSize + 1
    }

    /// Pages of `range` that take no room yet.
    func missingPages(in range: Range<Int>) -> Int {
        let wanted = Self.pageRange(range)
        return wanted.count - allocated.intersection(RangeSet(wanted)).ranges.reduce(0) { $0 + $1.count }
    }

    /// Copies what lies in `range` and below the length into `target`; returns how much.
    func read(_ range: Range<Int>, into target: UnsafeMutableRawBufferPointer) -> Int {
        let range = range.clamped(to: 0..<max(length, range.lowerBound))
        Self.forEachPart(of: range) { page, part, offset in
            let target = UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + part.count])
            if let bytes = pages[page] {
                target.copyBytes(from: bytes[part])
            } else {
                target.initializeMemory(as: UInt8.self, repeating: 0)
            }
        }
        return range.count
    }

    /// Grows the file over what is written.
    mutating func write(_ bytes: ArraySlice<UInt8>, at offset: Int) {
        let range = offset..<offset + bytes.count
        Self.forEachPart(of: range) { page, part, done in
            let start = bytes.startIndex + done
            pages[page, default: Self.emptyPage].replaceSubrange(part, with: bytes[start..<start + part.count])
        }
        allocated.insert(contentsOf: Self.pageRange(range))
        length = max(length, range.upperBound)
    }

    /// Writes zeros where there is anything else; the length and the room taken stay.
    mutating func zero(_ range: Range<Int>) {
        Self.forEachPart(of: range) { page, part, _ in
            guard pages[page] != nil else { return }
            pages[page]?.replaceSubrange(part, with: repeatElement(0, count: part.count))
        }
    }

    /// Reserves room and grows the file over it.
    mutating func reserve(_ range: Range<Int>) {
        allocated.insert(contentsOf: Self.pageRange(range))
        length = max(length, range.upperBound)
    }

    /// Zeros `range` and gives back the pages wholly inside.
    mutating func punch(_ range: Range<Int>) {
        zero(range)
        let first = (range.lowerBound + Self.pageSize - 1) / Self.pageSize
        let last = range.upperBound / Self.pageSize
        if first < last { release(first..<last) }
    }

    /// Cuts or grows; what is beyond the new length is gone.
    mutating func setLength(_ newLength: Int) {
        if newLength < length {
            zero(newLength..<length)
            let first = (newLength + Self.pageSize - 1) / Self.pageSize
            let last = (length + Self.pageSize - 1) / Self.pageSize
            if first < last { release(first..<last) }
        }
        length = newLength
    }

    /// The parts of `range` that lie on pages with contents, in order.
    func written(in range: Range<Int>) -> [Range<Int>] {
        let wanted = Self.pageRange(range)
        return pages.keys.filter { wanted.contains($0) }.sorted().map { page in
            (page * Self.pageSize..<(page + 1) * Self.pageSize).clamped(to: range)
        }
    }

    /// Takes over the pages of `range`, their room included, from `other`.
    mutating func copyPages(of range: Range<Int>, from other: SparseBytes) {
        for page in Self.pageRange(range) { pages[page] = other.pages[page] }
    }

    /// Takes over length and room from `other`.
    mutating func copyShape(from other: SparseBytes) {
        length = other.length
        allocated = other.allocated
    }

    private mutating func release(_ range: Range<Int>) {
        allocated.remove(contentsOf: range)
        if range.count < pages.count {
            for page in range { pages[page] = nil }
        } else {
            pages = pages.filter { !range.contains($0.key) }
        }
    }

    private static let emptyPage = [UInt8](repeating: 0, count: pageSize)

    /// Calls `body` with each page that `range` touches, the part of the page, and how far into `range` that is.
    private static func forEachPart(of range: Range<Int>, _ body: (Int, Range<Int>, Int) -> Void) {
        var position = range.lowerBound
        while position < range.upperBound {
            let page = position / pageSize
            let start = position % pageSize
            let count = min(pageSize - start, range.upperBound - position)
            body(page, start..<start + count, position - range.lowerBound)
            position += count
        }
    }
}
