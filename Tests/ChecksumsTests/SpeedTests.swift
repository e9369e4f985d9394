import Checksums
import Glibc
import Testing

/// `CAIRN_MEASURE=1 swift test -c release --filter ChecksumsSpeed` prints gigabytes per second of one core.
@Suite("Speed", .enabled(if: getenv("CAIRN_MEASURE") != nil), .serialized)
struct ChecksumsSpeedTests {
    private static let length = 1 << 20

    @Test("of checksums and digests over 1 MiB")
    func checksums() {
        let bytes = noise(Self.length)
        bytes.withUnsafeBytes { bytes in
            let seed = LeafSeed(incarnation: 1, lease: 2, sequence: 3, shard: 4, stamp: 5)
            var table: [UInt32] = []
            Self.report("leaf CRC-32C") {
                table.removeAll(keepingCapacity: true)
                seed.checksums(of: bytes, firstLeaf: 0, into: &table)
            }
            Self.report("CRC-64/NVME") { _ = CRC64NVME.checksum(bytes) }
            Self.report("CRC-64/NVME by tables") { _ = CRC64NVME.portableChecksum(bytes) }
            Self.report("XXH3-128") { _ = XXH3Digest.digest(bytes) }
            let stream = XXH3Digest()
            Self.report("XXH3-128 in a stream") { stream.update(bytes) }
            for algorithm in ChecksumAlgorithm.allCases { Self.report(algorithm.name) { _ = algorithm.digest(bytes) } }
        }
    }

    @Test("of MD5 by kernel and number of lanes")
    func lanes() throws {
        let buffers = (0..<MD5Lanes.maximum).map { noise(Self.length, seed: UInt64($0)) }
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: buffers.count * Self.length, alignment: 64)
        defer { memory.deallocate() }
        for (index, buffer) in buffers.enumerated() {
            UnsafeMutableRawBufferPointer(rebasing: memory[(index * Self.length)...]).copyBytes(from: buffer)
        }
        let base = try #require(memory.baseAddress)
        let openSSL = UnsafeRawBufferPointer(rebasing: memory[..<Self.length])
        Self.report("MD5 OpenSSL") { _ = MessageDigest.md5.digest(openSSL) }
        for kernel in MD5Lanes.kernels {
            for count in [1, 2, 4, 8, 16] where count <= kernel.width {
                Self.report("MD5 \(kernel.name), \(count) streams", bytes: count * Self.length) {
                    var lanes = (0..<count).map {
                        MD5Lane(
                            words: .zero,
                            cursor: UnsafeRawPointer(base + $0 * Self.length),
                            blocks: Self.length / 64
                        )
                    }
                    lanes.withUnsafeMutableBufferPointer {
                        while $0[0].blocks > 0 { MD5Lanes.advance($0, blocks: 1_024, kernel: kernel.number) }
                    }
                }
            }
        }
    }

    @Test("of the MD5 engine with uploads of 32 MiB in pieces of 512 KiB", arguments: [1, 2, 4, 8, 16])
    func engine(uploads: Int) async {
        let engine = MD5Engine { run in Task.detached { run() } }
        let piece = 512 << 10
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 64)
        memory.copyBytes(from: noise(piece))
        nonisolated(unsafe) let bytes = UnsafeRawBufferPointer(memory)
        defer { memory.deallocate() }
        let clock = ContinuousClock()
        let time = await clock.measure {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<uploads {
                    group.addTask {
                        let stream = engine.makeStream()
                        for _ in 0..<64 { await stream.update(bytes, keeping: engine) }
                        _ = await stream.finalize()
                    }
                }
            }
        }
        let rate = Double(uploads * 64 * piece) / (time / .seconds(1)) / 1e9
        print("MD5 engine, \(uploads) uploads: \((rate * 100).rounded() / 100) GB/s")
    }

    /// Prints the best of several runs.
    private static func report(_ name: String, bytes: Int = length, _ body: () -> Void) {
        let clock = ContinuousClock()
        let best = (0..<15).map { _ in clock.measure(body) / .seconds(1) }.min() ?? .infinity
        print("\(name): \((Double(bytes) / best / 1e7).rounded() / 100) GB/s")
    }
}
