import DiskFormat
import ObjectModel
import StorageNode
import Testing

@Suite("The slots of a node's disks, by what stands on them")
struct SlotNamingTests {
    private static let cluster = ClusterID(Identifier128(high: 1, low: 1))
    private static let node = NodeName("node-1")

    private static func naming(_ remembered: [String: String] = [:]) -> SlotNaming {
        SlotNaming(cluster: cluster, node: node, remembered: remembered)
    }

    /// A disk of the node unless told otherwise; its id is its number.
    private static func disk(
        _ number: UInt64,
        at path: String,
        slot: String?,
        of cluster: ClusterID = Self.cluster,
        node: NodeName = Self.node,
        created: Int64 = 0
    ) -> GivenDisk {
        let identity = DiskIdentity(
            cluster: cluster,
            disk: DiskID(Identifier128(high: 9, low: number)),
            site: SiteName("site-1"),
            node: node,
            slot: slot,
            epoch: 1,
            created: created
        )
        return GivenDisk(path: path, finding: .disk(identity))
    }

    private static func served(_ number: UInt64) -> GivenDisk {
        disk(number, at: "/d\(number)", slot: "disk-\(number)")
    }

    private static func empty(_ path: String) -> GivenDisk { GivenDisk(path: path, finding: .empty) }

    private static func away(_ path: String) -> GivenDisk {
        GivenDisk(path: path, finding: .unusable("its folder is not there"))
    }

    @Test("empty folders, and disks of a version that wrote no slot, are disk-1, disk-2 … in their order")
    func first() {
        let empties = ["/b", "/a", "/c"].map(Self.empty)
        #expect(Self.naming().names(of: empties) == ["disk-1", "disk-2", "disk-3"])
        let old = [Self.disk(5, at: "/x", slot: nil), Self.away("/y"), Self.disk(4, at: "/z", slot: nil)]
        #expect(Self.naming().names(of: old) == ["disk-1", "disk-2", "disk-3"])
        // What their paths were once is not what they are.
        #expect(Self.naming(["/x": "disk-3"]).names(of: old) == ["disk-1", "disk-2", "disk-3"])
    }

    @Test("disks keep their slots in any order, at other paths, and when one is left out")
    func order() {
        let order = [3, 1, 2].map(Self.served)
        #expect(Self.naming().names(of: order) == ["disk-3", "disk-1", "disk-2"])
        #expect(Self.naming().names(of: [2, 3].map(Self.served)) == ["disk-2", "disk-3"])
        let elsewhere = Self.disk(2, at: "/d1", slot: "disk-2")
        #expect(Self.naming(["/d1": "disk-1"]).names(of: [elsewhere]) == ["disk-2"])
        #expect(Self.naming().names(of: []).isEmpty)
    }

    @Test("an empty disk stands in for the one that broke: at its path, or in the slot that is free")
    func standIn() {
        let remembered = ["/d1": "disk-1", "/d2": "disk-2", "/d3": "disk-3", "/d4": "disk-4"]
        let naming = Self.naming(remembered)
        // disk-2 was drained and is given no more: the free slot is not that of the broken one.
        #expect(naming.names(of: [1, 3].map(Self.served) + [Self.empty("/d4")]) == ["disk-1", "disk-3", "disk-4"])
        #expect(naming.names(of: [Self.away("/d4"), Self.served(3)]) == ["disk-4", "disk-3"])
        let another = [Self.served(3), Self.empty("/new"), Self.served(1)]
        #expect(naming.names(of: another) == ["disk-3", "disk-2", "disk-1"])
        #expect(naming.names(of: [Self.empty("/more")] + [1, 2].map(Self.served)) == ["disk-3", "disk-1", "disk-2"])
        // The disk itself counts before the path at which it was.
        let moved = [Self.empty("/d1"), Self.disk(1, at: "/new", slot: "disk-1"), Self.served(2)]
        #expect(naming.names(of: moved) == ["disk-3", "disk-1", "disk-2"])
    }

    @Test("a disk of another store or node takes no slot by its own word")
    func foreign() {
        let other = ClusterID(Identifier128(high: 7, low: 7))
        let strange = Self.disk(8, at: "/s", slot: "disk-1", of: other, created: .max)
        let neighbour = Self.disk(9, at: "/n", slot: "disk-2", node: NodeName("node-2"), created: .min)
        let disks = [strange, neighbour, Self.served(1), Self.served(2)]
        let naming = Self.naming(["/n": "disk-4"])
        let names = naming.names(of: disks)
        #expect(names == ["disk-3", "disk-4", "disk-1", "disk-2"])
        let remarks = zip(disks, names).map { naming.remark(on: $0, named: $1) }
        #expect(remarks[0]?.contains("another store") == true)
        #expect(remarks[1]?.contains("node node-2") == true)
        #expect(remarks[2...].allSatisfy { $0 == nil })
    }

    @Test("of two disks of one slot the one that was formatted later has it, and the other is told of")
    func replaced() {
        let old = Self.disk(2, at: "/old", slot: "disk-2", created: 100)
        let new = Self.disk(5, at: "/new", slot: "disk-2", created: 200)
        let naming = Self.naming()
        #expect(naming.names(of: [Self.served(1), old, new]) == ["disk-1", "disk-3", "disk-2"])
        #expect(naming.names(of: [new, old, Self.served(1)]) == ["disk-2", "disk-3", "disk-1"])
        #expect(naming.remark(on: old, named: "disk-3")?.contains("it was replaced") == true)
        #expect(naming.remark(on: new, named: "disk-2") == nil)
    }

    @Test("a disk that is given twice is found, whatever its paths are called")
    func copies() {
        let copies = SlotNaming.copies(among: [
            Self.served(1), Self.served(2), Self.empty("/e"), Self.away("/a"), Self.disk(1, at: "/copy", slot: nil),
        ])
        #expect(copies?.first == "/d1" && copies?.second == "/copy")
        #expect(SlotNaming.copies(among: [Self.served(1), Self.served(2), Self.empty("/e"), Self.empty("/f")]) == nil)
    }
}
