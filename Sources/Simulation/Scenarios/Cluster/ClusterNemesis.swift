import Coordination
import Synchronization
import SystemInterface
import TestKit

/// Carries a plan's faults out as the clients reach their operations, and mends them at the end of a round.
final class ClusterNemesis: Sendable {
    /// How much longer a slow disk takes.
    private static let slowness = 100
    /// What a full disk still has room for.
    private static let lastRoom = 32 << 10
    private static let roomOfDisk = 1 << 40
    /// Operations between two copies of the database.
    private static let copyInterval = 20
    private static let rough = NetworkProfile(
        delay: 50...2_000,
        slowPerThousand: 20,
        lossPerThousand: 10,
        duplicatePerThousand: 30
    )
    static let calm = NetworkProfile(delay: 20...300)

    private struct State {
        /// Places whose disk must be replaced at the end of the round.
        var replaced: Set<Int> = []
        /// Nodes with a disk whose journal may lack what its keeper believes to have.
        var reopened: Set<Int> = []
        /// By place that is rolled back: a disk's name, and what it held a while ago.
        var images: [Int: (name: String, disk: MemoryDisk)] = [:]
        var tasks: [Task<Void, Never>] = []
    }

    private let faults: [ClusterFault]
    private let cluster: SimulatedCluster
    private let world: World
    private let state = Mutex(State())

    init(faults: [ClusterFault], cluster: SimulatedCluster) {
        self.faults = faults
        self.cluster = cluster
        world = cluster.world
    }

    /// A client begins operation `number`.
    func reached(_ number: Int) {
        if number % Self.copyInterval == 1 { keepCopies() }
        for fault in faults where fault.operation == number {
            world.trace.record("fault \(fault)")
            cluster.isCalm = false
            strike(fault.kind)
        }
    }

    private func keepCopies() {
        cluster.coordinator?.keepCopy()
        for fault in faults {
            guard case .rollBack(let place) = fault.kind else { continue }
            let name = cluster.disk(place)
            let copy = world.disk(name).copy()
            state.withLock { $0.images[place] = (name, copy) }
        }
    }

    /// Waits for the faults to end, and returns the places whose disks must be replaced.
    func mend() async -> [Int] {
        let tasks = state.withLock { state in
            defer { state.tasks = [] }
            return state.tasks
        }
        for task in tasks { await task.value }
        world.network.heal()
        world.network.profile = Self.calm
        for place in 0..<ClusterLayout.diskCount { world.disk(cluster.disk(place)).clearFaults() }
        reopen()
        cluster.startAll()
        return state.withLock { state in
            defer { state.replaced = [] }
            return state.replaced.sorted()
        }
    }

    /// What a journal lacks is found when its log is opened: before the next round hurts other keepers.
    private func reopen() {
        let nodes = state.withLock { state in
            defer { state.reopened = [] }
            return state.reopened.sorted()
        }
        for node in nodes { cluster.nodes[node].crash(losingPower: false) }
    }

    /// Whose disk lied about syncs, or about writes to more than shards.
    var liars: Set<Int> {
        Set(
            faults.compactMap { fault -> Int? in
                switch fault.kind {
                case .lieAboutSync(let place, _): place
                case .lostWrite(let place, _, let files), .misdirectedWrite(let place, _, _, let files):
                    files.mustBeReopened ? place : nil
                default: nil
                }
            }
        )
    }

    // MARK: Faults

    private func strike(_ kind: ClusterFault.Kind) {
        switch kind {
        case .crash(.node(let node), let losesPower, _, let duration):
            crash([node], losingPower: losesPower, for: duration)
        case .crash(.coordinator, let losesPower, let back, let duration):
            guard let coordinator = cluster.coordinator else { return }
            coordinator.crash(losingPower: losesPower, databaseBack: losesPower ? back : nil)
            after(duration) { coordinator.start() }
        case .loseSite(let site, let losesPower, let duration):
            crash(Array(ClusterLayout.nodes(ofSite: site)), losingPower: losesPower, for: duration)
        case .pause(.node(let number), let duration):
            let node = cluster.nodes[number]
            node.pause()
            after(duration) { node.resume() }
        case .pause(.coordinator, let duration): pauseCoordinator(duration)
        case .takeOver(let old): takeOver(old)
        case .cut(let cut, let duration):
            let links = links(of: cut)
            for link in links { world.network.cut(from: link.from, to: link.to) }
            after(duration) { [world] in for link in links { world.network.heal(from: link.from, to: link.to) } }
        case .rough(let duration):
            world.network.profile = Self.rough
            after(duration) { [world] in world.network.profile = Self.calm }
        case .maintain(let work):
            // Not waited for: its process may die in it.
            Task { [cluster, world] in await cluster.coordinator?.store?.maintain(work, random: world.random) }
        case .lose, .retire, .pull, .swapEmpty, .rollBack, .rot, .lostWrite, .misdirectedWrite, .misread, .lieAboutSync,
            .slow, .full, .fail:
            hurt(kind)
        case .set: break
        }
    }

    private func hurt(_ kind: ClusterFault.Kind) {
        switch kind {
        case .lose(let place):
            world.disk(cluster.disk(place)).isGone = true
            noteReplaced(place)
        case .retire(let place):
            world.disk(cluster.disk(place)).isGone = true
            noteReplaced(place)
            let slot = ClusterLayout.slots[place]
            Task { [cluster] in _ = try? await cluster.coordinator?.store?.retireDisk(inSlot: slot.slot, of: slot.node)
            }
        case .pull(let place, let duration):
            let disk = world.disk(cluster.disk(place))
            disk.isGone = true
            after(duration) { [self] in
                // What was lost for good meanwhile, or before, does not come back.
                if !state.withLock({ $0.replaced.contains(place) }) { disk.isGone = false }
            }
        case .swapEmpty(let place):
            cluster.useSpare(place)
            noteReplaced(place)
            crash([ClusterLayout.node(ofPlace: place)], losingPower: false, for: .zero)
        case .rollBack(let place): rollBack(place)
        case .misread(let place, let count, let times, let kind):
            world.disk(cluster.disk(place)).inject(ReadLie(kind, after: count, times: times))
        case .lieAboutSync(let place, let duration):
            let disk = world.disk(cluster.disk(place))
            disk.liesAboutSync = true
            begin { [self] in
                try? await world.time.sleep(for: duration)
                restart(ClusterLayout.node(ofPlace: place)) { disk.liesAboutSync = false }
            }
        case .rot(let place, let bits): world.rot(cluster.disk(place), bits: bits)
        case .lostWrite(let place, let count, let files): lie(.lost, place, files, after: count)
        case .misdirectedWrite(let place, let count, let distance, let files):
            lie(.misdirected(by: distance), place, files, after: count)
        case .slow(let place, let duration):
            let name = cluster.disk(place)
            world.slow(name, times: Self.slowness)
            after(duration) { [world] in world.slow(name, times: 1) }
        case .full(let place, let duration):
            let disk = world.disk(cluster.disk(place))
            disk.capacity = disk.used + Self.lastRoom
            after(duration) { disk.capacity = Self.roomOfDisk }
        case .fail(let place, let operation, let count, let times):
            world.disk(cluster.disk(place)).inject(DiskFault(operation, after: count, times: times))
        default: break
        }
    }

    private func lie(_ kind: WriteLie.Kind, _ place: Int, _ files: LiedFiles, after count: Int) {
        world.disk(cluster.disk(place)).inject(WriteLie(kind, pathPrefix: files.pathPrefix, after: count))
        guard files.mustBeReopened else { return }
        state.withLock { _ = $0.reopened.insert(ClusterLayout.node(ofPlace: place)) }
    }

    private func crash(_ nodes: [Int], losingPower: Bool, for duration: Duration) {
        let nodes = nodes.map { cluster.nodes[$0] }
        for node in nodes { node.crash(losingPower: losingPower) }
        after(duration) { for node in nodes { node.start() } }
    }

    /// A loss of power, of which the machine wakes at once; `whileDown` is done between the two.
    private func restart(_ node: Int, whileDown: () -> Void) {
        cluster.nodes[node].crash(losingPower: true)
        whileDown()
        cluster.nodes[node].start()
    }

    private func rollBack(_ place: Int) {
        guard let image = state.withLock({ $0.images.removeValue(forKey: place) }) else { return }
        restart(ClusterLayout.node(ofPlace: place)) {
            // What was pulled or lost meanwhile stays away, and what stood in the place before is not this disk.
            guard image.name == cluster.disk(place), !world.disk(image.name).isGone else { return }
            image.disk.isGone = false
            image.disk.capacity = Self.roomOfDisk
            image.disk.clearFaults()
            world.setImage(image.name, image.disk)
        }
    }

    private func pauseCoordinator(_ duration: Duration) {
        guard let coordinator = cluster.coordinator else { return }
        coordinator.pause()
        after(duration) { coordinator.resume() }
    }

    private func takeOver(_ old: ClusterFault.OldCoordinator) {
        switch old {
        case .running: break
        case .crashed: cluster.coordinator?.crash(losingPower: true, databaseBack: nil)
        case .paused(let duration): pauseCoordinator(duration)
        }
        cluster.addCoordinator()
    }

    private func links(of cut: ClusterFault.Cut) -> [(from: String, to: String)] {
        let coordinators = [cluster.coordinator].compactMap { $0?.name }
        let all = (0..<ClusterLayout.nodeCount)
        switch cut {
        case .oneWay(let from, let to): return [(ClusterLayout.nodeName(from), ClusterLayout.nodeName(to))]
        case .pair(let one, let other):
            let names = (ClusterLayout.nodeName(one), ClusterLayout.nodeName(other))
            return [(names.0, names.1), (names.1, names.0)]
        case .site(let site):
            let inside = ClusterLayout.nodes(ofSite: site)
            let others = all.filter { !inside.contains($0) }.map(ClusterLayout.nodeName) + coordinators
            return inside.map(ClusterLayout.nodeName).flatMap { node in
                others.flatMap { [(from: node, to: $0), (from: $0, to: node)] }
            }
        case .coordinator(let site, let toSite, let fromSite):
            return ClusterLayout.nodes(ofSite: site).map(ClusterLayout.nodeName).flatMap { node in
                coordinators.flatMap { name in
                    (toSite ? [(from: name, to: node)] : []) + (fromSite ? [(from: node, to: name)] : [])
                }
            }
        }
    }

    // MARK: Time

    private func noteReplaced(_ place: Int) { state.withLock { _ = $0.replaced.insert(place) } }

    private func after(_ duration: Duration, _ body: @escaping @Sendable () -> Void) {
        begin { [world] in
            try? await world.time.sleep(for: duration)
            body()
        }
    }

    private func begin(_ body: @escaping @Sendable () async -> Void) {
        let task = Task { await body() }
        state.withLock { $0.tasks.append(task) }
    }
}
