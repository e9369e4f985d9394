internal import ObjectModel
internal import SystemInterface

/// Which files a run has given to its objects: no two of them ever get one, nor does one get a name that another needs
/// for a folder.
///
/// Keeps 16 bytes for each file and each folder.
package struct SalvagePaths {
    /// Whether names that differ by case alone are one name there.
    private let ignoresCase: Bool
    private var files: Set<ContentDigest> = []
    private var folders: Set<ContentDigest> = []

    package init(ignoresCase: Bool) { self.ignoresCase = ignoresCase }

    /// Takes a path for an object; returns why it cannot be had, or nil.
    package mutating func claim(_ path: String) -> String? {
        // By bytes: two texts that Unicode calls equal are two files.
        let path = ignoresCase ? path.lowercased() : path
        let file = ContentDigest(of: path)
        var above: [ContentDigest] = []
        var folder = RelativePath.parent(of: path)
        while folder != RelativePath.root {
            let digest = ContentDigest(of: folder)
            if files.contains(digest) { return Self.problem("a file of another object is in the way") }
            // What is above a folder has been looked at when that was taken.
            if folders.contains(digest) { break }
            above.append(digest)
            folder = RelativePath.parent(of: folder)
        }
        if folders.contains(file) { return Self.problem("it is the folder of other objects") }
        guard files.insert(file).inserted else { return Self.problem("another object has it") }
        folders.formUnion(above)
        return nil
    }

    private static func problem(_ why: String) -> String {
        "the name of its file is taken: \(why); salvage it by itself, with --bucket and --prefix, into another folder"
    }
}

extension FileError {
    /// EILSEQ: a name of bytes that the target has no letters for. From a call that writes data it is a medium's
    /// failure, and then other calls fail too.
    private static let illegalSequence: Int32 = 84

    /// Whether the next file of a target may be written all the same: its name or length was refused, and not the
    /// medium failed, or was full. What is wrong with all files is met again where the next one begins.
    var concernsOneFile: Bool {
        switch code {
        case .medium: number == Self.illegalSequence
        case .full, .gone, .readOnly: false
        case .notFound, .exists, .notPermitted, .invalid, .other: true
        }
    }

    /// What an object is told that met it.
    var asProblem: String {
        "\(description): the target refused its name or its length; salvage it into a folder on another file system"
    }
}
