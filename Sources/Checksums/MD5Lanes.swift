import CDigests

/// One stream's turn in `MD5Lanes.advance`: its registers and the whole blocks to come.
package struct MD5Lane {
    package var words: SIMD4<UInt32>
    /// The next block, of 64 bytes.
    package var cursor: UnsafeRawPointer
    /// Blocks from `cursor` on.
    package var blocks: Int

    package init(words: SIMD4<UInt32>, cursor: UnsafeRawPointer, blocks: Int) {
        self.words = words
        self.cursor = cursor
        self.blocks = blocks
    }
}

/// MD5 of several streams side by side in the lanes of vector registers.
///
/// MD5 is one chain of dependent additions and keeps a core nearly idle: sixteen streams take little longer than one.
package enum MD5Lanes {
    /// The most streams that are run side by side.
    package static let maximum = Int(CAIRN_MD5_LANES)

    /// Runs the next `blocks` blocks of every lane, of which there are at most `maximum`, each of another stream and
    /// with at least so many blocks left. Chooses the fastest way that this processor has. Allocates nothing.
    package static func advance(_ lanes: UnsafeMutableBufferPointer<MD5Lane>, blocks: Int) {
        precondition(lanes.count <= maximum && lanes.allSatisfy { $0.blocks >= blocks }, "lanes with blocks left")
        var start = 0
        while start < lanes.count {
            let rest = lanes.count - start
            let kernel = cairn_md5_best_kernel(UInt32(rest))
            let count = min(rest, Int(cairn_md5_width(kernel)))
            advance(UnsafeMutableBufferPointer(rebasing: lanes[start..<start + count]), blocks: blocks, kernel: kernel)
            start += count
        }
    }

    /// The ways to run, for measurement and tests: name and width, those that this processor has.
    package static var kernels: [(number: Int, name: String, width: Int)] {
        let names = ["scalar", "scalar x 2", "SSE2 x 4", "AVX2 x 8", "AVX-512 x 4", "AVX-512 x 8", "AVX-512 x 16"]
        return names.enumerated().compactMap { number, name in
            let width = Int(cairn_md5_width(cairn_md5_kernel(UInt32(number))))
            return width > 0 ? (number, name, width) : nil
        }
    }

    /// The same with a kernel out of `kernels`, for at most its width of lanes.
    package static func advance(_ lanes: UnsafeMutableBufferPointer<MD5Lane>, blocks: Int, kernel number: Int) {
        advance(lanes, blocks: blocks, kernel: cairn_md5_kernel(UInt32(number)))
    }

    private static func advance(
        _ lanes: UnsafeMutableBufferPointer<MD5Lane>,
        blocks: Int,
        kernel: cairn_md5_kernel
    ) {
        precondition(lanes.count <= Int(cairn_md5_width(kernel)), "no more lanes than the kernel has")
        guard blocks > 0, !lanes.isEmpty else { return }
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 4 * lanes.count) { words in
            withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<UInt32>?.self, capacity: lanes.count) { states in
                withUnsafeTemporaryAllocation(of: UnsafePointer<UInt8>?.self, capacity: lanes.count) { data in
                    for (index, lane) in lanes.enumerated() {
                        for word in 0..<4 { words.initializeElement(at: 4 * index + word, to: lane.words[word]) }
                        states.initializeElement(at: index, to: words.baseAddress.map { $0 + 4 * index })
                        data.initializeElement(at: index, to: lane.cursor.assumingMemoryBound(to: UInt8.self))
                    }
                    cairn_md5_advance(kernel, states.baseAddress, data.baseAddress, UInt32(lanes.count), blocks)
                }
            }
            for index in lanes.indices {
                for word in 0..<4 { lanes[index].words[word] = words[4 * index + word] }
                lanes[index].cursor += blocks * MD5State.blockLength
                lanes[index].blocks -= blocks
            }
        }
    }
}
