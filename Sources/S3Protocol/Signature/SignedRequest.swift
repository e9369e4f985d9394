import HTTPTypes

/// What of a request SigV4 looks at, as it came.
package struct SignedRequest: Sendable {
    package var method: HTTPRequest.Method
    package var target: RequestTarget
    package var query: QueryParameters
    /// The value of the Host header.
    package var host: String
    package var fields: HTTPFields

    package init(
        method: HTTPRequest.Method,
        target: RequestTarget,
        query: QueryParameters,
        host: String,
        fields: HTTPFields
    ) {
        self.method = method
        self.target = target
        self.query = query
        self.host = host
        self.fields = fields
    }

    /// The value of a header of that lower-case name; several are joined with commas. nil when there is none.
    func header(_ name: String) -> String? {
        var found: String?
        for field in fields where field.name.canonicalName == name {
            found = found.map { $0 + "," + field.value } ?? field.value
        }
        return found
    }
}
