import Testing

/// The floor plan of the design (§12), held: imports go down only, and the outside world stays outside.
@Suite("Import directions")
struct ImportDirectionTests {
    /// From the bottom to the top. A target may import targets of its own row and of rows above it in this list.
    static let rows: [(name: String, targets: Set<String>)] = [
        ("C", ["CISAL", "CLZ4", "COpenSSL", "CXXHash", "CPostgres", "CDigests", "CLinux", "CFuzzer"]),
        (
            "values and codecs",
            [
                "ObjectModel", "Checksums", "ErasureCoding", "FrameCoding", "DiskFormat", "ClusterProtocol",
                "S3Protocol", "Placement",
            ]
        ),
        ("seams", ["SystemInterface", "LinuxSystem", "ObjectInterface"]),
        (
            "engine",
            [
                "ShardStorage", "JournalStorage", "BlobStorage", "Metadata", "PostgresMetadata", "ObjectStorage",
                "Coordination", "StorageNode", "Recovery",
            ]
        ),
        ("outside", ["ByteLending", "ClusterTransport", "S3Gateway", "Console", "AdminGateway", "LoadGenerator"]),
        ("programs", ["cairn", "Simulation", "simulator", "TestKit", "FuzzTargets", "fuzzer"]),
    ]

    static let outsideRow = 4
    /// The one Swift target of each C module.
    static let wrappers = [
        "CISAL": ["Checksums", "ErasureCoding"], "CLZ4": ["FrameCoding"], "COpenSSL": ["Checksums", "FrameCoding"],
        "CXXHash": ["Checksums"], "CDigests": ["Checksums"], "CLinux": ["LinuxSystem", "cairn"],
        "CFuzzer": ["fuzzer"],
    ]
    /// Modules of other packages that the lower rows may import, and which of their targets may.
    static let allowedBelowOutside: [String: Set<String>] = [
        "Synchronization": [], "FoundationEssentials": [],
        "HTTPTypes": ["S3Protocol"], "Crypto": ["S3Protocol", "Metadata"],
        "GRDB": ["Metadata"], "GRDBSQLite": ["Metadata"],
    ]

    static let manifest = try? Manifest(Repository.file("Package.swift").lines.joined(separator: "\n"))
    static let sources = (try? Repository.files(in: "Sources", extensions: ["swift"])) ?? []

    static func row(of target: String) -> Int? { rows.firstIndex { $0.targets.contains(target) } }

    @Test("The sources and the manifest were found")
    func inputs() throws {
        let manifest = try #require(Self.manifest)
        #expect(manifest.targets.count > 25)
        #expect(manifest.targets["DiskFormat"]?.isSuperset(of: ["ObjectModel", "Checksums"]) == true)
        #expect(manifest.targets["cairn"]?.contains("S3Gateway") == true)
        #expect(Self.sources.count > 100)
        #expect(Set(Self.sources.map(\.target)).isSuperset(of: ["ObjectModel", "S3Gateway", "cairn"]))
    }

    @Test("Every target has a place in the floor plan")
    func everyTargetHasARow() throws {
        let manifest = try #require(Self.manifest)
        for target in manifest.targets.keys.sorted() where !target.hasSuffix("Tests") {
            #expect(Self.row(of: target) != nil, "\(target) is in no row")
        }
    }

    @Test("Imports go down, and are declared")
    func importsGoDown() throws {
        let manifest = try #require(Self.manifest)
        for file in Self.sources {
            guard let own = Self.row(of: file.target) else { continue }
            for (line, module) in file.imports {
                guard let other = Self.row(of: module) else { continue }
                #expect(other <= own, "\(file.path):\(line): \(file.target) imports \(module), which is above it")
                #expect(
                    manifest.targets[file.target]?.contains(module) == true,
                    "\(file.path):\(line): \(module) is not a declared dependency of \(file.target)"
                )
            }
        }
    }

    @Test("What a target declares it also needs to be allowed to")
    func declarationsGoDown() throws {
        let manifest = try #require(Self.manifest)
        for (target, dependencies) in manifest.targets.sorted(by: { $0.key < $1.key }) {
            guard let own = Self.row(of: target) else { continue }
            for dependency in dependencies.sorted() {
                guard let other = Self.row(of: dependency) else { continue }
                #expect(other <= own, "Package.swift: \(target) depends on \(dependency), which is above it")
            }
        }
    }

    @Test("Foundation, NIO, Hummingbird and Glibc appear only in the outside rows, GRDB only in Metadata")
    func otherPackages() {
        for file in Self.sources {
            guard let own = Self.row(of: file.target), own < Self.outsideRow else { continue }
            for (line, module) in file.imports where Self.row(of: module) == nil {
                guard let allowed = Self.allowedBelowOutside[module] else {
                    Issue.record("\(file.path):\(line): \(file.target) must not know \(module)")
                    continue
                }
                #expect(
                    allowed.isEmpty || allowed.contains(file.target),
                    "\(file.path):\(line): \(module) is not for \(file.target)"
                )
            }
        }
    }

    @Test("Each C module is wrapped where the floor plan says, and nowhere else")
    func cModules() {
        for file in Self.sources {
            for (line, module) in file.imports {
                guard let allowed = Self.wrappers[module] else { continue }
                #expect(allowed.contains(file.target), "\(file.path):\(line): \(module) belongs to \(allowed)")
            }
        }
    }

    @Test("The real files, clock and randomness are named by the outside and by programs only")
    func linuxSystem() {
        for file in Self.sources where file.target != "LinuxSystem" {
            guard let own = Self.row(of: file.target), own < Self.outsideRow else { continue }
            #expect(!file.imports.contains { $0.module == "LinuxSystem" }, "\(file.path) imports LinuxSystem")
        }
    }

    /// What would make a run differ from its seed (DESIGN §11).
    static let undetermined = [
        "Date()", "UUID()", "ContinuousClock", "SuspendingClock", "Task.detached", "SystemRandomNumberGenerator",
        "DispatchQueue", "Thread.sleep", "Task.sleep", "randomElement()", "shuffled()", ".shuffle()",
    ]

    @Test("Time, randomness and threads of one's own are banned below the outside")
    func determinism() {
        for file in Self.sources where file.target != "LinuxSystem" {
            guard let own = Self.row(of: file.target), own < Self.outsideRow else { continue }
            for (line, text) in file.code {
                for word in Self.undetermined {
                    #expect(!text.contains(word), "\(file.path):\(line): \(word)")
                }
                // `Int.random(in:using:)` takes its generator from outside; without `using:` it does not.
                if text.contains(".random(in:") {
                    #expect(text.contains("using:"), "\(file.path):\(line): random without a generator")
                }
            }
        }
    }
}
