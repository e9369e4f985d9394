/// What a structure uses beyond version 1, in the three classes of DESIGN §6. Version 1 defines no bit.
package struct FeatureBits: Hashable, Sendable {
    /// May be overlooked.
    package var compatible: UInt64
    /// Whoever does not know these reads, but never appends, rewrites or moves.
    package var readOnly: UInt64
    /// Whoever does not know these refuses.
    package var incompatible: UInt64

    package init(compatible: UInt64 = 0, readOnly: UInt64 = 0, incompatible: UInt64 = 0) {
        self.compatible = compatible
        self.readOnly = readOnly
        self.incompatible = incompatible
    }

    package static let none = FeatureBits()

    /// False when this version must not change what bears these bits.
    package var allowsChanges: Bool { readOnly == 0 }

    func check(_ structure: String) throws(DiskFormatError) {
        guard incompatible == 0 else {
            throw .unsupported("incompatible features \(incompatible) of \(structure)")
        }
    }
}

extension FormatWriter {
    mutating func put(_ features: FeatureBits) {
        put(features.compatible)
        put(features.readOnly)
        put(features.incompatible)
    }
}

extension FormatReader {
    mutating func getFeatures() throws(DiskFormatError) -> FeatureBits {
        FeatureBits(compatible: try get(), readOnly: try get(), incompatible: try get())
    }
}
