import SystemInterface

extension FileSystemConformance {
    static let gatherChecks: [Check] = [
        Check("a gathered write lays its pieces end to end, empty ones included") { files in
            let file = try await files.open("f", .createNew)
            let pieces = [[1, 2], [], [3], [4, 5, 6], []].map { (bytes: [UInt8]) in BufferSlice(copying: bytes) }
            try await file.write(pieces, at: 3)
            try await file.write([], at: 0)
            try expect(await file.bytes(99) == [0, 0, 0, 1, 2, 3, 4, 5, 6], "wrong bytes")
        },
        Check("a write of more pieces than one call takes is whole") { files in
            let file = try await files.open("f", .createNew)
            let bytes = (0..<3_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
            let whole = BufferSlice(copying: bytes)
            try await file.write(bytes.indices.map { whole.slice($0..<$0 + 1) }, at: 0)
            try expect(await file.bytes(9_999) == bytes, "wrong bytes")
        },
        Check("direct files give the same bytes, aligned or not") { files in
            try await checkDirect(files)
        },
        Check("awaited calls of one caller happen in order") { files in
            let file = try await files.open("f", .createNew)
            for round in 0..<100 { try await file.write(bytes: [UInt8(round)], at: 0) }
            try expect(await file.bytes(1) == [99], "out of order")
        },
        Check("many callers at once all get their turn") { files in
            let file = try await files.open("f", .createNew)
            let callers = 1_000
            try await withThrowingTaskGroup { group in
                for caller in 0..<callers {
                    group.addTask {
                        let bytes = withUnsafeBytes(of: UInt32(caller).bigEndian) { Array($0) }
                        try await file.write(bytes: bytes, at: caller * 4)
                        try expect(await file.bytes(4, from: caller * 4) == bytes, "caller \(caller) read another's")
                    }
                }
                try await group.waitForAll()
            }
            try expect(await file.length() == callers * 4, "wrong length")
        },
    ]

    /// Writes of every alignment through a direct file, read back through direct and ordinary ones.
    private static func checkDirect(_ files: any FileSystem) async throws {
        var model: [UInt8] = []
        let writer = try await files.open("f", .createNew.direct())
        var generator = SplitMix64(seed: 1)
        for (offset, count) in [(0, 65_536), (65_536, 4_096), (100, 50), (69_632, 1_000), (4_096, 8_192)] {
            let bytes = generator.bytes(count)
            try await writer.write(bytes: bytes, at: offset)
            if model.count < offset + count {
                model += Array(repeating: 0, count: offset + count - model.count)
            }
            model.replaceSubrange(offset..<offset + count, with: bytes)
        }
        // Pieces of aligned length at an unaligned place in memory.
        let source = BufferSlice(copying: generator.bytes(8_192))
        let pieces = [source.slice(100..<4_196), source.slice(0..<4_096)]
        try await writer.write(pieces, at: 8_192)
        model.replaceSubrange(8_192..<16_384, with: pieces.flatMap { $0.copied() })
        try await writer.sync()
        for mode in [OpenMode.read, .read.direct(), .write.direct()] {
            let reader = try await files.open("f", mode)
            try expect(await reader.bytes(model.count + 9_000) == model, "the whole, \(mode)")
            try expect(await reader.bytes(300, from: 4_000) == Array(model[4_000..<4_300]), "a part, \(mode)")
            try expect(await reader.bytes(4_096, from: 69_632) == Array(model[69_632...]), "the end, \(mode)")
        }
    }
}
