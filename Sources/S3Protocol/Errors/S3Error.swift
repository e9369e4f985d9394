/// An error as an S3 client sees it: a code, a message, and details that some codes carry.
package struct S3Error: Error, Sendable, CustomStringConvertible {
    /// A further element of the error's XML, e.g. `ArgumentName`.
    package struct Detail: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package var code: S3ErrorCode
    package var message: String
    /// In the order of the document.
    package var details: [Detail]
    /// With `MethodNotAllowed`, the methods that what is named has: the answer's `Allow` (RFC 9110 §15.5.6).
    package var allowed: [String] = []

    package init(_ code: S3ErrorCode, _ message: String? = nil, details: [(String, String)] = []) {
        self.code = code
        self.message = message ?? code.message
        self.details = details.map { Detail(name: $0.0, value: $0.1) }
    }

    package var description: String { "\(code.name): \(message)" }

    /// `InvalidArgument` with the argument's name and value.
    package static func invalidArgument(_ message: String, name: String, value: String) -> Self {
        Self(.invalidArgument, message, details: [("ArgumentName", name), ("ArgumentValue", value)])
    }

    /// `NotImplemented` for a header whose meaning is not built, and so is refused rather than ignored.
    package static func notImplemented(header: String) -> Self {
        Self(.notImplemented, details: [("Header", header)])
    }

    /// The XML body. `resource` is the path as the client wrote it.
    package func document(resource: String, requestID: String, hostID: String) -> [UInt8] {
        var xml = XMLWriter(capacity: 512)
        xml.declaration()
        xml.open("Error")
        xml.element("Code", code.name)
        xml.element("Message", message)
        for detail in details { xml.dynamicElement(detail.name, detail.value) }
        xml.element("Resource", resource)
        xml.element("RequestId", requestID)
        xml.element("HostId", hostID)
        xml.close("Error")
        return xml.bytes
    }
}
