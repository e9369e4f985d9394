import Coordination
import DiskFormat
import Synchronization
import Testing

@Suite("Checkpoints")
struct CheckpointTests {
    /// Keys 0, 1, 2 … with one value each; a range is ten keys, so that cuts do not move.
    private struct Source: CheckpointSource {
        var position: JournalPosition
        var values: [[UInt8]]

        func exportRange(from key: [UInt8], limit: Int) async throws -> (bytes: [UInt8], next: [UInt8]?) {
            let start = key.first.map(Int.init) ?? 0
            let end = min(start + 10, values.count)
            return (values[start..<end].flatMap { $0 }, end < values.count ? [UInt8(end)] : nil)
        }
    }

    private final class Blobs: CheckpointSink, CheckpointStore {
        let stored = Mutex<[[UInt8]]>([])
        func write(_ bytes: [UInt8]) async throws -> [UInt8] {
            stored.withLock { stored in
                stored.append(bytes)
                return Array("blob \(stored.count - 1)".utf8)
            }
        }
        func holds(_ reference: [UInt8]) async -> Bool { true }
        func read(_ reference: [UInt8]) async throws -> [UInt8] {
            let number = String(decoding: reference.dropFirst(5), as: UTF8.self)
            return stored.withLock { $0[Int(number) ?? 0] }
        }
        func damage(_ index: Int) { stored.withLock { $0[index][0] ^= 1 } }
    }

    private func values(_ count: Int) -> [[UInt8]] { (0..<count).map { [UInt8($0), 1, 2, 3] } }

    private func readBack(_ list: [UInt8], _ blobs: Blobs) async throws -> [UInt8] {
        let reader = CheckpointReader(store: blobs)
        var result: [UInt8] = []
        try await reader.read(try await reader.list(list)) { _, bytes in result += bytes }
        return result
    }

    @Test("What was exported is read back; unchanged ranges are shared with the checkpoint before")
    func sharing() async throws {
        let blobs = Blobs()
        let writer = CheckpointWriter(sink: blobs)
        var source = Source(position: position(1, 5), values: values(95))
        let first = try await writer.write(source, previous: nil)
        #expect(first.ranges == 10 && first.sharedRanges == 0)
        #expect(try await readBack(first.list, blobs) == source.values.flatMap { $0 })
        source.position = position(2, 9)
        source.values[33][2] = 99
        let second = try await writer.write(source, previous: try CheckpointList(decoding: first.list))
        #expect(second.sharedRanges == 9 && second.position == position(2, 9))
        #expect(try await readBack(second.list, blobs) == source.values.flatMap { $0 })
        #expect(blobs.stored.withLock { $0.count } == 11)
    }

    @Test("A list too long for a log's beginning is stored as blobs itself")
    func longList() async throws {
        let blobs = Blobs()
        let writer = CheckpointWriter(sink: blobs, rangeLength: 300, listLimit: 250)
        let source = Source(position: position(1, 5), values: values(100))
        let taken = try await writer.write(source, previous: nil)
        #expect(taken.list.count <= 250 && taken.blobs.count > 10)
        #expect(try await readBack(taken.list, blobs) == source.values.flatMap { $0 })
    }

    @Test("A blob that is not what was written is found, and so is a flipped bit of the list")
    func damage() async throws {
        let blobs = Blobs()
        let taken = try await CheckpointWriter(sink: blobs).write(
            Source(position: position(1, 5), values: values(30)),
            previous: nil
        )
        for offset in taken.list.indices {
            var list = taken.list
            list[offset] ^= 0x20
            #expect(throws: JournalFormatError.self) { _ = try CheckpointList(decoding: list) }
            #expect(throws: JournalFormatError.self) { _ = try CheckpointList(decoding: Array(list[..<offset])) }
        }
        blobs.damage(1)
        await #expect(throws: CheckpointError.digest(entry: 1)) { _ = try await readBack(taken.list, blobs) }
    }
}
