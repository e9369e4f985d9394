package import ClusterProtocol
internal import DiskFormat
package import SystemInterface

extension KeeperLog {
    /// Opens the log of a disk, made when the disk has none, and finds again all that was acknowledged.
    ///
    /// Reads every log file once. A torn tail is cut; what is damaged before it is reported in `state().damaged` and
    /// left alone. Throws `.failed` when the disk cannot be read or written, when the promise is unreadable, or when a
    /// newer program wrote the log.
    package static func open(
        _ files: any FileSystem,
        random: any RandomSource,
        configuration: Configuration = Configuration(),
        buggify: Buggify = .never
    ) async throws(KeeperError) -> KeeperLog {
        let state: State
        do throws(LogFileError) {
            if buggify.strikes(.openingCutShort) {
                var first = LogOpening(files: files)
                _ = try await first.run()
            }
            var opening = LogOpening(files: files)
            state = try await opening.run()
        } catch {
            switch error {
            case .file(let error): throw error.code == .full ? .full : .failed(error.description)
            case .format(let error, let path): throw .failed("\(path): \(error)")
            }
        }
        let log = KeeperLog(
            files: files,
            random: random,
            configuration: configuration,
            buggify: buggify,
            state: state
        )
        try await log.prepare()
        return log
    }

    /// Whether a disk has a log, or what is left of one that knows its promise: `open` would make a new one otherwise.
    package static func isThere(on files: any FileSystem) async -> Bool {
        (try? await files.status(PromiseFile.path)) != nil
    }

    /// The first file of a new log, and the reserve; without room for the reserve the log opens all the same.
    private func prepare() async throws(KeeperError) {
        try await exclusive { state async throws(KeeperError) in
            if state.logs.isEmpty && !state.index.hasUnknownEnd {
                try await self.roll(room: 0, startsAnew: false, &state)
            }
        }
        try await refillReserve()
    }
}

/// The files of a log as they are found.
private struct LogOpening {
    let files: any FileSystem
    private var logs: [UInt64] = []
    private var spares: [(number: UInt64, length: Int)] = []
    private var highestNumber: UInt64 = 0
    private var opened: [LogFile] = []
    private var unreadable: [UInt64] = []
    private var strays: [UInt64: UInt64] = [:]

    init(files: any FileSystem) { self.files = files }

    mutating func run() async throws(LogFileError) -> KeeperLog.State {
        try await list()
        try await syncNames()
        let found = try await PromiseFile.open(files)
        if found == nil && !logs.isEmpty { throw .format(.notFound, path: LogFile.folder + "/promise") }
        let promise = if let found { found } else { try await create() }
        for number in logs { try await openLog(number) }
        var state = KeeperLog.State(promise: promise)
        state.logs = opened
        state.spares = spares
        state.unreadable = unreadable
        state.strays = strays
        state.nextNumber = highestNumber + 1
        try await scan(&state)
        // A promise was given, so there was a log: it is gone.
        if logs.isEmpty && promise.promise.incarnation > 0 { state.index.noteUnknownEnd() }
        return state
    }

    /// A killed process may have left names that only memory holds: what is appended to such a file would be
    /// acknowledged, and gone with its name at the next loss of power.
    private func syncNames() async throws(LogFileError) {
        do throws(FileError) {
            try await files.syncDirectory(RelativePath.root)
            try await files.syncDirectory(LogFile.folder)
        } catch {
            throw .file(error)
        }
    }

    private mutating func list() async throws(LogFileError) {
        do throws(FileError) {
            try await files.createDirectory(LogFile.folder)
            for name in try await files.list(LogFile.folder) {
                if let number = LogFile.number(in: name, after: "log-") {
                    logs.append(number)
                    highestNumber = max(highestNumber, number)
                } else if let number = LogFile.number(in: name, after: "spare-") {
                    let status = try await files.status(LogFile.sparePath(number))
                    spares.append((number, status?.length ?? 0))
                    highestNumber = max(highestNumber, number)
                } else if let number = LogFile.number(in: name, after: "damaged-") {
                    highestNumber = max(highestNumber, number)
                } else if LogFile.number(in: name, after: "new-") != nil {
                    try await files.remove(LogFile.folder + "/" + name)
                }
            }
        } catch {
            throw .file(error)
        }
        logs.sort()
    }

    private func create() async throws(LogFileError) -> PromiseFile {
        do throws(FileError) {
            return try await PromiseFile.create(files)
        } catch {
            throw .file(error)
        }
    }

    private mutating func openLog(_ number: UInt64) async throws(LogFileError) {
        let path = LogFile.path(number)
        let file: any File
        do throws(FileError) {
            file = try await files.open(path, .write.direct())
            // A record that a killed process wrote and had not synced counts as held from here on.
            try await file.sync()
        } catch {
            throw .file(error)
        }
        do throws(LogFileError) {
            let header = try await LogFile.readHeader(file, path: path)
            guard header.number == number else {
                // Never passed over: it may lie over a file of the log.
                strays[number] = header.number
                return unreadable.append(number)
            }
            opened.append(LogFile(file: file, header: header))
        } catch {
            switch error {
            case .format(.unknownVersion, _), .format(.unknownFeatures, _): throw error
            // A header that rotted, or a block that cannot be read: the other keepers have what is in it.
            case .format: unreadable.append(number)
            case .file(let failure):
                guard failure.code == .medium else { throw error }
                unreadable.append(number)
            }
        }
    }

    private mutating func scan(_ state: inout KeeperLog.State) async throws(LogFileError) {
        let newest = opened.max { $0.header.referenceGeneration < $1.header.referenceGeneration }
        state.reference = newest?.header.reference ?? []
        state.referenceGeneration = newest?.header.referenceGeneration ?? 0
        var scan = LogScan(base: newest?.header.base ?? .origin)
        for number in logs {
            guard let log = opened.first(where: { $0.number == number }) else {
                scan.skipFile()
                continue
            }
            let bytes = try await log.contents()
            state.offset = bytes.withBytes { scan.scan($0, header: log.header) }
        }
        scan.finish(endsWithUnreadableFile: unreadable.contains { $0 == logs.last })
        state.index = scan.index
        state.ordinal = scan.ordinal
    }
}
