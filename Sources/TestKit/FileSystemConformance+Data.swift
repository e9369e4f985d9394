import SystemInterface

extension FileSystemConformance {
    static let dataChecks: [Check] = [
        Check("what is written is read, short only at the end") { files in
            let file = try await files.open("f", .createNew)
            try await file.write(bytes: [1, 2, 3, 4, 5])
            try expect(await file.bytes(5) == [1, 2, 3, 4, 5], "wrong bytes")
            try expect(await file.bytes(99, from: 3) == [4, 5], "wrong end")
            try expect(await file.bytes(9, from: 5).isEmpty, "bytes beyond the end")
            try expect(await file.bytes(9, from: 1 << 30).isEmpty, "bytes far beyond the end")
            try expect(await file.bytes(0).isEmpty, "bytes out of nothing")
            try expect(await file.length() == 5, "wrong length")
        },
        Check("a write beyond the end leaves a hole of zeros that takes no room") { files in
            let file = try await files.open("f", .createNew)
            try await file.write(bytes: [9], at: 1 << 22)
            try await file.sync()
            try expect(await file.length() == 1 << 22 + 1, "wrong length")
            try expect(await file.bytes(4_096, from: 8_192) == Array(repeating: 0, count: 4_096), "no zeros")
            let allocated = try await files.status("f")?.allocated ?? .max
            try expect(allocated < 1 << 20, "the hole takes \(allocated) bytes")
        },
        Check("read fills its part of the buffer and nothing else") { files in
            let file = try await files.make("f", [1, 2, 3, 4])
            let buffer = AlignedBuffer(capacity: 16)
            let got = try await file.read(into: buffer, at: 5, count: 2, from: 1)
            try expect(got == 2, "wrong count")
            try expect(Array(buffer.mutableBytes[..<9]) == [0, 0, 0, 0, 0, 2, 3, 0, 0], "wrong place")
        },
        Check("a cached read gives all that was asked, or nil") { files in
            let file = try await files.make("f", Array(repeating: 7, count: 10_000))
            let buffer = AlignedBuffer(capacity: 10_000)
            if let got = try file.readIfCached(into: buffer, at: 0, count: 10_000, from: 0) {
                try expect(got == 10_000, "a part only")
                try expect(buffer.slice(0..<10_000).copied().allSatisfy { $0 == 7 }, "wrong bytes")
            }
            try expect(try file.readIfCached(into: buffer, at: 0, count: 2, from: 9_999) == nil, "a short read")
        },
        Check("truncate cuts and grows, and what was cut reads as zeros after") { files in
            let file = try await files.make("f", Array(repeating: 5, count: 9_000))
            try await file.truncate(to: 100)
            try await file.truncate(to: 9_000)
            try expect(await file.length() == 9_000, "wrong length")
            let expected = Array(repeating: UInt8(5), count: 100) + Array(repeating: 0, count: 8_900)
            try expect(await file.bytes(9_000) == expected, "cut bytes came back")
        },
        Check("allocate takes room, grows the file, and keeps its bytes") { files in
            let file = try await files.make("f", [1, 2, 3])
            try await file.allocate(0..<1 << 20)
            try expect(await file.length() == 1 << 20, "wrong length")
            try expect(await file.bytes(5) == [1, 2, 3, 0, 0], "wrong bytes")
            try await file.allocate(0..<4_096)
            try expect(await file.length() == 1 << 20, "it shrank")
            let allocated = try await files.status("f")?.allocated ?? 0
            try expect(allocated >= 1 << 20, "only \(allocated) bytes were reserved")
        },
        Check("punch gives zeros, keeps the length, and frees whole blocks") { files in
            let size = 1 << 20
            let file = try await files.make("f", Array(repeating: 3, count: size))
            try await file.punch(10..<size - 10)
            try await file.sync()
            try expect(await file.length() == size, "wrong length")
            let edge = [UInt8](repeating: 3, count: 10)
            let bytes = try await file.bytes(size)
            try expect(Array(bytes.prefix(10)) == edge && Array(bytes.suffix(10)) == edge, "it took too much")
            try expect(bytes.dropFirst(10).dropLast(10).allSatisfy { $0 == 0 }, "it left something")
            try await file.punch(size..<2 * size)
            try expect(await file.length() == size, "it grew")
        },
        Check("a file opened for reading refuses to be changed") { files in
            try await files.make("f", [1])
            let file = try await files.open("f", .read)
            try await expectError(.notPermitted, "write") { () throws(FileError) in try await file.write(bytes: [2]) }
            try expect(await file.bytes(9) == [1], "changed")
        },
        Check("offsets below zero are refused") { files in
            let file = try await files.make("f", [1])
            try await expectError(.invalid, "read") { () throws(FileError) in try await file.bytes(1, from: -1) }
            try await expectError(.invalid, "write") { () throws(FileError) in
                try await file.write(bytes: [1], at: -1)
            }
            try await expectError(.invalid, "truncate") { () throws(FileError) in try await file.truncate(to: -1) }
        },
        Check("space shrinks by what is written and says the device") { files in
            let before = try await files.space()
            let file = try await files.make("f", Array(repeating: 1, count: 4 << 20))
            let after = try await files.space()
            try expect(before.total > 0 && before.available <= before.total, "absurd: \(before)")
            try expect(after.device == before.device, "the device changed")
            try expect(await file.length() == 4 << 20, "wrong length")
        },
    ]
}
