import SystemInterface

/// The names and files of a simulated disk. Names, like bytes, are kept twice: as the process sees them and as the
/// medium has them.
struct MemoryTree: Sendable {
    struct Node: Sendable {
        var isDirectory: Bool
        var entries: [String: Int] = [:]
        var durableEntries: [String: Int] = [:]
        var content = MemoryContent()
        var openCount = 0
        var linkCount = 0
    }

    /// Changes of names that the medium takes together or not at all: one, or the two of a rename.
    private typealias Change = [(directory: Int, name: String, node: Int?)]

    static let root = 0

    private(set) var nodes: [Int: Node] = [root: Node(isDirectory: true, linkCount: 1)]
    private var pending: [Change] = []
    private var nextNode = 1
    /// Bytes of room taken by all files that have a name or are open.
    private(set) var used = 0

    // MARK: Looking

    func find(_ names: ArraySlice<Substring>) -> Int? {
        var node = Self.root
        for name in names {
            guard let next = nodes[node]?.entries[String(name)] else { return nil }
            node = next
        }
        return node
    }

    func node(_ number: Int) -> Node? { nodes[number] }

    // MARK: Names

    mutating func create(_ name: String, in directory: Int, isDirectory: Bool) -> Int {
        let number = nextNode
        nextNode += 1
        nodes[number] = Node(isDirectory: isDirectory)
        change([(directory, name, number)])
        return number
    }

    mutating func remove(_ name: String, from directory: Int) { change([(directory, name, nil)]) }

    mutating func rename(_ name: String, in directory: Int, to newName: String, in newDirectory: Int) {
        guard let node = nodes[directory]?.entries[name] else { return }
        if directory == newDirectory && name == newName { return }
        change([(directory, name, nil), (newDirectory, newName, node)])
    }

    /// Makes the names of one directory durable.
    mutating func syncDirectory(_ directory: Int) {
        guard let node = nodes[directory] else { return }
        nodes[directory]?.durableEntries = node.entries
        pending = pending.map { $0.filter { $0.directory != directory } }.filter { !$0.isEmpty }
        collect()
    }

    /// Makes everything durable: what a disk held back reaches its medium.
    mutating func syncAll() {
        for number in nodes.keys {
            update(number) { $0.sync() }
            let entries = nodes[number]?.entries ?? [:]
            nodes[number]?.durableEntries = entries
        }
        pending = []
        collect()
    }

    private mutating func change(_ change: Change) {
        pending.append(change)
        var replaced: [Int] = []
        for (directory, name, node) in change {
            if let old = nodes[directory]?.entries[name] { replaced.append(old) }
            nodes[directory]?.entries[name] = node
            if let node { nodes[node]?.linkCount += 1 }
        }
        for node in replaced {
            nodes[node]?.linkCount -= 1
            releaseIfUnused(node)
        }
    }

    // MARK: Contents

    /// Changes a file's contents and keeps count of the room taken.
    mutating func update(_ number: Int, _ body: (inout MemoryContent) -> Void) {
        guard var node = nodes[number] else { return }
        // Taken out while it changes, so that its pages are changed in place.
        nodes[number] = nil
        let before = node.content.current.allocatedBytes
        body(&node.content)
        used += node.content.current.allocatedBytes - before
        nodes[number] = node
    }

    mutating func opened(_ node: Int) { nodes[node]?.openCount += 1 }

    mutating func closed(_ node: Int) {
        nodes[node]?.openCount -= 1
        releaseIfUnused(node)
    }

    /// Gives back the room of a file that has neither a name nor a user; its bytes stay until no crash can bring the
    /// name back.
    private mutating func releaseIfUnused(_ number: Int) {
        guard let node = nodes[number], node.linkCount == 0, node.openCount == 0 else { return }
        used -= node.content.current.allocatedBytes
    }

    // MARK: Losing power

    /// Names and bytes after a loss of power; no file is open any more.
    mutating func crash(using generator: inout SplitMix64) {
        for number in nodes.keys.sorted() {
            update(number) { $0.crash(using: &generator) }
            nodes[number]?.openCount = 0
        }
        let keep = generator.next() % 3
        for change in pending where keep == 0 || keep == 1 && Bool.random(using: &generator) {
            for (directory, name, node) in change { nodes[directory]?.durableEntries[name] = node }
        }
        pending = []
        for (number, node) in nodes { nodes[number]?.entries = node.durableEntries }
        recount()
    }

    /// The process ended, the machine did not: files are closed, everything written is still there.
    mutating func closeAll() {
        for number in nodes.keys.sorted() { nodes[number]?.openCount = 0 }
        recount()
    }

    private mutating func recount() {
        for number in nodes.keys { nodes[number]?.linkCount = 0 }
        nodes[Self.root]?.linkCount = 1
        for node in Array(nodes.values) {
            for child in node.entries.values { nodes[child]?.linkCount += 1 }
        }
        collect()
        used = nodes.values.reduce(0) { $0 + ($1.linkCount > 0 ? $1.content.current.allocatedBytes : 0) }
    }

    /// Forgets files that nothing refers to and no crash can bring back.
    private mutating func collect() {
        var referred: Set<Int> = []
        for node in nodes.values { referred.formUnion(node.durableEntries.values) }
        for change in pending { referred.formUnion(change.compactMap(\.node)) }
        nodes = nodes.filter { number, node in
            node.linkCount > 0 || node.openCount > 0 || referred.contains(number)
        }
    }
}
