/// What a disk goes by. Whatever names a disk prints `place`; whatever takes a name takes all of these.
package struct DiskNames: Hashable, Sendable {
    package var site: String
    package var node: String
    package var slot: String
    /// Where it lies on its node; empty when that is not known.
    package var path: String
    package var id: String

    package init(site: String, node: String, slot: String, path: String, id: String) {
        self.site = site
        self.node = node
        self.slot = slot
        self.path = path
        self.id = id
    }

    /// `SITE/NODE/SLOT`.
    package var place: String { "\(site)/\(node)/\(slot)" }

    /// Which of `all` is called `name`: by `SITE/NODE/SLOT`, or where that is not ambiguous by `NODE/SLOT`, the slot,
    /// the path or the end of it, or else the beginning of its id. `notFound` with what there is, `badRequest` with
    /// those that are meant by it.
    package static func find(_ name: String, among all: [DiskNames]) throws(AdminError) -> Int {
        let name = name.count > 1 && name.hasSuffix("/") ? String(name.dropLast()) : name
        var found = all.indices.filter { all[$0].place == name }
        if found.isEmpty { found = all.indices.filter { all[$0].isCalled(name) } }
        if found.isEmpty, !name.isEmpty { found = all.indices.filter { all[$0].id.hasPrefix(name.lowercased()) } }
        guard let first = found.first else {
            throw AdminError(.notFound, "no disk is called \(name)", advice: "There are: \(list(all[...]))")
        }
        // Of one place there are two for a moment after a replacement that was cut off.
        guard found.allSatisfy({ all[$0].place == all[first].place }) else {
            throw AdminError(
                .badRequest,
                "more than one disk is called \(name)",
                advice: "Say which: \(list(found.map { all[$0] }[...]))"
            )
        }
        return first
    }

    private func isCalled(_ name: String) -> Bool {
        slot == name || "\(node)/\(slot)" == name
            || !path.isEmpty && (path == name || name.contains("/") && path.hasSuffix("/" + name))
    }

    /// Names in an answer at most.
    private static let listLimit = 40

    private static func list(_ disks: ArraySlice<DiskNames>) -> String {
        let places = Set(disks.map(\.place)).sorted()
        return places.prefix(listLimit).joined(separator: ", ") + (places.count > listLimit ? ", …" : "")
    }
}

extension DiskReport {
    package var names: DiskNames { DiskNames(site: site, node: node, slot: slot, path: path, id: id) }

    /// `SITE/NODE/SLOT`: how people name it.
    package var place: String { names.place }
}
