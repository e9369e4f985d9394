/// What a plan supposes to be lost: `disk:SITE/NODE/SLOT`, `node:SITE/NODE` or `site:NAME`.
package struct LossTarget: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, Sendable, CaseIterable {
        case disk, node, site
    }

    package let kind: Kind
    package let name: String

    /// nil when the text is none of the three.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let kind = Kind(rawValue: String(parts[0])), !parts[1].isEmpty else { return nil }
        self.kind = kind
        name = String(parts[1])
    }

    package var description: String { "\(kind.rawValue):\(name)" }

    /// The disks that are meant: one by any of its names, a node also as `NODE`. `notFound` when there is none, with
    /// what there is.
    package func disks(among all: [DiskReport]) throws(AdminError) -> [DiskReport] {
        guard kind != .disk else { return [all[try DiskNames.find(name, among: all.map(\.names))]] }
        let found = all.filter(isMeant)
        let places = Set(found.map { kind == .node ? "\($0.site)/\($0.node)" : $0.site })
        guard !found.isEmpty else {
            throw AdminError(
                .notFound,
                "there is no \(kind.rawValue) \(name)",
                advice: "There are: " + names(among: all).joined(separator: ", ")
            )
        }
        guard places.count == 1 else {
            throw AdminError(
                .badRequest,
                "more than one \(kind.rawValue) is called \(name)",
                advice: "Put the name of its site before it: " + places.sorted().joined(separator: ", ")
            )
        }
        return found
    }

    private func isMeant(_ disk: DiskReport) -> Bool {
        switch kind {
        case .disk: disk.place == name
        case .node: disk.node == name || "\(disk.site)/\(disk.node)" == name
        case .site: disk.site == name
        }
    }

    /// Names in an answer at most.
    private static let nameLimit = 40

    private func names(among all: [DiskReport]) -> [String] {
        let names = Set(
            all.map { disk in
                switch kind {
                case .disk: disk.place
                case .node: disk.node
                case .site: disk.site
                }
            }
        ).sorted()
        return names.count > Self.nameLimit ? names.prefix(Self.nameLimit) + ["…"] : names
    }

    /// All disks of several targets, each once, in the order of `all`.
    package static func disks(_ targets: [String], among all: [DiskReport]) throws(AdminError) -> [DiskReport] {
        var meant: Set<String> = []
        for text in targets {
            guard let target = Self(text) else {
                throw AdminError(
                    .badRequest,
                    "\(text) is nothing that can be lost",
                    advice: "Give disk:SITE/NODE/SLOT, node:NAME or site:NAME."
                )
            }
            meant.formUnion(try target.disks(among: all).map(\.id))
        }
        return all.filter { meant.contains($0.id) }
    }
}
