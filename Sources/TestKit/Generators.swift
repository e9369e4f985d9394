import Synchronization
import SystemInterface

/// A small seeded generator: the same seed gives the same numbers on every machine and in every version.
///
/// SplitMix64 of Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014). Not for keys.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A generator of its own, so that what one part draws does not change what another gets.
    package mutating func split() -> SplitMix64 { SplitMix64(seed: next()) }

    package mutating func bytes(_ count: Int) -> [UInt8] {
        Array(unsafeUninitializedCapacity: count + MemoryLayout<UInt64>.size) { buffer, initialized in
            let bytes = UnsafeMutableRawBufferPointer(buffer)
            for offset in stride(from: 0, to: count, by: MemoryLayout<UInt64>.size) {
                bytes.storeBytes(of: next().littleEndian, toByteOffset: offset, as: UInt64.self)
            }
            initialized = count
        }
    }
}

/// A `RandomSource` that repeats itself for one seed.
package final class SeededRandom: RandomSource {
    private let state: Mutex<SplitMix64>

    package init(seed: UInt64) { state = Mutex(SplitMix64(seed: seed)) }

    package func next() -> UInt64 { state.withLock { $0.next() } }
}
