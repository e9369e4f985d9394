import Simulation
import Testing

/// Histories by hand: the simulator believes what this judges.
@Suite("The simulator's oracle")
struct StoreOracleTests {
    private let oracle = StoreOracle()
    private static func value(_ number: UInt64) -> WrittenValue { WrittenValue(number: number, length: 10) }

    /// A write that is acknowledged at once.
    private func put(_ number: UInt64?) { oracle.acknowledge("k", oracle.beginWrite("k", number.map(Self.value))) }

    private func problem(_ number: UInt64?, _ reading: StoreOracle.Reading? = nil) -> String? {
        oracle.check("k", reading ?? oracle.beginRead(), found: number.map(Self.value))
    }

    @Test("what was acknowledged is read, and nothing older")
    func acknowledged() {
        #expect(problem(nil) == nil)
        put(1)
        put(2)
        #expect(problem(2) == nil)
        #expect(problem(1) != nil)
        #expect(problem(nil) != nil)
        put(nil)
        #expect(problem(nil) == nil)
        #expect(problem(2) != nil)
    }

    @Test("a write under way may be read or not; once it was read it has happened")
    func dirty() {
        put(1)
        let write = oracle.beginWrite("k", Self.value(2))
        let before = oracle.beginRead()
        #expect(problem(1) == nil)
        #expect(problem(2) == nil)
        #expect(problem(1) != nil, "new, then old")
        #expect(problem(1, before) == nil, "it began before")
        oracle.lose("k", write)
        #expect(problem(1) != nil, "seen, then lost")
        #expect(problem(2) == nil)
    }

    @Test("what was read was not refused")
    func refused() {
        put(1)
        let write = oracle.beginWrite("k", Self.value(2))
        #expect(problem(2) == nil)
        #expect(oracle.refuse("k", write) != nil)
        #expect(oracle.refuse("k", oracle.beginWrite("k", nil)) == nil)
        #expect(problem(nil) != nil)
    }

    @Test("a write that nobody answered is decided by the first read that begins after that", arguments: [1, 2])
    func unknown(_ found: UInt64) {
        put(1)
        let write = oracle.beginWrite("k", Self.value(2))
        let before = oracle.beginRead()
        oracle.lose("k", write)
        #expect(problem(1, before) == nil)
        #expect(problem(found) == nil)
        #expect(problem(3 - found) != nil)
    }

    @Test("a list that has a key, or has it not, is a read")
    func lists() {
        #expect(oracle.check("k", oracle.beginRead(), isListed: true) != nil)
        let write = oracle.beginWrite("k", Self.value(1))
        #expect(oracle.check("k", oracle.beginRead(), isListed: false) == nil)
        #expect(oracle.check("k", oracle.beginRead(), isListed: true) == nil)
        #expect(oracle.check("k", oracle.beginRead(), isListed: false) != nil, "listed, then not")
        #expect(problem(nil) != nil)
        oracle.lose("k", write)
        #expect(problem(1) == nil)
        put(nil)
        #expect(oracle.check("k", oracle.beginRead(), isListed: true) != nil)
    }

    @Test("across a network what nobody answered may happen later, until it is settled")
    func pending() {
        let oracle = StoreOracle(landsLate: true)
        oracle.acknowledge("k", oracle.beginWrite("k", Self.value(1)))
        oracle.lose("k", oracle.beginWrite("k", nil))
        #expect(oracle.check("k", oracle.beginRead(), found: Self.value(1)) == nil)
        #expect(oracle.check("k", oracle.beginRead(), found: nil) == nil)
        #expect(oracle.check("k", oracle.beginRead(), found: Self.value(1)) != nil, "gone, and back")
        oracle.lose("j", oracle.beginWrite("j", Self.value(2)))
        #expect(oracle.check("j", oracle.beginRead(), found: nil) == nil)
        oracle.settle()
        #expect(oracle.check("j", oracle.beginRead(), found: nil) == nil)
        #expect(oracle.check("j", oracle.beginRead(), found: Self.value(2)) != nil)
    }

    @Test("an ETag is the MD5 of the bytes, or that of the parts' MD5s")
    func eTags() {
        let bytes = Array("abc".utf8)
        #expect(WrittenValue.isETag("900150983cd24fb0d6963f7d28e17f72", of: bytes))
        #expect(!WrittenValue.isETag("900150983cd24fb0d6963f7d28e17f72", of: Array("abd".utf8)))
        #expect(WrittenValue.isETag("af5da9f45af7a300e3aded972f8ff687-1", of: bytes))
        #expect(!WrittenValue.isETag("900150983cd24fb0d6963f7d28e17f72-1", of: bytes))
        #expect(!WrittenValue.isETag("af5da9f45af7a300e3aded972f8ff687-", of: bytes))
        let large = Array(repeating: UInt8(1), count: (5 << 20) + 10)
        #expect(WrittenValue.isETag("ff65ebe1db059f94803262d6e7f8056b-2", of: large))
        #expect(!WrittenValue.isETag("ff65ebe1db059f94803262d6e7f8056b-2", of: bytes))
    }
}
