import HTTPTypes
import ObjectInterface
import ObjectModel
import S3Protocol
internal import SystemInterface

/// What the handlers need of the store, made once.
struct S3Environment: Sendable {
    let objects: any ObjectService
    let credentials: any CredentialDirectory
    let time: any TimeSource
    let random: any RandomSource
    let region: String
    /// Lower case.
    let domains: [String]
    /// Served over TLS.
    let isSecure: Bool
}

/// An authenticated and authorized request on its way through its handler.
struct S3Call: Sendable {
    let environment: S3Environment
    let operation: S3Operation
    let target: RequestTarget
    /// As the client wrote it.
    let host: String
    let query: QueryParameters
    let headers: S3Headers
    let principal: Credential
    /// The bucket that the request names; nil for the service, and for a bucket that is to be made.
    let bucket: Bucket?
    let hasTrailer: Bool
    let body: VerifiedBody

    var objects: any ObjectService { environment.objects }
    var isHead: Bool { operation == .headObject }

    /// The version that the query names.
    func version() throws(S3Error) -> VersionSelector {
        Self.selector(try ObjectParameters.versionID(query))
    }

    static func selector(_ id: String?) -> VersionSelector {
        switch id {
        case nil: .current
        case "null": .null
        case let id?: .id(id)
        }
    }

    /// The upload that the query names.
    var uploadID: UploadID { UploadID(query.value("uploadId") ?? "") }

    /// Runs a call of the store; its error becomes S3's, but for a body that failed verification, whose error is told
    /// as it is.
    func store<Value>(
        _ operation: () async throws(StorageError) -> Value
    ) async throws(S3Error) -> Value {
        do throws(StorageError) {
            return try await operation()
        } catch {
            if let failure = body.failure { throw failure }
            throw S3Error(error, of: self)
        }
    }

    func displayName(of user: UserID) async -> String {
        if user == principal.user { return principal.displayName }
        return await environment.credentials.displayName(of: user) ?? ""
    }
}
