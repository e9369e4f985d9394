import ObjectInterface
import ObjectModel

/// Compare-and-set by conditional PUTs.
extension StoreClient {
    private static let valueLength = 64

    static func register(_ number: Int) -> String { "register-\(number)" }

    /// Reads a register and replaces what it holds, if it still holds it.
    func compareAndSet(_ register: Int, _ operation: Int) async throws {
        let key = Self.register(register)
        guard let (seen, eTag) = try await readRegister(key) else { return }
        // Others may come between.
        try await world.time.sleep(for: .microseconds(operation * 37 % 2_000))
        let value = WrittenValue(number: UInt64(operation), length: Self.valueLength + operation % 1_000)
        let place = registers.begin(key, value, replacing: seen)
        let condition = eTag.map { WriteCondition.matches($0) } ?? .isAbsent
        let outcome = await server.use { objects in
            await Self.outcome { try await Self.put(key, value, condition, in: objects) }
        }
        world.trace.record("\(key) \(seen ?? 0) > \(value.number): \(outcome.map { "\($0)" } ?? "lost")")
        var problem: String?
        switch outcome {
        case nil: registers.lose(key, place)
        case .done: problem = registers.acknowledge(key, place)
        case .failed(let error):
            switch error.code {
            case .unknownOutcome: registers.lose(key, place)
            // AWS answers a condition on an object that is not there with 404.
            case .preconditionFailed, .conditionalConflict, .noSuchKey: problem = registers.fail(key, place)
            default:
                guard Self.isRefusal(error) else { throw BrokenPromise("\(key): \(error)", subject: key) }
                problem = registers.refuse(key, place)
            }
        }
        if let problem { throw BrokenPromise(problem, subject: key) }
    }

    /// The value that a register holds, nil for none, and its ETag; nil when the server died in the reading.
    @discardableResult
    func readRegister(_ key: String) async throws -> (value: UInt64?, eTag: String?)? {
        let began = registers.beginRead()
        guard let found = await server.use({ objects in await Self.read(key, range: nil, from: objects) }) else {
            return nil
        }
        var number: UInt64?
        var eTag: String?
        switch found {
        case .nothing: break
        case .bytes(let bytes, _, _, let tag):
            guard let value = registers.value(key, bytes: bytes) else {
                throw BrokenPromise("\(key) holds what nobody wrote", subject: key)
            }
            (number, eTag) = (value.number, tag)
        case .unsatisfiable: throw BrokenPromise("\(key): a range that nobody asked for", subject: key)
        case .failed(let error) where mayRefuseReads(with: error): return nil
        case .failed(let error): throw BrokenPromise("reading \(key): \(error)", subject: key)
        }
        if let problem = registers.check(key, began: began, found: number) {
            throw BrokenPromise(problem, subject: key)
        }
        return (number, eTag)
    }
}
