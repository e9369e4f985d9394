// swift-tools-version: 6.2
import PackageDescription

// One settings constant for every Swift target.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// A library target of the house; the floor plan is in Docs/Architecture.md, and `ImportDirectionTests` holds it.
func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// The compiler (6.3.1) crashes on some optimized test when the thread sanitizer watches it (`make test-thread`): then
/// the tests themselves, and only they, are not optimized. Elsewhere they are: without it they compare arrays of bytes
/// a hundred times slower.
let testSettings: [SwiftSetting] =
    Context.environment["CAIRN_SANITIZED"] == nil ? settings : settings + [.unsafeFlags(["-Onone"])]

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: testSettings)
}

let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let logsInMemory = Target.Dependency.product(name: "InMemoryLogging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

let package = Package(
    name: "cairn",
    products: [
        .executable(name: "cairn", targets: ["cairn"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // MARK: C
        .systemLibrary(name: "CISAL", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
        .target(name: "CDigests"),
        .target(name: "CLinux"),

        // MARK: Values and codecs, pure
        library("ObjectModel"),
        library("Checksums", ["CISAL", "CXXHash", "COpenSSL", "CDigests"]),
        library("ErasureCoding", ["CISAL", "ObjectModel"]),
        library("FrameCoding", ["CLZ4", "ObjectModel"]),
        library("DiskFormat", ["ObjectModel", "Checksums"]),
        library("Placement", ["ObjectModel"]),
        library("ClusterProtocol", ["ObjectModel", "DiskFormat"]),
        library("S3Protocol", ["Checksums", "ObjectModel", httpTypes, crypto]),

        // MARK: Seams
        library("SystemInterface"),
        library("LinuxSystem", ["SystemInterface", "CLinux"]),
        library("ObjectInterface", ["ObjectModel", "SystemInterface"]),

        // MARK: Engine
        library("ShardStorage", ["ObjectModel", "Checksums", "DiskFormat", "SystemInterface"]),
        library("JournalStorage", ["ObjectModel", "Checksums", "ClusterProtocol", "DiskFormat", "SystemInterface"]),
        library(
            "StorageNode",
            ["ShardStorage", "JournalStorage", "ClusterProtocol", "DiskFormat", "ObjectModel", "SystemInterface"]
        ),
        library(
            "BlobStorage",
            [
                "ObjectModel", "Checksums", "ErasureCoding", "FrameCoding", "DiskFormat", "Placement",
                "ClusterProtocol",
                "SystemInterface",
            ]
        ),
        library(
            "Metadata",
            [
                "ObjectModel", "ObjectInterface", "DiskFormat", "Placement", "SystemInterface", "Checksums",
                "ClusterProtocol", grdb, sqlite,
            ]
        ),
        library(
            "ObjectStorage",
            [
                "ObjectModel", "ObjectInterface", "Checksums", "FrameCoding", "DiskFormat", "Placement", "BlobStorage",
                "Metadata", "SystemInterface",
            ]
        ),
        library(
            "Coordination",
            [
                "ObjectModel", "ObjectInterface", "DiskFormat", "Checksums", "Placement", "ClusterProtocol",
                "ShardStorage",
                "JournalStorage", "StorageNode", "BlobStorage", "Metadata", "ObjectStorage", "SystemInterface",
            ]
        ),
        library(
            "Recovery",
            [
                "ObjectModel", "ObjectInterface", "DiskFormat", "ErasureCoding", "FrameCoding", "Checksums", "Metadata",
                "ShardStorage", "JournalStorage", "StorageNode", "ClusterProtocol", "Placement", "BlobStorage",
                "ObjectStorage", "Coordination", "SystemInterface",
            ]
        ),

        // MARK: Outside
        library(
            "S3Gateway",
            [
                "S3Protocol", "ObjectInterface", "ObjectModel", "Checksums", "SystemInterface", "ByteLending",
                httpTypes,
                hummingbird,
                hummingbirdTLS, nioCore, nioPosix, nioHTTP1, nioSSL, logging, crypto,
            ]
        ),
        // The engine's buffers on their way to a socket, without a copy.
        library("ByteLending", ["SystemInterface", nioCore]),
        // Calls between the processes of a cluster, over TLS that both ends prove themselves on.
        library(
            "ClusterTransport",
            ["SystemInterface", "ByteLending", nioCore, nioPosix, nioSSL, nioTLS, logging, crypto, x509, asn1]
        ),
        library("AdminGateway", [nioCore, nioPosix, nioHTTP1, logging, lifecycle, arguments]),
        library("LoadGenerator", ["Checksums", crypto, arguments]),

        // MARK: Programs
        .executableTarget(
            name: "cairn",
            dependencies: [
                "S3Gateway", "AdminGateway", "ClusterTransport", "LoadGenerator", "Recovery", "Coordination",
                "ObjectStorage",
                "BlobStorage",
                "StorageNode", "ShardStorage", "JournalStorage", "Metadata", "ErasureCoding", "Placement", "DiskFormat",
                "ClusterProtocol", "Checksums", "ObjectInterface", "ObjectModel", "LinuxSystem", "SystemInterface",
                arguments,
                logging, crypto, lifecycle, signals, nioCore,
            ],
            swiftSettings: settings
        ),
        // Simulated disks, transport and time, and the executor that runs everything from one seed (DESIGN §11).
        library(
            "Simulation",
            [
                "ObjectStorage", "Coordination", "Recovery", "StorageNode", "ShardStorage", "JournalStorage",
                "BlobStorage", "Metadata", "ObjectInterface", "Placement", "ClusterProtocol", "DiskFormat", "Checksums",
                "ObjectModel", "SystemInterface", "TestKit",
            ]
        ),
        .executableTarget(
            name: "simulator",
            dependencies: ["Simulation", "SystemInterface", arguments],
            swiftSettings: settings
        ),
        // What tests share: temporary folders, seeded generators, in-memory files.
        library("TestKit", ["SystemInterface", "LinuxSystem", "ObjectModel"]),

        // What the decoders promise for any bytes: the bodies of the fuzzers, and of a test over the inputs they kept.
        library(
            "FuzzTargets",
            [
                "Recovery", "Metadata", "JournalStorage", "ObjectInterface", "S3Protocol", "ClusterProtocol",
                "DiskFormat", "FrameCoding", "Checksums", "ObjectModel", "SystemInterface", "TestKit", httpTypes,
                crypto,
            ]
        ),

        // MARK: Tests
        tests("FuzzTests", ["FuzzTargets", "TestKit"]),
        tests("ObjectModelTests", ["ObjectModel", "TestKit"]),
        tests("ChecksumsTests", ["Checksums", "ObjectModel", "TestKit"]),
        tests("ErasureCodingTests", ["ErasureCoding", "ObjectModel", "TestKit"]),
        tests("FrameCodingTests", ["FrameCoding", "ObjectModel", "TestKit"]),
        tests("DiskFormatTests", ["DiskFormat", "ObjectModel", "Checksums", "TestKit"], resources: [.copy("Golden")]),
        tests("PlacementTests", ["Placement", "ObjectModel", "TestKit"]),
        tests("ClusterProtocolTests", ["ClusterProtocol", "DiskFormat", "ObjectModel", "TestKit"]),
        tests("S3ProtocolTests", ["S3Protocol", "Checksums", "ObjectModel", "TestKit", httpTypes, crypto]),
        tests("LinuxSystemTests", ["LinuxSystem", "CLinux", "SystemInterface", "TestKit"]),
        tests(
            "ShardStorageTests",
            [
                "ShardStorage", "DiskFormat", "ObjectModel", "Checksums", "SystemInterface", "LinuxSystem", "TestKit",
            ]
        ),
        tests(
            "JournalStorageTests",
            [
                "JournalStorage", "Coordination", "ClusterProtocol", "DiskFormat", "ObjectModel", "Checksums",
                "SystemInterface",
                "LinuxSystem", "TestKit",
            ]
        ),
        tests(
            "BlobStorageTests",
            [
                "BlobStorage", "StorageNode", "ShardStorage", "JournalStorage", "ClusterProtocol", "ErasureCoding",
                "FrameCoding",
                "DiskFormat", "Placement", "ObjectModel", "Checksums", "SystemInterface", "LinuxSystem", "TestKit",
            ]
        ),
        tests(
            "MetadataTests",
            [
                "Metadata", "ObjectInterface", "ObjectModel", "DiskFormat", "Placement", "SystemInterface", "Checksums",
                "ClusterProtocol", "TestKit", sqlite,
            ]
        ),
        tests(
            "EngineTests",
            [
                "ObjectStorage", "Coordination", "Recovery", "StorageNode", "ShardStorage", "JournalStorage",
                "BlobStorage",
                "Metadata", "ObjectInterface", "Placement", "ClusterProtocol", "DiskFormat", "Checksums",
                "ErasureCoding",
                "FrameCoding", "ObjectModel", "SystemInterface", "LinuxSystem", "Simulation", "TestKit",
            ]
        ),
        tests(
            "S3GatewayTests",
            [
                "S3Gateway", "S3Protocol", "ByteLending", "ObjectInterface", "ObjectModel", "SystemInterface",
                "LinuxSystem",
                "Checksums", "TestKit", logging, logsInMemory,
            ]
        ),
        tests(
            "ClusterTransportTests",
            [
                "ClusterTransport", "SystemInterface", "LinuxSystem", "TestKit", nioCore, nioPosix, nioSSL, logging,
                logsInMemory, crypto, x509, asn1,
            ]
        ),
        tests("AdminGatewayTests", ["AdminGateway", arguments, logging]),
        tests("LoadGeneratorTests", ["LoadGenerator", arguments]),
        // The whole program as its users see it: real processes, real clients, the simulator, the house rules.
        tests("SystemTests", ["TestKit"]),
    ],
    swiftLanguageModes: [.v6]
)

// The fuzzers are built by `make fuzz` only, which has every target instrumented (Docs/Testing.md).
if Context.environment["CAIRN_FUZZERS"] != nil {
    package.targets += [
        .systemLibrary(name: "CFuzzer"),
        .executableTarget(
            name: "fuzzer",
            dependencies: ["FuzzTargets", "LinuxSystem", "CFuzzer"],
            swiftSettings: settings
        ),
    ]
}
