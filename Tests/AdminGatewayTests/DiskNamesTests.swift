import AdminGateway
import Testing

@Suite("The names of disks")
struct DiskNamesTests {
    /// Two sites with a node each; both nodes have a first disk, at the same path.
    private static let disks = [("a", "n1", "disk-1"), ("a", "n1", "disk-2"), ("b", "n2", "disk-1")].enumerated().map {
        DiskNames(
            site: $1.0,
            node: $1.1,
            slot: $1.2,
            path: "/srv/\($1.2)",
            id: "\($0)abcdef"
        )
    }

    private func found(_ name: String, among disks: [DiskNames] = Self.disks) throws(AdminError) -> Int {
        try DiskNames.find(name, among: disks)
    }

    @Test("a disk is found by each of its names, and every command prints one")
    func each() throws {
        for (index, disk) in Self.disks.enumerated() {
            #expect(try found(disk.place) == index)
            #expect(try found("\(disk.node)/\(disk.slot)") == index)
            #expect(try found("\(index)ABC") == index)
        }
        #expect(try found("disk-2") == 1 && found("/srv/disk-2/") == 1 && found("srv/disk-2") == 1)
        #expect(Self.disks[2].place == "b/n2/disk-1")
    }

    @Test("what is called so twice is not guessed: those that are meant are listed")
    func ambiguous() {
        for name in ["disk-1", "/srv/disk-1"] {
            let error = #expect(throws: AdminError.self) { try found(name) }
            #expect(error?.code == .badRequest && error?.advice == "Say which: a/n1/disk-1, b/n2/disk-1")
        }
        for name in ["disk-9", "n1/disk-9", "", "/"] {
            let error = #expect(throws: AdminError.self) { try found(name) }
            #expect(error?.code == .notFound && error?.advice.contains("a/n1/disk-2") == true)
        }
    }

    @Test("a whole name is that disk, whatever others are called; of one place the first counts")
    func whole() throws {
        var disks = Self.disks
        disks[0].path = "/mnt/b/n2/disk-1"
        #expect(try found("b/n2/disk-1", among: disks) == 2)
        disks.append(Self.disks[1])
        #expect(try found("n1/disk-2", among: disks) == 1)
    }
}
