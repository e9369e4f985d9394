/// The rule for the paths that a `FileSystem` takes: names joined by `/`, below the root, and nothing else.
///
/// Shared by every implementation, so that a path which one refuses passes in none.
package enum RelativePath {
    /// The root itself, for `list`, `status` and `syncDirectory`.
    package static let root = "."

    /// The names along `path`; none for `.` and the empty path, which are the root.
    ///
    /// Throws `.invalid` for an absolute path, an empty name (`a//b`, `a/`), `.` or `..` as a name, and NUL.
    package static func components(_ path: String, operation: String) throws(FileError) -> [Substring] {
        if path.isEmpty || path == root { return [] }
        let names = path.split(separator: "/", omittingEmptySubsequences: false)
        for name in names where name.isEmpty || name == "." || name == ".." || name.utf8.contains(0) {
            throw FileError(.invalid, operation: operation, path: path)
        }
        return names
    }

    /// The directory that holds the last name of `path`; `.` for a name right below the root.
    package static func parent(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return root }
        return String(path[..<slash])
    }
}
