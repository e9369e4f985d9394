import AdminGateway
import ArgumentParser
import Coordination
import ErasureCoding
import Foundation
import LoadGenerator
import Logging
import ObjectModel
import S3Gateway

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve S3 on erasure-coded disks: the whole store in this process.",
        discussion: """
            Root keys come from CAIRN_ROOT_ACCESS_KEY and CAIRN_ROOT_SECRET_KEY; without them they are generated once, \
            kept in DIR/credentials and shown once. One line `ready: …` is printed when requests are taken.
            """
    )

    private static let defaultScheme = "rs-4-2"

    @Option(help: "The data folder: metadata database, keys, and the disks unless --disk is given.")
    var data: String
    @Option(help: "Address and port of the S3 endpoint.")
    var listen = "127.0.0.1:9000"
    @Option(help: "Sites that the disks in --data are spread over.")
    var sites = 1
    @Option(help: "Nodes that the disks in --data are spread over.")
    var nodes = 1
    @Option(help: "Disks in --data, as folders.")
    var disks = 6
    @Option(help: "A real disk's mounted folder: PATH[,site=NAME][,node=NAME]. Repeatable.")
    var disk: [DiskOption] = []
    @Option(help: "The erasure code of a new store: rs-K-M. (default: rs-4-2)")
    var scheme: String?
    @Option(help: "A name under which BUCKET.NAME is a bucket. Repeatable.")
    var domain: [String] = []
    @Option(help: "The region that clients sign for.")
    var region = "us-east-1"
    @Option(help: "PEM file of the certificate chain: serves HTTPS.")
    var tlsCertificate: String?
    @Option(help: "PEM file of the certificate's key.")
    var tlsKey: String?
    @Option(help: "File with the master key, 32 bytes in base64; else DIR/master.key, made at the first start.")
    var masterKey: String?
    @Option(help: "Abort uploads older than this: a number with s, m, h or d.")
    var abortUploadsAfter = "7d"
    @OptionGroup var scrub: ScrubOptions
    @OptionGroup var out: OutOptions
    @OptionGroup var repair: RepairOptions
    @Flag(help: "Go on with fewer journal keepers than needed; what only the missing ones have is lost.")
    var forceJournal = false
    @Flag(help: "Log each request to standard error.")
    var accessLog = false

    var tlsFiles: S3ServerConfiguration.TLSFiles? {
        guard let tlsCertificate, let tlsKey else { return nil }
        return S3ServerConfiguration.TLSFiles(certificate: tlsCertificate, key: tlsKey)
    }

    /// What is wrong with the options alone is said before anything is made, and ends with status 64.
    func validate() throws {
        do {
            _ = try ListenAddress(listen, option: "--listen")
            _ = try Topology(sites: sites, nodes: nodes, disks: disks, given: disk).slots(in: DataFolder(path: data))
            try tlsFiles?.check()
        } catch let error as ServeError {
            throw ValidationError(error.description)
        } catch let error as TLSFileError {
            throw ValidationError(error.description)
        }
        if let masterKey, !FileManager.default.isReadableFile(atPath: masterKey) {
            throw ValidationError("--master-key \(masterKey): there is no such file, or it cannot be read")
        }
    }

    func run() async throws {
        let name = self.scheme ?? Self.defaultScheme
        guard let scheme = Scheme(name: name) else {
            throw ValidationError("--scheme \(name): give rs-K-M with K + M at most \(Scheme.maximumShardCount)")
        }
        guard (tlsCertificate == nil) == (tlsKey == nil) else {
            throw ValidationError("give both --tls-certificate and --tls-key, or neither")
        }
        guard let age = DurationText.parse(abortUploadsAfter) else {
            throw ValidationError("--abort-uploads-after \(abortUploadsAfter): give a number with s, m, h or d")
        }
        let patience = try out.patience()
        try await ServeProgram(
            options: self,
            scheme: scheme,
            uploadAge: age,
            outAfter: patience,
            scrub: try scrub.settings(),
            repairRates: try repair.rates()
        ).run()
    }
}
