internal import DiskFormat
internal import SystemInterface

/// The records of a segment that nobody appends to: from its footer, else by walking it.
struct SegmentTable {
    let header: SegmentHeader
    let file: any File
    /// Of the file.
    let length: Int
    let pool: BufferPool

    /// Throws `.medium` when the medium hides some of them.
    func entries() async throws(FileError) -> [SegmentFooter.Entry] {
        if let found = try await findFooter() { return found.footer.entries }
        let walk = try await walk()
        guard walk.isWhole else { throw FileError(.medium, operation: "read", path: SegmentState.path(header.segment)) }
        return walk.entries
    }

    func walk() async throws(FileError) -> SegmentWalk {
        var walk = SegmentWalk(header: header, file: file, length: length, pool: pool)
        try await walk.run()
        return walk
    }

    /// The same as `readFooter`; nil also when the medium cannot give it.
    func findFooter() async throws(FileError) -> (footer: SegmentFooter, offset: Int)? {
        do throws(FileError) {
            return try await readFooter()
        } catch  where error.code != .medium {
            throw error
        } catch {
            return nil
        }
    }

    /// The footer and where it begins; nil when there is no valid one.
    func readFooter() async throws(FileError) -> (footer: SegmentFooter, offset: Int)? {
        let tail = SegmentFooter.locatorLength
        guard length >= SegmentHeader.recordsOffset + tail, let locator = try await read(tail, at: length - tail),
            let range = locator.withBytes({ SegmentFooter.locate($0, fileLength: length, in: header) }),
            let bytes = try await read(range.count, at: range.lowerBound),
            let footer = bytes.withBytes({ try? SegmentFooter.decode($0, at: range.lowerBound, in: header) })
        else { return nil }
        return (footer, range.lowerBound)
    }

    private func read(_ count: Int, at offset: Int) async throws(FileError) -> BufferSlice? {
        let buffer = pool.take(count)
        guard try await file.read(into: buffer, at: 0, count: count, from: offset) == count else { return nil }
        return buffer.slice(0..<count)
    }
}
