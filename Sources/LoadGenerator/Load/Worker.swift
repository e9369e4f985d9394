/// One connection and what it has done; runs the phases of the load on a thread of its own.
///
/// Phases follow each other and are joined, so that a worker is confined to one thread at a time.
final class Worker: @unchecked Sendable {
    // SAFETY: `LoadRun` gives each worker to one thread, joins it, and only then reads the worker or starts the next.

    /// Failures in a row after which a connection gives up: with the pauses between them about ten seconds.
    private static let patience = 25
    /// The longest pause after a failure, in nanoseconds.
    private static let longestPause: UInt64 = 500_000_000

    let client: S3Client
    private let options: LoadOptions
    private let objects: ObjectSet
    private var generator: SplitMix
    private(set) var tally = Tally()
    private(set) var lastFinish: UInt64 = 0
    private var failuresInRow = 0
    /// Objects that this worker wrote and may delete (`mixed`).
    private var own: [Int] = []
    private var listToken: String?
    private var listedKeys = 0

    init(index: Int, options: LoadOptions, objects: ObjectSet) {
        client = S3Client(
            endpoint: options.endpoint,
            credentials: options.credentials,
            bucket: options.bucket,
            payload: options.payload
        )
        self.options = options
        self.objects = objects
        generator = SplitMix(seed: SplitMix.mix(options.seed &+ UInt64(index)))
    }

    /// Forgets what was counted, before the next phase.
    func reset() {
        tally = Tally()
        lastFinish = 0
        failuresInRow = 0
    }

    // MARK: Phases

    /// Writes objects 0, 1, … until all are there or one fails.
    func prepare(_ progress: SharedProgress) {
        while let number = progress.begin(at: Threads.now()) {
            let isDone = measure(progress, .put) { () throws(ClientFailure) in try put(number) }
            if !isDone, failuresInRow >= Self.patience { progress.stop() }
            if !isDone { retryPut(number, progress) }
        }
    }

    private func retryPut(_ number: Int, _ progress: SharedProgress) {
        while failuresInRow < Self.patience, !progress.isOver(at: Threads.now()) {
            if measure(progress, .put, { () throws(ClientFailure) in try put(number) }) { return }
        }
        progress.stop()
    }

    /// Removes objects 0, 1, …; failures are counted and passed over.
    func cleanUp(_ progress: SharedProgress) {
        while failuresInRow < Self.patience, let number = progress.begin(at: Threads.now()) {
            measure(progress, .delete) { () throws(ClientFailure) in
                try client.delete(objects.key(number))
                return 0
            }
        }
    }

    /// The load itself, of every work but multipart.
    func run(_ progress: SharedProgress) {
        while failuresInRow < Self.patience, let number = progress.begin(at: Threads.now()) {
            step(number, progress)
        }
    }

    private func step(_ number: Int, _ progress: SharedProgress) {
        let operation = nextOperation()
        measure(progress, operation) { () throws(ClientFailure) in
            switch operation {
            case .put: try putNew()
            case .get: try get(number)
            case .range: try range()
            case .list: try list()
            case .head: try head(number)
            case .delete: try delete(number)
            case .create, .part, .complete: 0
            }
        }
    }

    private func nextOperation() -> Operation {
        switch options.work {
        case .put, .multipart: return .put
        case .get: return .get
        case .range: return .range
        case .list: return .list
        case .delete: return .delete
        case .head: return .head
        case .mixed:
            let operation = options.mix.operation(generator.below(options.mix.total))
            return operation == .delete && own.isEmpty ? .put : operation
        }
    }

    /// Times the operation and counts it, or its failure, after which it pauses.
    @discardableResult
    func measure(
        _ progress: SharedProgress,
        _ operation: Operation,
        _ body: () throws(ClientFailure) -> Int
    ) -> Bool {
        let start = Threads.now()
        do throws(ClientFailure) {
            let bytes = try body()
            lastFinish = Threads.now()
            tally.record(operation, nanoseconds: lastFinish - start, bytes: bytes)
            progress.done(bytes: bytes)
            failuresInRow = 0
            return true
        } catch {
            lastFinish = Threads.now()
            tally.record(error)
            progress.failed()
            failuresInRow += 1
            Threads.sleep(nanoseconds: min(Self.longestPause, 10_000_000 << UInt64(min(failuresInRow, 10))))
            return false
        }
    }

    var hasGivenUp: Bool { failuresInRow >= Self.patience }

    // MARK: Operations, each giving the bytes it moved

    private func put(_ number: Int) throws(ClientFailure) -> Int {
        try client.put(objects.key(number), objects.content(number), length: options.size)
        return options.size
    }

    private func putNew() throws(ClientFailure) -> Int {
        let number = objects.newNumber()
        let bytes = try put(number)
        if options.work == .mixed { own.append(number) }
        return bytes
    }

    /// One object after the other, so that every one is read before any is read again.
    private func get(_ number: Int) throws(ClientFailure) -> Int {
        let number = number % options.workingSet
        let expected = options.verify ? objects.content(number) : nil
        let count = try client.get(objects.key(number), expecting: expected)
        guard count == options.size else {
            throw .wrongBytes(key: objects.key(number), offset: min(count, options.size))
        }
        return count
    }

    private func range() throws(ClientFailure) -> Int {
        let number = generator.below(options.workingSet)
        let start = generator.below(options.size / options.rangeSize) * options.rangeSize
        let expected = options.verify ? objects.content(number) : nil
        return try client.get(objects.key(number), range: start..<start + options.rangeSize, expecting: expected)
    }

    private func head(_ number: Int) throws(ClientFailure) -> Int {
        let key = objects.key(number % options.workingSet)
        let length = try client.head(key)
        guard length == options.size else { throw .wrongBytes(key: key, offset: min(length, options.size)) }
        return 0
    }

    private func delete(_ number: Int) throws(ClientFailure) -> Int {
        try client.delete(objects.key(own.popLast() ?? number))
        return 0
    }

    /// The next page; behind the last one it begins again, having checked that no key was missing.
    private func list() throws(ClientFailure) -> Int {
        let prefix = RequestSigner.percentEncoded(options.prefix, keepingSlash: false)
        let page = try client.list(prefix: prefix, pageSize: options.pageSize, token: listToken)
        listToken = page.nextToken
        listedKeys += page.keyCount
        if page.nextToken == nil {
            let found = listedKeys
            listedKeys = 0
            guard !options.verify || found == options.workingSet else {
                throw .wrongBytes(key: options.prefix, offset: found)
            }
        }
        return page.bytes
    }
}
