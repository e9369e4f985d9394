package import ObjectModel
package import SystemInterface

/// A place for a disk: where it stands in the topology and how its files are reached.
package struct StoreSlot: Sendable {
    package var site: SiteName
    package var node: NodeName
    /// The operator's name of the disk, unique on its node.
    package var name: String
    /// Where it lies, for people and their tools; empty in a simulation.
    package var path: String
    /// Opens the disk's files anew; throws when its folder or mount is not there. Called at start and after a
    /// replacement.
    package var open: @Sendable () async throws(FileError) -> any FileSystem

    package init(
        site: SiteName,
        node: NodeName,
        name: String,
        path: String = "",
        open: @escaping @Sendable () async throws(FileError) -> any FileSystem
    ) {
        self.site = site
        self.node = node
        self.name = name
        self.path = path
        self.open = open
    }
}
