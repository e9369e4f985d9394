import BlobStorage
import ObjectModel
import Placement
import SystemInterface
import Testing

@Suite("Whether there is room for a blob")
struct AdmissionTests {
    private static let disks = (0..<9).map { DiskID(Identifier128(high: 0, low: UInt64($0))) }
    private let scheme: Scheme
    private let view = ClusterView()

    /// Three groups of rs-4-2 on nine disks; each has disks 4 and 5.
    init() throws {
        scheme = try #require(Scheme(name: "rs-4-2"))
        var map = ClusterMap()
        for (number, members) in [[0, 1, 2, 3, 4, 5], [3, 4, 5, 6, 7, 8], [1, 2, 4, 5, 7, 8]].enumerated() {
            let id = GroupID(UInt32(number))
            map.groups[id] = ClusterMap.Group(id: id, epoch: 1, scheme: scheme, members: members.map { Self.disks[$0] })
        }
        for disk in Self.disks {
            map.disks[disk] = PlacementDisk(id: disk, site: SiteName("s"), node: NodeName("n"))
        }
        view.update(map: map)
    }

    private func set(away: Set<Int> = [], full: Set<Int> = []) {
        for (number, disk) in Self.disks.enumerated() {
            let room = full.contains(number) ? 10 : 1_000
            view.update(disk, condition: DiskCondition(isUsable: !away.contains(number), room: room))
        }
    }

    /// The error that refuses a write; nil when it is taken.
    private func refusal() -> BlobError? {
        do throws(BlobError) {
            _ = try view.chooseGroup(scheme: scheme, shardLength: 100, at: MonotonicTime(nanoseconds: 0))
            return nil
        } catch {
            return error
        }
    }

    @Test("it is refused where a write is, for want of room and for nothing else")
    func refused() throws {
        set()
        #expect(view.admission(of: scheme, shardLength: 100) == .whole && refusal() == nil)
        set(full: [4])
        #expect(view.admission(of: scheme, shardLength: 100) == .degraded && refusal() == nil)
        set(full: [4, 5])
        #expect(view.admission(of: scheme, shardLength: 100) == .refused && refusal() == .full)
        #expect(view.admission(of: scheme, shardLength: 10) == .whole)
        set(away: [4])
        #expect(view.admission(of: scheme, shardLength: 100) == .whole && refusal() == nil)
    }

    @Test("where all groups lack disks nobody is told that those there are full")
    func away() {
        set(away: [4, 5])
        #expect(view.admission(of: scheme, shardLength: 100) == .whole)
        guard case .tooFewDisks? = refusal() else {
            Issue.record("refused by \(String(describing: refusal()))")
            return
        }
    }

    @Test("what would be, were some disks full")
    func thinkingFull() {
        set()
        let full = Set([4, 5].map { Self.disks[$0] })
        #expect(view.admission(of: scheme, shardLength: 100, thinkingFull: full) == .refused)
        #expect(view.admission(of: scheme, shardLength: 100, thinkingFull: [Self.disks[0]]) == .whole)
        #expect(view.admission(of: scheme, shardLength: 100) == .whole && refusal() == nil)
    }
}
