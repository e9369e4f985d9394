import Coordination
import DiskFormat
import Metadata
import ObjectInterface
import ObjectModel
import ObjectStorage
import SystemInterface
import TestKit

/// A run in which clients use a store, whatever it is made of, and everything is checked when it has been mended.
protocol ClientRun: Sendable {
    var world: World { get }
    var oracle: StoreOracle { get }
    var registers: RegisterOracle { get }
    var clientCount: Int { get }
    /// Keys of each client.
    var keyCount: Int { get }
    /// What the clients call.
    var objects: any ObjectServer { get }

    /// The places of disks.
    var slots: [SlotPlace] { get }

    /// The store that decides, once it runs.
    func currentStore() async throws -> Store
    /// Puts an empty disk into the slot of this number.
    func useSpare(_ slot: Int)
}

extension ClientRun {
    /// Simulated time within which everything must be whole again: a disk whose writes failed is left alone for up to
    /// ten minutes.
    private var repairTime: Duration { .seconds(1_300) }
    /// How often it is looked.
    private var repairPoll: Duration { .seconds(2) }

    // MARK: Clients

    /// Has the clients work until so many operations have begun; `reached` is told the number of each.
    func runClients(
        until limit: Int,
        using generator: inout SplitMix64,
        reached: @escaping @Sendable (Int) -> Void
    ) async {
        let clients = (0..<clientCount).map { number in
            let client = client(number)
            let seed = generator.next()
            return Task { [world] in
                do {
                    try await client.run(limit: limit, seed: seed) {
                        world.countOperation()
                        reached($0)
                    }
                } catch {
                    world.report(error)
                }
            }
        }
        for client in clients { await client.value }
    }

    func client(_ number: Int) -> StoreClient {
        StoreClient(
            number: number,
            clientCount: clientCount,
            keyCount: keyCount,
            server: objects,
            oracle: oracle,
            registers: registers,
            world: world
        )
    }

    func createBucket(region: String) async throws {
        let failure = await objects.use { objects -> String? in
            do {
                try await objects.createBucket(StoreClient.bucket, owner: StoreClient.owner, region: region)
                return nil
            } catch {
                return "\(error)"
            }
        }
        if let failure = failure ?? nil { throw BrokenPromise("no bucket: \(failure)") }
    }

    /// Reads every key, and lists them.
    func readAll() async throws {
        let reader = client(0)
        for key in oracle.keys {
            world.countOperation()
            try await reader.read(key, range: nil)
        }
        for key in registers.keys {
            world.countOperation()
            try await reader.readRegister(key)
        }
        world.countOperation()
        try await reader.list()
    }

    /// What has been mended takes writes: one of each client, tried again while leases and the like are renewed.
    func writeAll() async throws {
        for number in 0..<clientCount {
            let client = client(number)
            let key = StoreClient.key(number, keyCount)
            var tries = Self.writeTries
            while world.problems.isEmpty, try await !client.isWritten(key) {
                tries -= 1
                guard tries > 0 else { throw BrokenPromise("\(key) cannot be written to a store that is whole") }
                try await world.time.sleep(for: Self.writePatience)
            }
        }
    }

    private static var writeTries: Int { 20 }
    private static var writePatience: Duration { .seconds(2) }

    static func abortUploads(_ objects: ObjectStore) async throws {
        while true {
            let page = try await objects.listUploads(
                ListUploadsRequest(bucket: StoreClient.bucket, limit: Limits.pageSize)
            )
            for upload in page.uploads {
                try await objects.abortUpload(bucket: upload.bucket, key: upload.key, upload: upload.id)
            }
            if !page.isTruncated { return }
        }
    }

    /// Whether there is neither an object nor an upload: a delete may have been refused.
    static func isEmptied(_ objects: ObjectStore) async throws -> Bool {
        let all = ListRequest(bucket: StoreClient.bucket, limit: Limits.pageSize)
        let uploads = ListUploadsRequest(bucket: StoreClient.bucket, limit: Limits.pageSize)
        let hasObjects = try await !objects.list(all).entries.isEmpty
        let hasUploads = try await !objects.listUploads(uploads).uploads.isEmpty
        return !hasObjects && !hasUploads
    }

    // MARK: Checks

    /// All disks there, all shards counted as present and good by the store's own verification, and what operators
    /// began at its end.
    func waitUntilWhole() async throws {
        let rewrites = try await currentStore().metadata.classRewrites()
        try await waitUntilNothingLacks()
        try await checkRewritten(rewrites)
    }

    private func waitUntilNothingLacks() async throws {
        let deadline = world.time.monotonic.advanced(by: repairTime)
        var lack = "never asked"
        var isAsked = false
        while world.time.monotonic < deadline {
            let store = try await currentStore()
            // What a disk that comes back late brings is verified after that.
            if store.absentSlots.isEmpty, !isAsked {
                store.verifier.request()
                isAsked = true
            }
            try await world.time.sleep(for: repairPoll)
            lack = await store.lack()
            if lack.isEmpty { return }
            if !store.verifier.report.isRunning { isAsked = false }
        }
        throw BrokenPromise("not whole after \(repairTime): \(lack)")
    }
}
