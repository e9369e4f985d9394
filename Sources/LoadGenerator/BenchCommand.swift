import ArgumentParser
import Foundation

/// `cairn bench WORK`: loads an S3 endpoint and says what it did and what it cost.
package struct BenchCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Load an S3 endpoint and measure it.",
        discussion: """
            Works: put, get, range, list, delete, head, mixed, multipart. What a work reads is written first, \
            and removed afterwards. Sizes: 4096, 64KiB, 1.5MB, 1GiB; times: 500ms, 30s, 2m. The result is a \
            table, or JSON with --json; the exit code is 1 when anything failed.

            Example: cairn bench put --size 512KiB --concurrency 16 --duration 30s --server-pid $(pgrep -x cairn)
            """
    )

    @Argument(help: "put, get, range, list, delete, head, mixed or multipart.")
    var work: Work
    @Option(help: "http://HOST:PORT of the S3 service.")
    var endpoint = "http://127.0.0.1:9000"
    @Option(help: "Else AWS_ACCESS_KEY_ID or CAIRN_ROOT_ACCESS_KEY of the environment.")
    var accessKey: String?
    @Option(help: "Else AWS_SECRET_ACCESS_KEY or CAIRN_ROOT_SECRET_KEY of the environment.")
    var secretKey: String?
    @Option(help: "The region to sign for.")
    var region = "us-east-1"
    @Option(help: "Made when it does not exist, and then removed at the end.")
    var bucket = "cairn-bench"
    @Option(help: "What every key begins with.")
    var prefix = "bench/"
    @Option(help: "Bytes of an object. (default: 1MiB; 1KiB for list, head and delete; 1GiB for range and multipart)")
    var size: ByteCount?
    @Option(help: "Bytes of a range.")
    var rangeSize = ByteCount(256 << 10)
    @Option(help: "Bytes of a part.")
    var partSize = ByteCount(16 << 20)
    @Option(help: "Connections, each with a thread of its own.")
    var concurrency = 4
    @Option(help: "How long to measure. (default: 10s)")
    var duration: TimeSpan?
    @Option(help: "Measure this many operations instead.")
    var count: Int?
    @Option(
        help: "Objects to write first and work on. (default: as many as make 512 MiB, 1000 at most; 10000 for list)"
    )
    var objects: Int?
    @Flag(help: "The objects are there from a run with --no-cleanup; do not write them.")
    var existing = false
    @Flag(help: "Compare every byte read with what was written, and count the keys of lists.")
    var verify = false
    @Flag(help: "Write objects that compress to about a half.")
    var compressible = false
    @Option(help: "How long to load before measuring.")
    var warmUp = TimeSpan(nanoseconds: 0)
    @Option(help: "How bodies are protected: unsigned, signed or trailer.")
    var payload = PayloadMode.unsigned
    @Flag(inversion: .prefixedNo, help: "Remove what was written.")
    var cleanup = true
    @Option(help: "Keys of a list page.")
    var pageSize = 1_000
    @Option(help: "The shares of mixed work. (default: get=60,put=20,head=15,delete=5)")
    var mix: Mix?
    @Option(help: "Repeats a run with the same keys and ranges.")
    var seed: UInt64 = 1
    @Option(help: "A process of the server on this machine, to measure its CPU and memory; may be repeated.")
    var serverPid: [Int32] = []
    @Flag(help: "Print the result as JSON.")
    var json = false
    @Option(help: "Write the result as JSON to this file as well.")
    var output: String?
    @Flag(help: "No progress lines.")
    var quiet = false

    package init() {}

    package mutating func validate() throws {
        if duration != nil, count != nil { throw ValidationError("Give --duration or --count, not both.") }
        if let problem = try options(environment: ["AWS_ACCESS_KEY_ID": "-", "AWS_SECRET_ACCESS_KEY": "-"]).problem {
            throw ValidationError(problem + ".")
        }
    }

    package func run() async throws {
        let options = try options(environment: ProcessInfo.processInfo.environment)
        Interruption.watch()
        let isQuiet = quiet
        let report = try LoadRun(options) { line in
            if !isQuiet { FileHandle.standardError.write(Data((line + "\n").utf8)) }
        }.execute()
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let document = try encoder.encode(report)
        if let output { try document.write(to: URL(fileURLWithPath: output)) }
        print(json ? String(decoding: document, as: UTF8.self) : report.text)
        if !report.isClean { throw ExitCode.failure }
    }

    /// The options that the arguments and, where keys are missing, the environment give.
    package func options(environment: [String: String]) throws -> LoadOptions {
        guard let address = Endpoint(text: endpoint) else {
            throw ValidationError(
                "--endpoint must be http://HOST:PORT (plain HTTP, so that what is measured is the store)."
            )
        }
        guard let access = accessKey ?? environment["AWS_ACCESS_KEY_ID"] ?? environment["CAIRN_ROOT_ACCESS_KEY"],
            let secret = secretKey ?? environment["AWS_SECRET_ACCESS_KEY"] ?? environment["CAIRN_ROOT_SECRET_KEY"]
        else {
            throw ValidationError(
                "No keys: give --access-key and --secret-key, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. "
                    + "Those of a store of your own are in DIR/credentials."
            )
        }
        let credentials = Credentials(accessKey: access, secretKey: secret, region: region)
        var options = LoadOptions(work: work, endpoint: address, credentials: credentials)
        options.bucket = bucket
        options.prefix = prefix
        options.size = size?.bytes ?? defaultSize
        options.rangeSize = rangeSize.bytes
        options.partSize = partSize.bytes
        options.concurrency = concurrency
        options.limit = count.map { .count($0) } ?? .duration(duration ?? .seconds(10))
        options.objects = objects
        options.existing = existing
        options.verify = verify
        options.isCompressible = compressible
        options.warmUp = warmUp
        options.payload = payload
        options.cleanup = cleanup
        options.pageSize = pageSize
        options.mix = mix ?? Mix()
        options.seed = seed
        options.serverProcesses = serverPid
        return options
    }

    private var defaultSize: Int {
        switch work {
        case .put, .get, .mixed: 1 << 20
        case .list, .head, .delete: 1 << 10
        case .range, .multipart: 1 << 30
        }
    }
}

extension Work: ExpressibleByArgument {}
extension PayloadMode: ExpressibleByArgument {}

extension ByteCount: ExpressibleByArgument {
    package init?(argument: String) { self.init(text: argument) }
}

extension TimeSpan: ExpressibleByArgument {
    package init?(argument: String) { self.init(text: argument) }
}

extension Mix: ExpressibleByArgument {
    package init?(argument: String) { self.init(text: argument) }
}
