import Metadata
import ObjectModel
import Testing

@Suite("Leases that were ever granted")
struct GrantedLeasesTests {
    private static func lease(_ incarnation: UInt32, _ number: UInt32 = 1) -> WriteLease {
        WriteLease(incarnation: incarnation, number: number)
    }

    @Test("a store that did not remember them begins with all of its incarnations taken for its own")
    func olderStore() {
        var granted = GrantedLeases()
        granted.note(4, of: 70)
        #expect(granted.contains(Self.lease(70, 9)) && granted.contains(Self.lease(3)))
        #expect(!granted.contains(Self.lease(71)))
        granted.begin(90)
        granted.note(2, of: 90)
        #expect(granted.contains(Self.lease(90, 2)) && !granted.contains(Self.lease(90, 3)))
        #expect(!granted.contains(Self.lease(80)))
    }

    @Test("an incarnation that an older program began in between is taken for this store's, and those before it")
    func olderProgramInBetween() {
        var granted = GrantedLeases()
        granted.begin(10)
        granted.note(1, of: 10)
        granted.note(5, of: 30)
        granted.begin(40)
        for known in [Self.lease(10, 7), Self.lease(20), Self.lease(30, 5)] { #expect(granted.contains(known)) }
        #expect(!granted.contains(Self.lease(35)) && !granted.contains(Self.lease(40)))
    }

    @Test("of so many starts the first are forgotten, and all before them count as granted")
    func limit() {
        var granted = GrantedLeases()
        for start in 1...UInt32(GrantedLeases.limit) + 1 {
            granted.begin(start * 10)
            granted.note(1, of: start * 10)
        }
        #expect(granted.contains(Self.lease(10, 2)) && !granted.contains(Self.lease(11)))
        #expect(granted.contains(Self.lease(20)) && !granted.contains(Self.lease(20, 2)))
    }
}
