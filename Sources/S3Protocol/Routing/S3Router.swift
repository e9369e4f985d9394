import HTTPTypes

/// Method × target × query → operation. Nothing unknown ever becomes the plain operation of its method.
package enum S3Router {
    /// The operation, or the error that AWS gives: `MethodNotAllowed`, `NotImplemented`, `InvalidArgument`.
    package static func route(
        method: HTTPRequest.Method,
        target: RequestTarget,
        query: QueryParameters,
        hasCopySource: Bool
    ) throws(S3Error) -> S3Operation {
        do throws(S3Error) {
            return try operation(method, target, query, hasCopySource: hasCopySource)
        } catch {
            guard error.code == .methodNotAllowed else { throw error }
            var error = error
            error.allowed = methods.filter { isAllowed($0, target, query) }.map(\.rawValue)
            throw error
        }
    }

    /// All that any operation has.
    package static let methods: [HTTPRequest.Method] = [.get, .head, .put, .post, .delete]

    /// Whether a method is there for what target and query name, however the rest of the request is wrong.
    private static func isAllowed(
        _ method: HTTPRequest.Method,
        _ target: RequestTarget,
        _ query: QueryParameters
    ) -> Bool {
        do throws(S3Error) {
            _ = try operation(method, target, query, hasCopySource: false)
            return true
        } catch {
            return error.code != .methodNotAllowed && error.code != .notImplemented
        }
    }

    private static func operation(
        _ method: HTTPRequest.Method,
        _ target: RequestTarget,
        _ query: QueryParameters,
        hasCopySource: Bool
    ) throws(S3Error) -> S3Operation {
        let chosen = try subResource(of: query, method: method)
        if hasCopySource, [.get, .head, .delete].contains(method) {
            throw .invalidArgument(
                "You can only specify a copy source header for copy requests.",
                name: "x-amz-copy-source",
                value: ""
            )
        }
        if target.bucket.isEmpty { return try service(method, chosen) }
        if target.key.isEmpty { return try bucket(method, chosen, query) }
        return try object(method, chosen, query, hasCopySource: hasCopySource)
    }

    // MARK: The query

    /// The one sub-resource of a query. Refuses repeated parameters, two sub-resources, and unknown parameters where
    /// they could stand for a sub-resource: without a value always, with one when the method changes something.
    private static func subResource(
        of query: QueryParameters,
        method: HTTPRequest.Method
    ) throws(S3Error) -> SubResource? {
        guard !query.isEmpty else { return nil }
        var chosen: SubResource?
        for (index, parameter) in query.parameters.enumerated() {
            let name = parameter.name
            if let found = SubResource.named(name) {
                if let chosen {
                    throw .invalidArgument(
                        "Conflicting query string parameters: \(chosen.rawValue), \(name)",
                        name: "ResourceType",
                        value: chosen.rawValue
                    )
                }
                chosen = found
            } else if KnownParameter.contains(name) {
                guard !query.parameters[..<index].contains(where: { $0.name == name }) else {
                    throw .invalidArgument(
                        "The query string parameter \(name) was given more than once",
                        name: name,
                        value: parameter.value
                    )
                }
            } else if !KnownParameter.isExtension(name) {
                guard parameter.hasValue, method == .get || method == .head else {
                    throw S3Error(
                        .notImplemented,
                        "The query string parameter \(name) is not implemented.",
                        details: [("Parameter", name)]
                    )
                }
            }
        }
        return chosen
    }

    // MARK: Levels

    private static func service(_ method: HTTPRequest.Method, _ chosen: SubResource?) throws(S3Error) -> S3Operation {
        guard method == .get, chosen == nil else { throw notAllowed(method, "SERVICE") }
        return .listBuckets
    }

    private static func bucket(
        _ method: HTTPRequest.Method,
        _ chosen: SubResource?,
        _ query: QueryParameters
    ) throws(S3Error) -> S3Operation {
        switch (chosen, method) {
        case (nil, .get): return try list(query)
        case (nil, .head): return .headBucket
        case (nil, .put), (nil, .delete):
            try refuseKnown(in: query)
            return method == .put ? .createBucket : .deleteBucket
        case (nil, .post):
            throw S3Error(.notImplemented, "Uploads by HTML form are not implemented; use PUT.")
        case (.location, .get): return .getBucketLocation
        case (.uploads, .get): return .listMultipartUploads
        case (.versions, .get): return .listObjectVersions
        case (.delete, .post): return .deleteObjects
        case (.location, _), (.uploads, _), (.versions, _), (.delete, _):
            throw notAllowed(method, "BUCKET")
        case (.attributes, _), (.legalHold, _), (.renameObject, _), (.restore, _), (.retention, _), (.select, _),
            (.torrent, _), (.uploadId, _):
            throw notAllowed(method, "BUCKET")
        case (let unbuilt?, .get): return .getBucketSubResource(unbuilt)
        case (.acl, .put): return .putBucketACL
        case (let unbuilt?, .put), (let unbuilt?, .post), (let unbuilt?, .delete):
            throw notImplemented(unbuilt)
        default: throw notAllowed(method, "BUCKET")
        }
    }

    private static func list(_ query: QueryParameters) throws(S3Error) -> S3Operation {
        switch query.value("list-type") {
        case nil, "1": return .listObjects
        case "2": return .listObjectsV2
        case let other?:
            throw .invalidArgument("Invalid List Type specified in Request", name: "list-type", value: other)
        }
    }

    private static func object(
        _ method: HTTPRequest.Method,
        _ chosen: SubResource?,
        _ query: QueryParameters,
        hasCopySource: Bool
    ) throws(S3Error) -> S3Operation {
        switch (chosen, method) {
        case (nil, _): return try plainObject(method, query, hasCopySource: hasCopySource)
        case (.attributes, .get): return .getObjectAttributes
        case (.tagging, .get): return .getObjectTagging
        case (.tagging, .put): return .putObjectTagging
        case (.tagging, .delete): return .deleteObjectTagging
        case (.uploads, .post): return .createMultipartUpload
        case (.uploadId, _): return try uploadPart(method, query, hasCopySource: hasCopySource)
        case (.acl, .get), (.legalHold, .get), (.retention, .get): return .getObjectSubResource(chosen ?? .acl)
        case (.acl, .put): return .putObjectACL
        case (.attributes, _), (.tagging, _), (.uploads, _), (_, .head): throw notAllowed(method, "OBJECT")
        case (let unbuilt?, .get), (let unbuilt?, .put), (let unbuilt?, .post), (let unbuilt?, .delete):
            throw notImplemented(unbuilt)
        default: throw notAllowed(method, "OBJECT")
        }
    }

    private static func plainObject(
        _ method: HTTPRequest.Method,
        _ query: QueryParameters,
        hasCopySource: Bool
    ) throws(S3Error) -> S3Operation {
        switch method {
        case .get: return .getObject
        case .head: return .headObject
        case .put:
            if query.contains("partNumber") {
                throw .invalidArgument(
                    "This operation does not accept partNumber without uploadId",
                    name: "partNumber",
                    value: query.value("partNumber") ?? ""
                )
            }
            try refuseKnown(in: query)
            return hasCopySource ? .copyObject : .putObject
        case .delete:
            try refuseKnown(in: query, except: "versionId")
            return .deleteObject
        default: throw notAllowed(method, "OBJECT")
        }
    }

    private static func uploadPart(
        _ method: HTTPRequest.Method,
        _ query: QueryParameters,
        hasCopySource: Bool
    ) throws(S3Error) -> S3Operation {
        try refuse(query, "versionId")
        switch method {
        case .put:
            guard query.contains("partNumber") else { throw notAllowed(method, "UPLOAD") }
            return hasCopySource ? .uploadPartCopy : .uploadPart
        case .get: return .listParts
        case .post: return .completeMultipartUpload
        case .delete: return .abortMultipartUpload
        default: throw notAllowed(method, "UPLOAD")
        }
    }

    // MARK: Errors

    private static func refuse(_ query: QueryParameters, _ names: String...) throws(S3Error) {
        for name in names where query.contains(name) {
            throw .invalidArgument(
                "This operation does not accept the query string parameter \(name).",
                name: name,
                value: query.value(name) ?? ""
            )
        }
    }

    /// What refines lists and reads says that something else was meant than to write or to delete.
    private static func refuseKnown(in query: QueryParameters, except allowed: String? = nil) throws(S3Error) {
        for parameter in query.parameters where KnownParameter.contains(parameter.name) && parameter.name != allowed {
            try refuse(query, parameter.name)
        }
    }

    private static func notAllowed(_ method: HTTPRequest.Method, _ resource: String) -> S3Error {
        S3Error(.methodNotAllowed, details: [("Method", method.rawValue), ("ResourceType", resource)])
    }

    private static func notImplemented(_ subResource: SubResource) -> S3Error {
        S3Error(
            .notImplemented,
            "The sub-resource \(subResource.rawValue) is not implemented.",
            details: [("Parameter", subResource.rawValue)]
        )
    }
}
