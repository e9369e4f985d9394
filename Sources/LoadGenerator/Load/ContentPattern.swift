/// The bytes of every object, given by its key and the offset alone, so that any range of any object can be made
/// again and compared at the speed of memory.
///
/// A word of eight bytes is `pool[word mod 8192] XOR key(block)`: a fixed pool of 64 KiB of random bytes, and one
/// random word for each block of 4 KiB of each object. Bytes that come back from another object, another block or
/// another place in the block are therefore told apart, and no compressor with a window finds a match.
package struct ContentPattern: Sendable {
    /// Bytes that share one random word.
    static let blockLength = 4_096
    /// Bytes of the pool: it fits a core's second-level cache beside the buffers.
    private static let poolLength = 64 << 10

    private static let pool: [UInt64] = {
        var generator = SplitMix(seed: 0x6361_6972_6E00_0001)
        return (0..<poolLength / 8).map { _ in generator.next() }
    }()

    private let seed: UInt64
    /// Whether the second half of each block is one word repeated: LZ4 and its like then halve the object.
    private let isCompressible: Bool

    package init(key: some Sequence<UInt8>, isCompressible: Bool) {
        // FNV-1a, then mixed: keys that differ in one digit give unrelated seeds.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        seed = SplitMix.mix(hash)
        self.isCompressible = isCompressible
    }

    /// Fills `buffer` with the object's bytes from `offset` on.
    package func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) {
        forEachWord(at: offset, count: buffer.count) { position, length, word in
            withUnsafeBytes(of: word) { bytes in
                for index in 0..<length { buffer[position + index] = bytes[index] }
            }
        } run: { position, words, base, key in
            for index in 0..<words {
                let word = (base.map { $0[index] } ?? 0) ^ key
                buffer.storeBytes(of: word.littleEndian, toByteOffset: position + 8 * index, as: UInt64.self)
            }
            return true
        }
    }

    /// The offset in the object of the first byte of `buffer` that is wrong; nil when all are right.
    package func firstDifference(in buffer: UnsafeRawBufferPointer, at offset: Int) -> Int? {
        var isEqual = true
        forEachWord(at: offset, count: buffer.count) { position, length, word in
            withUnsafeBytes(of: word) { bytes in
                for index in 0..<length where buffer[position + index] != bytes[index] { isEqual = false }
            }
        } run: { position, words, base, key in
            var difference: UInt64 = 0
            for index in 0..<words {
                let found = UInt64(
                    littleEndian: buffer.loadUnaligned(fromByteOffset: position + 8 * index, as: UInt64.self)
                )
                difference |= found ^ key ^ (base.map { $0[index] } ?? 0)
            }
            if difference != 0 { isEqual = false }
            return isEqual
        }
        return isEqual ? nil : slowFirstDifference(in: buffer, at: offset)
    }

    /// Byte by byte, for the one object that is wrong.
    private func slowFirstDifference(in buffer: UnsafeRawBufferPointer, at offset: Int) -> Int? {
        (0..<buffer.count).first { buffer[$0] != byte(at: offset + $0) }.map { $0 + offset }
    }

    /// One byte of the object: the definition that `fill` must agree with.
    package func byte(at offset: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: word(offset / 8) >> UInt64(8 * (offset % 8)))
    }

    private func blockKey(_ block: Int) -> UInt64 { SplitMix.mix(seed &+ UInt64(block) &* SplitMix.increment) }

    private func word(_ index: Int) -> UInt64 {
        let key = blockKey(index * 8 / Self.blockLength)
        return isPlain(index) ? key : key ^ Self.pool[index % Self.pool.count]
    }

    private func isPlain(_ word: Int) -> Bool { isCompressible && word * 8 % Self.blockLength >= Self.blockLength / 2 }

    /// Cuts the range into whole words of one half block each, and the odd bytes at both ends.
    ///
    /// `odd` gets a position in the buffer, a number of bytes and a word that holds them in its low bytes, in memory
    /// order; `run` gets a position, a number of words, the words of the pool (none: zeros) and the block's key, and
    /// ends the walk by false.
    private func forEachWord(
        at offset: Int,
        count: Int,
        odd: (Int, Int, UInt64) -> Void,
        run: (Int, Int, UnsafePointer<UInt64>?, UInt64) -> Bool
    ) {
        Self.pool.withUnsafeBufferPointer { pool in
            guard let base = pool.baseAddress else { return }
            var position = 0
            while position < count {
                let place = offset + position
                let inWord = place % 8
                let left = count - position
                if inWord != 0 || left < 8 {
                    let length = min(8 - inWord, left)
                    odd(position, length, (word(place / 8) >> UInt64(8 * inWord)).littleEndian)
                    position += length
                    continue
                }
                let half = Self.blockLength / 2
                let words = min(half - place % half, left) / 8
                let index = place / 8
                let source = isPlain(index) ? nil : base + index % pool.count
                guard run(position, words, source, blockKey(place / Self.blockLength)) else { return }
                position += words * 8
            }
        }
    }
}
