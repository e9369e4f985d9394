import HTTPTypes

/// The headers of a request as S3 reads them: those that came as headers, and the `x-amz-…` query parameters that
/// presigned URLs put in their place, which the signature covers as well.
package struct S3Headers: Sendable {
    private let fields: HTTPFields
    /// By lower-case name; empty for all but a few requests.
    private let hoisted: [QueryParameters.Parameter]

    package init(fields: HTTPFields, query: QueryParameters) {
        self.fields = fields
        guard !query.isEmpty else {
            hoisted = []
            return
        }
        hoisted = query.parameters.compactMap { parameter in
            let name = parameter.name.lowercased()
            guard name.hasPrefix("x-amz-"), !PresignedQuery.isAuthentication(name), !Self.isChecksum(name) else {
                return nil
            }
            return QueryParameters.Parameter(name: name, value: parameter.value, hasValue: parameter.hasValue)
        }
    }

    /// Checksums in a query count for nothing, as with AWS: some SDKs put the digest of no bytes into presigned URLs.
    private static func isChecksum(_ name: String) -> Bool {
        name.hasPrefix("x-amz-checksum-") && name != "x-amz-checksum-mode" || name == "x-amz-sdk-checksum-algorithm"
            || name == "x-amz-trailer"
    }

    /// The value of a header by lower-case name; several are joined with commas; nil when there is none.
    package func value(_ name: String) -> String? {
        var found: String?
        for field in fields where field.name.canonicalName == name {
            found = found.map { $0 + "," + field.value } ?? field.value
        }
        if found == nil, !hoisted.isEmpty { found = hoisted.first { $0.name == name }?.value }
        return found
    }

    package func contains(_ name: String) -> Bool {
        fields.contains { $0.name.canonicalName == name } || hoisted.contains { $0.name == name }
    }

    /// Calls `body` with each header's lower-case name and value whose name begins with `prefix`.
    package func forEach(prefix: String, _ body: (String, String) throws(S3Error) -> Void) throws(S3Error) {
        for field in fields where field.name.canonicalName.hasPrefix(prefix) {
            try body(field.name.canonicalName, field.value)
        }
        for parameter in hoisted where parameter.name.hasPrefix(prefix) {
            guard !fields.contains(where: { $0.name.canonicalName == parameter.name }) else { continue }
            try body(parameter.name, parameter.value)
        }
    }
}
