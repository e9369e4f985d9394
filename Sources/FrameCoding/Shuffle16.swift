/// The filter `shuffle16`: 16-bit samples split into the plane of their low bytes and the plane of their high bytes.
///
/// CT, MR and X-ray samples have 10 to 16 significant bits: their high bytes are nearly constant from pixel to pixel
/// and compress well once the noise of the low bytes no longer lies between them. The bytes at even positions come
/// first, then those at odd positions; with an odd count the first plane is one longer.
enum Shuffle16 {
    /// Splits `bytes` into `planes` of the same count.
    static func split(_ bytes: UnsafeRawBufferPointer, into planes: UnsafeMutableRawBufferPointer) {
        precondition(planes.count == bytes.count, "as many bytes out as in")
        guard let source = bytes.baseAddress, let target = planes.baseAddress else { return }
        let lowCount = (bytes.count + 1) / 2
        let pairs = bytes.count / 2
        let low = target.assumingMemoryBound(to: UInt8.self)
        let high = low + lowCount
        let samples = source.assumingMemoryBound(to: UInt8.self)
        for index in 0..<pairs {
            low[index] = samples[2 &* index]
            high[index] = samples[2 &* index &+ 1]
        }
        if lowCount > pairs { low[pairs] = samples[2 &* pairs] }
    }

    /// Puts `planes` together again.
    static func join(_ planes: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer) {
        precondition(planes.count == bytes.count, "as many bytes out as in")
        guard let source = planes.baseAddress, let target = bytes.baseAddress else { return }
        let lowCount = (bytes.count + 1) / 2
        let pairs = bytes.count / 2
        let low = source.assumingMemoryBound(to: UInt8.self)
        let high = low + lowCount
        let samples = target.assumingMemoryBound(to: UInt8.self)
        for index in 0..<pairs {
            samples[2 &* index] = low[index]
            samples[2 &* index &+ 1] = high[index]
        }
        if lowCount > pairs { samples[2 &* pairs] = low[pairs] }
    }
}
