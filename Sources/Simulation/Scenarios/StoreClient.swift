import ObjectInterface
import ObjectModel
import ObjectStorage
import Synchronization
import SystemInterface
import TestKit

/// One client of the simulated store: writes keys of its own, reads everyone's, shares registers with the others, and
/// checks every answer.
struct StoreClient: Sendable {
    static let bucket = "archive"
    static let owner = UserID("owner")

    let number: Int
    let clientCount: Int
    /// Keys of each client: few, so that they are overwritten and deleted often.
    let keyCount: Int
    let server: any ObjectServer
    let oracle: StoreOracle
    let registers: RegisterOracle
    let world: World

    /// Does operations until `limit` have been begun by all clients together.
    func run(limit: Int, seed: UInt64, reached: @escaping @Sendable (Int) -> Void) async throws {
        var generator = SplitMix64(seed: seed)
        while world.problems.isEmpty, let operation = oracle.beginOperation(limit: limit) {
            reached(operation)
            try await operate(operation, using: &generator)
            if generator.next() % 4 == 0 {
                try await world.time.sleep(for: .microseconds(Int(generator.next() % 3_000)))
            }
        }
    }

    private func operate(_ operation: Int, using generator: inout SplitMix64) async throws {
        let own = ownKey(Int(generator.next() % UInt64(keyCount)))
        let any = Self.key(
            Int(generator.next() % UInt64(clientCount)),
            Int(generator.next() % UInt64(keyCount))
        )
        let value = WrittenValue(number: UInt64(operation), length: Self.length(using: &generator))
        let source = Self.key(number, Int(generator.next() % UInt64(keyCount)))
        switch generator.next() % 100 {
        case 0..<34: try await put(own, value)
        case 34..<52: try await read(any, range: nil)
        case 52..<62: try await read(any, range: Self.range(using: &generator))
        case 62..<70: try await delete(own)
        case 70..<76: try await list()
        case 76..<80: try await multipart(own, value)
        case 80..<82: try await multipartOfTwo(own, value, second: 1 + Int(generator.next() % 2_000))
        case 82..<84: try await abandonUpload(own, value, aborts: generator.next() % 2 == 0)
        case 84..<86: try await copyPart(from: source, to: own)
        case 86..<90: try await copy(from: source, to: own)
        default: try await compareAndSet(Int(generator.next() % 2), operation)
        }
    }

    /// The own key of this number, or the next one of which it is known what it holds.
    private func ownKey(_ first: Int) -> String {
        var number = first
        while oracle.isPending(Self.key(self.number, number)) { number += 1 }
        return Self.key(self.number, number)
    }

    static func key(_ client: Int, _ number: Int) -> String { "\(prefix(client))key-\(number)" }
    /// Of a client's keys.
    static func prefix(_ client: Int) -> String { "client-\(client)/" }

    /// Mostly small; some of several frames; a few beyond a pack, and so of several stripes.
    static func length(using generator: inout SplitMix64) -> Int {
        let draw = generator.next()
        return switch draw % 50 {
        case 0: 0
        case 1..<38: 1 + Int(draw >> 8) & 0xFFF
        case 38..<48: 1 + Int(draw >> 8) & 0x1_FFFF
        case 48: (256 << 10) - 2 + Int(draw >> 8) & 3
        default: (1 << 20) + Int(draw >> 8) & 0x3_FFFF
        }
    }

    private static func range(using generator: inout SplitMix64) -> ByteRange {
        let draw = Int(generator.next() >> 40)
        let first = draw % 5_000
        return switch draw % 3 {
        case 0: .from(first)
        case 1: .suffix(1 + first)
        default: .closed(first, first + draw % 70_000)
        }
    }

    // MARK: Writes

    func put(_ key: String, _ value: WrittenValue) async throws {
        try await write(key, value) { objects in try await Self.put(key, value, .none, in: objects) }
    }

    static func put(_ key: String, _ value: WrittenValue, _ condition: WriteCondition, in objects: ObjectStore)
        async throws
    {
        _ = try await objects.put(
            PutRequest(
                bucket: bucket,
                key: key,
                owner: owner,
                length: value.length,
                attributes: ObjectAttributes(),
                condition: condition
            ),
            body: MemoryBody(value.bytes)
        )
    }

    func delete(_ key: String) async throws {
        try await write(key, nil) { objects in
            _ = try await objects.delete(DeleteRequest(bucket: Self.bucket, key: key))
        }
    }

    func write(
        _ key: String,
        _ value: WrittenValue?,
        _ body: @escaping @Sendable (ObjectStore) async throws -> Void
    ) async throws {
        let place = oracle.beginWrite(key, value)
        let outcome = await server.use { objects in await Self.outcome { try await body(objects) } }
        world.trace.record("\(key) \(value.map { "\($0.number)" } ?? "deleted"): \(outcome.map { "\($0)" } ?? "lost")")
        switch outcome {
        case nil: oracle.lose(key, place)
        case .done: oracle.acknowledge(key, place)
        case .failed(let error) where error.code == .unknownOutcome: oracle.lose(key, place)
        // What is copied must be read first.
        case .failed(let error) where Self.isRefusal(error) || mayRefuseReads(with: error):
            if let problem = oracle.refuse(key, place) { throw BrokenPromise(problem, subject: key) }
        case .failed(let error): throw BrokenPromise("writing \(key): \(error)", subject: key)
        }
    }

    /// What a store with hurt disks may say to a write, having done nothing.
    static func isRefusal(_ error: StorageError) -> Bool {
        switch error.code {
        case .unavailable, .leaseEnded, .full, .busy: true
        default: false
        }
    }

    /// While parts of the store cannot reach one another, too few shards of a blob may be within reach.
    func mayRefuseReads(with error: StorageError) -> Bool {
        server.mayBeUnavailable && (Self.isRefusal(error) || error.code == .unreadable)
    }

    enum WriteOutcome: Sendable {
        case done
        case failed(StorageError)
    }

    static func outcome(_ body: () async throws -> Void) async -> WriteOutcome {
        do {
            try await body()
            return .done
        } catch let error as StorageError {
            return .failed(error)
        } catch {
            return .failed(StorageError(.internalFailure, "\(error)"))
        }
    }

    /// Writes a small value; whether that was acknowledged.
    func isWritten(_ key: String) async throws -> Bool {
        guard !oracle.isPending(key), let operation = oracle.beginOperation(limit: .max) else { return false }
        world.countOperation()
        let value = WrittenValue(number: UInt64(operation), length: 100)
        try await put(key, value)
        return oracle.settledValue(key) == value
    }

    // MARK: Reads

    /// What a read found.
    enum Found: Sendable {
        case bytes([UInt8], Range<Int>, length: Int, eTag: String)
        case nothing
        case unsatisfiable
        case failed(StorageError)
    }

    func read(_ key: String, range: ByteRange?) async throws {
        let reading = oracle.beginRead()
        guard let found = await server.use({ objects in await Self.read(key, range: range, from: objects) }) else {
            return
        }
        let allowed = oracle.allowed(key, reading)
        switch found {
        case .nothing: try check(key, reading, found: nil)
        case .unsatisfiable:
            guard let range, allowed.contains(where: { $0.map { range.resolved(length: $0.length) == nil } ?? false })
            else {
                throw BrokenPromise("\(key): a range that exists was refused", subject: key)
            }
        case .failed(let error) where mayRefuseReads(with: error): return
        case .failed(let error):
            let shards = await server.describeShards(of: key)
            throw BrokenPromise("reading \(key): \(error) \(shards)", subject: key)
        case .bytes(let bytes, let answered, let length, let eTag):
            guard answered == (range.map { $0.resolved(length: length) } ?? 0..<length) else {
                throw BrokenPromise("\(key): \(answered) of \(length) bytes, not what was asked for", subject: key)
            }
            let values = Set(
                allowed.compactMap { $0 }.filter { $0.length == length && $0.bytes[answered] == bytes[...] }
            )
            guard let value = values.first else {
                throw BrokenPromise("\(key): \(bytes.count) bytes of no value that was written there", subject: key)
            }
            if range == nil, !WrittenValue.isETag(eTag, of: bytes) {
                throw BrokenPromise("\(key): value \(value.number) with the ETag \(eTag)", subject: key)
            }
            // A piece, an empty one above all, may not tell values of one length apart.
            if values.count == 1 { try check(key, reading, found: value) }
        }
    }

    private func check(_ key: String, _ reading: StoreOracle.Reading, found value: WrittenValue?) throws {
        if let problem = oracle.check(key, reading, found: value) {
            throw BrokenPromise(problem, subject: key)
        }
    }

    static func read(_ key: String, range: ByteRange?, from objects: ObjectStore) async -> Found {
        do {
            let result = try await objects.get(GetRequest(bucket: bucket, key: key, range: range))
            var bytes: [UInt8] = []
            while let slice = try await result.body?.next() { bytes += slice.copied() }
            return .bytes(bytes, result.range, length: result.object.length, eTag: result.object.eTag)
        } catch let error as StorageError {
            return switch error.code {
            case .noSuchKey: .nothing
            case .invalidRange: .unsatisfiable
            default: .failed(error)
            }
        } catch {
            return .failed(StorageError(.internalFailure, "\(error)"))
        }
    }

    // MARK: Lists

    /// Every key that surely is there is listed, none that surely is not, and in order.
    func list() async throws {
        let reading = oracle.beginRead()
        // They are never deleted.
        let known = registers.written
        let answer = await server.use { objects -> Result<[String], StorageError> in
            do throws(StorageError) {
                return .success(try await Self.list(objects))
            } catch {
                return .failure(error)
            }
        }
        guard let answer else { return }
        let listed: [String]
        do {
            listed = try answer.get()
        } catch let error where mayRefuseReads(with: error) {
            return
        } catch {
            throw BrokenPromise("listing: \(error)")
        }
        guard listed == listed.sorted(), Set(listed).count == listed.count else {
            throw BrokenPromise("a list is out of order: \(listed)")
        }
        for key in oracle.keys {
            if let problem = oracle.check(key, reading, isListed: listed.contains(key)) {
                throw BrokenPromise("a list: " + problem, subject: key)
            }
        }
        if let key = known.first(where: { !listed.contains($0) }) {
            throw BrokenPromise("\(key) is there and not listed", subject: key)
        }
        guard Set(listed).isSubset(of: oracle.keys + registers.keys) else {
            throw BrokenPromise("a key is listed that was never written")
        }
    }

    /// All keys, by small pages.
    private static func list(_ objects: ObjectStore) async throws(StorageError) -> [String] {
        var keys: [String] = []
        while true {
            let page = try await objects.list(ListRequest(bucket: bucket, after: keys.last ?? "", limit: 10))
            keys += page.entries.map(\.name)
            if !page.isTruncated { return keys }
        }
    }
}

/// A body from memory.
final class MemoryBody: BodyReader {
    private let bytes: [UInt8]
    private let position = Mutex(0)

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func read(into buffer: AlignedBuffer, at offset: Int, count: Int) async throws -> Int {
        position.withLock { position in
            let length = min(count, bytes.count - position)
            buffer.mutableBytes[offset...].copyBytes(from: bytes[position..<position + length])
            position += length
            return length
        }
    }

    func trailingChecksum() -> DeclaredChecksum? { nil }
}
