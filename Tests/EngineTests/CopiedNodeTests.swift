import ClusterProtocol
import Coordination
import ObjectModel
import Synchronization
import SystemInterface
import TestKit
import Testing

/// A machine that was cloned, or a data folder that was copied, and both started: two processes beat under one name.
@Suite("Two processes that run as one node")
struct CopiedNodeTests {
    private final class Told: Sendable {
        private let state = Mutex<[String]>([])
        var lines: [String] { state.withLock { $0 } }
        func note(_ name: NodeName, _ places: [String]) {
            state.withLock { $0.append("\(name.name): " + places.joined(separator: ", ")) }
        }
    }

    /// Nobody is called.
    private struct NoTransport: Transport {
        func call(
            _ node: String,
            _ message: TransportMessage,
            timeout: Duration
        ) async throws(TransportError) -> TransportMessage { throw .unreachable(node: node) }
    }

    private let name = NodeName("node-1")
    private let time = ManualTime()
    private let told = Told()
    private let membership: Membership

    init() {
        time.advance(by: .seconds(3_600))
        membership = Membership(
            known: [],
            region: ClusterHarness.region,
            addresses: ClusterHarness.NoAddresses(),
            transport: NoTransport(),
            time: time,
            onCopies: told.note
        ) { _ in }
    }

    /// One beat of each, at the usual pace.
    private func beat(_ host: String, process: UInt64? = nil, at origin: String = "") async {
        time.advance(by: Membership.interval / 2)
        let beat = NodeBeat(
            address: NodeAddress(name: name, site: SiteName("site-1"), host: host, port: 7_401),
            incarnation: 0,
            mapVersion: 0,
            credentialsVersion: 0,
            suspects: [],
            process: process
        )
        _ = await membership.answer(beat, from: name, at: origin)
    }

    private var places: [String] { membership.copied.flatMap(\.places) }

    @Test("addresses that take turns are told, with both, and for a minute after the last turn")
    func addresses() async {
        for _ in 0..<4 { for host in ["10.0.0.5", "10.0.0.9"] { await beat(host) } }
        #expect(membership.copied.map(\.address.name) == [name])
        #expect(places == ["10.0.0.5:7401", "10.0.0.9:7401"])
        #expect(told.lines.last == "node-1: 10.0.0.5:7401, 10.0.0.9:7401")
        let count = told.lines.count
        // One is stopped.
        for _ in 0..<220 { await beat("10.0.0.5") }
        #expect(places.count == 2 && told.lines.count == count + 1, "its next beat was one turn more")
        for _ in 0..<30 { await beat("10.0.0.5") }
        #expect(places.isEmpty && told.lines.count == count + 1)
    }

    @Test("a clone that gives the same address is known by its process, and told by where it calls from")
    func processes() async {
        for _ in 0..<4 {
            await beat("10.0.0.5", process: 1, at: "10.0.0.5")
            await beat("10.0.0.5", process: 2, at: "10.0.0.9")
        }
        #expect(places == ["10.0.0.5:7401", "10.0.0.5:7401 (calling from 10.0.0.9)"])
    }

    @Test("two are told also while one of them beats seldom")
    func seldom() async {
        for _ in 0..<4 {
            for _ in 0..<36 { await beat("10.0.0.5", process: 1) }
            await beat("10.0.0.9", process: 2)
        }
        await beat("10.0.0.5", process: 1)
        #expect(places.count == 2)
    }

    @Test("a node that moves once, or is started anew again and again, is one process", arguments: [true, false])
    func restarts(isMove: Bool) async {
        if isMove {
            for host in ["10.0.0.5", "10.0.0.9"] { for _ in 0..<10 { await beat(host) } }
        } else {
            for process in 1...20 as ClosedRange<UInt64> { for _ in 0..<3 { await beat("10.0.0.5", process: process) } }
        }
        #expect(places.isEmpty && told.lines.isEmpty)
    }

    @Test("a beat that comes late, of the process that was before, is none of two")
    func late() async {
        for process in [1, 1, 2, 1, 2, 1, 2, 2, 2] as [UInt64] { await beat("10.0.0.5", process: process) }
        #expect(places.isEmpty && told.lines.isEmpty)
    }

    @Test("of one that comes back after longer than a silence nothing is told")
    func movedBack() async {
        for round in 0..<10 {
            await beat(round.isMultiple(of: 2) ? "10.0.0.5" : "10.0.0.9")
            time.advance(by: Membership.silence)
        }
        #expect(places.isEmpty && told.lines.isEmpty)
    }

    @Test("a node that is removed takes its note with it")
    func removed() async {
        for _ in 0..<4 { for host in ["10.0.0.5", "10.0.0.9"] { await beat(host) } }
        membership.remove(name, before: 1)
        #expect(places.isEmpty)
    }
}
