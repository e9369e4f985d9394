internal import DiskFormat
internal import FrameCoding

extension IdentityDocument {
    /// The document as it goes into trailers: compressed where that pays, as it does for a pack's many names.
    func block() -> IdentityBlock {
        let plain = encoded()
        guard let packed = CompressedText.encode(plain.bytes) else { return plain }
        return IdentityBlock(encoding: .compressedJSON, bytes: packed)
    }
}
