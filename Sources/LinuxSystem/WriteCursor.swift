import CLinux
import SystemInterface

/// What is left of a gathered write: a call may take only part of it (pwritev(2)), and only so many pieces at once.
struct WriteCursor {
    /// Pieces of one call at most: IOV_MAX.
    static let vectorLimit = 1_024

    private let pieces: [BufferSlice]
    private var index = 0
    /// Bytes of the current piece that are written.
    private var done = 0
    /// Where the next byte goes in the file.
    private(set) var offset: Int

    init(pieces: [BufferSlice], offset: Int) {
        self.pieces = pieces
        self.offset = offset
        skipFinished()
    }

    var isDone: Bool { index == pieces.count }

    /// True when the next call may bypass the page cache: memory, offset and lengths are multiples of 4 KiB.
    var isAligned: Bool {
        var bits = offset | done
        for piece in pieces[index...].prefix(Self.vectorLimit) {
            bits |= Int(bitPattern: piece.bytes.baseAddress) | piece.count
        }
        return bits % AlignedBuffer.alignment == 0
    }

    /// Calls `body` with the next pieces; their memory lives as long as this cursor.
    func withVector<Result>(_ body: (UnsafeMutableBufferPointer<iovec>) -> Result) -> Result {
        let rest = pieces[index...].prefix(Self.vectorLimit)
        return withExtendedLifetime(pieces) {
            withUnsafeTemporaryAllocation(of: iovec.self, capacity: rest.count) { vector in
                for (slot, piece) in rest.enumerated() {
                    let skipped = slot == 0 ? done : 0
                    let start = UnsafeMutableRawPointer(mutating: piece.bytes.baseAddress)
                    vector.initializeElement(
                        at: slot,
                        to: iovec(iov_base: start.map { $0 + skipped }, iov_len: piece.count - skipped)
                    )
                }
                return body(vector)
            }
        }
    }

    mutating func advance(by count: Int) {
        offset += count
        done += count
        skipFinished()
    }

    private mutating func skipFinished() {
        while index < pieces.count, done >= pieces[index].count {
            done -= pieces[index].count
            index += 1
        }
    }
}
