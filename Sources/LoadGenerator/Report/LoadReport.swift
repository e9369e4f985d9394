/// The result of a run, as JSON gives it.
package struct LoadReport: Codable, Hashable, Sendable {
    package struct Settings: Codable, Hashable, Sendable {
        package var work: String
        package var endpoint: String
        package var bucket: String
        package var objectBytes: Int
        package var rangeBytes: Int?
        package var partBytes: Int?
        package var connections: Int
        package var payload: String
        package var verified: Bool
        package var compressible: Bool
    }

    /// Times are in milliseconds, rates per second of the measured part, a megabyte is 10^6 bytes.
    package struct Figures: Codable, Hashable, Sendable {
        package var count: Int
        package var bytes: Int
        package var perSecond: Double
        package var megabytesPerSecond: Double
        package var mean: Double
        package var p50: Double
        package var p90: Double
        package var p99: Double
        package var max: Double
    }

    /// CPU time of one side, and what it comes to per work done.
    package struct CPU: Codable, Hashable, Sendable {
        package var seconds: Double
        /// Per 10^9 bytes moved; nil when none were.
        package var secondsPerGigabyte: Double?
        package var millisecondsPerOperation: Double?
    }

    package struct Server: Codable, Hashable, Sendable {
        package var cpu: CPU
        package var residentBytes: Int
        package var peakResidentBytes: Int
    }

    package var settings: Settings
    package var elapsedSeconds: Double
    /// By the operation's name.
    package var operations: [String: Figures]
    package var total: Figures
    /// How often each kind of error came, and an example of each.
    package var errors: [String: Int]
    package var errorExamples: [String: String]
    package var client: CPU
    package var server: Server?

    /// Whether everything that was tried succeeded, and something was.
    package var isClean: Bool { errors.isEmpty && total.count > 0 }
}

extension LoadReport {
    init(options: LoadOptions, tally: Tally, elapsed: Double, clientCPU: Double, server usage: ProcessUsage?) {
        settings = Settings(options)
        elapsedSeconds = elapsed
        operations = [:]
        var all = OperationTally()
        for (operation, part) in tally.operations {
            operations[operation.rawValue] = Figures(part, elapsed: elapsed)
            all.merge(part)
        }
        total = Figures(all, elapsed: elapsed)
        errors = tally.errors
        errorExamples = tally.examples
        // An object of several parts is one operation to whoever pays for the CPU.
        let units = options.work == .multipart ? tally.operations[.complete]?.latency.count ?? 0 : total.count
        // Per gigabyte only where bytes of objects are the work.
        let bytes = [.list, .head, .delete].contains(options.work) ? 0 : all.bytes
        client = CPU(seconds: clientCPU, bytes: bytes, operations: units)
        server = usage.map {
            Server(
                cpu: CPU(seconds: $0.cpuSeconds, bytes: bytes, operations: units),
                residentBytes: $0.residentBytes,
                peakResidentBytes: $0.peakResidentBytes
            )
        }
    }
}

extension LoadReport.Settings {
    fileprivate init(_ options: LoadOptions) {
        self.init(
            work: options.work.rawValue,
            endpoint: options.endpoint.authority,
            bucket: options.bucket,
            objectBytes: options.size,
            rangeBytes: options.work == .range ? options.rangeSize : nil,
            partBytes: options.work == .multipart ? options.partSize : nil,
            connections: options.concurrency,
            payload: options.payload.rawValue,
            verified: options.verify,
            compressible: options.isCompressible
        )
    }
}

extension LoadReport.Figures {
    fileprivate init(_ tally: OperationTally, elapsed: Double) {
        func milliseconds(_ quantile: Double) -> Double { Double(tally.latency.quantile(quantile)) / 1e6 }
        self.init(
            count: tally.latency.count,
            bytes: tally.bytes,
            perSecond: Double(tally.latency.count) / elapsed,
            megabytesPerSecond: Double(tally.bytes) / 1e6 / elapsed,
            mean: tally.latency.mean / 1e6,
            p50: milliseconds(0.5),
            p90: milliseconds(0.9),
            p99: milliseconds(0.99),
            max: Double(tally.latency.maximum) / 1e6
        )
    }
}

extension LoadReport.CPU {
    fileprivate init(seconds: Double, bytes: Int, operations: Int) {
        self.init(
            seconds: seconds,
            secondsPerGigabyte: bytes > 0 ? seconds / (Double(bytes) / 1e9) : nil,
            millisecondsPerOperation: operations > 0 ? seconds * 1e3 / Double(operations) : nil
        )
    }
}
