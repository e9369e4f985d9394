/// Why cells could not be coded.
package enum ErasureCodingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The scheme names a family, matrix or local groups that this version does not know: use the version of Cairn
    /// that wrote it, or a later one.
    case unsupportedScheme(String)
    /// The chosen cells do not determine the others. Impossible with the Cauchy matrix, and checked all the same.
    case singularMatrix
    /// Fewer than k cells: the stripe cannot be read until more of its disks are back.
    case tooFewCells(available: Int, needed: Int)
    /// A shard index that the scheme does not have.
    case unknownShard(Int)
    /// The same shard given, or asked for, twice.
    case repeatedShard(Int)
    /// The cells of one stripe have different lengths.
    case unequalCells
    /// The erasure-coding library computes differently from what the format demands: nothing may be written or decoded
    /// with it. Replace the library (libisal) or the machine.
    case selfTestFailed(scheme: String)

    package var description: String {
        switch self {
        case .unsupportedScheme(let name):
            "scheme \(name) is not known to this version of Cairn; use the version that wrote it, or a later one"
        case .singularMatrix: "the available cells do not determine the lost ones"
        case .tooFewCells(let available, let needed):
            "\(available) cells of a stripe are left, \(needed) are needed; bring back disks that hold the others"
        case .unknownShard(let index): "the scheme has no shard \(index)"
        case .repeatedShard(let index): "shard \(index) was given twice"
        case .unequalCells: "the cells of one stripe have different lengths"
        case .selfTestFailed(let scheme):
            "libisal computes \(scheme) wrongly on this machine; replace the library or the machine before going on"
        }
    }
}
