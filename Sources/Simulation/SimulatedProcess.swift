import Synchronization
import SystemInterface
import TestKit

/// One life of a process: what it reaches of the world, until it crashes.
package final class SimulatedProcess: Sendable {
    package let name: String
    package let time: any TimeSource
    package let transport: any Transport
    package let random: any RandomSource

    private let life = ProcessLife()
    private let disks: [(name: String, disk: MemoryDisk)]
    private let world: World
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(name: String, disks: [(String, MemoryDisk)], seed: UInt64, world: World) {
        self.name = name
        self.world = world
        time = ProcessTime(life: life, time: world.time)
        transport = ProcessTransport(life: life, network: world.network, name: name)
        random = SeededRandom(seed: seed)
        self.disks = disks.map { (name: $0.0, disk: $0.1) }
    }

    package var isAlive: Bool { life.isAlive }

    /// The files of one of its disks, mounted anew.
    package func files(_ disk: String) -> any FileSystem {
        guard let found = disks.first(where: { $0.name == disk }) else {
            preconditionFailure("the process \(name) has no disk \(disk)")
        }
        return ProcessFiles(life: life, files: found.disk.mount())
    }

    /// Answers the calls to `node` until this process dies.
    package func serve(_ node: String, _ service: any TransportService) { serve(node, Anyones(service: service)) }

    /// Answers the calls to `node`, by who calls, until this process dies.
    package func serve(_ node: String, _ service: any PeerService) {
        guard isAlive else { return }
        world.network.register(node, service, process: name, life: life)
    }

    /// Stops this process where it is; calls to it wait, or time out.
    package func pause() {
        guard isAlive else { return }
        world.trace.record("pause \(name)")
        life.pause()
    }

    /// Lets a paused process go on.
    package func resume() {
        guard isAlive else { return }
        world.trace.record("resume \(name)")
        life.resume()
    }

    /// Ends this process in the middle of what it does: its tasks stop at their next step into the outside world and
    /// its services vanish. With a loss of power its disks keep of un-synced changes what chance leaves; without, all
    /// of them. `World.start` with the same name starts it again.
    package func crash(losingPower: Bool = true) {
        guard isAlive else { return }
        world.trace.record("crash \(name)\(losingPower ? " losing power" : "")")
        life.kill()
        world.network.removeServices(of: name)
        for (_, disk) in disks { world.crashDisk(disk, losingPower: losingPower) }
    }

    /// Returns when `main` has; never, when the process dies before.
    package func wait() async {
        await task.withLock { $0 }?.value
    }

    func run(_ main: @escaping @Sendable () async -> Void) {
        let started = Task { await main() }
        task.withLock { $0 = started }
    }

    func end() {
        life.kill()
        life.thaw()
        task.withLock { $0 }?.cancel()
    }
}

/// A service that asks nobody who calls.
private struct Anyones: PeerService {
    let service: any TransportService
    func answer(_ message: TransportMessage, from process: String) async -> TransportMessage {
        await service.answer(message)
    }
}
