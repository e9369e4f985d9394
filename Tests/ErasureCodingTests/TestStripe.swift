import ErasureCoding
import Glibc
import ObjectModel

/// A stripe in stable memory, and room for what is made from it.
final class TestStripe {
    let coder: ErasureCoder
    let length: Int
    private let memory: UnsafeMutableRawBufferPointer

    /// Cells of `length` bytes: noise in the data cells, parity by the coder.
    init(_ scheme: Scheme, length: Int) throws {
        coder = try ErasureCoder(scheme: scheme)
        self.length = length
        memory = .allocate(byteCount: max(1, 2 * scheme.shardCount * length), alignment: 64)
        fillNoise(UnsafeMutableRawBufferPointer(rebasing: memory[..<(scheme.dataCount * length)]), seed: UInt64(length))
        let k = scheme.dataCount
        coder.encode(data: (0..<k).map(cell), parity: (k..<scheme.shardCount).map(mutableCell))
    }

    deinit { memory.deallocate() }

    var scheme: Scheme { coder.scheme }

    func cell(_ index: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(mutableCell(index)) }

    func mutableCell(_ index: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory[index * length..<(index + 1) * length])
    }

    /// Where the cell with this index is written when it is reconstructed.
    func room(_ index: Int) -> UnsafeMutableRawBufferPointer { mutableCell(scheme.shardCount + index) }

    var cells: [[UInt8]] { (0..<scheme.shardCount).map { Array(cell($0)) } }

    /// Reconstructs the `lost` cells from the `left` ones; whether they came out as they were.
    func reconstructs(_ lost: [Int], from left: [Int]) throws -> Bool {
        for index in lost { room(index).initializeMemory(as: UInt8.self, repeating: 0xEE) }
        try coder.reconstruct(available: left.map { ($0, cell($0)) }, wanted: lost.map { ($0, room($0)) })
        return lost.allSatisfy { index in
            guard let made = room(index).baseAddress, let original = cell(index).baseAddress else { return length == 0 }
            return memcmp(made, original, length) == 0
        }
    }
}
