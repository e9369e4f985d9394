/// Where the S3 service listens: `http://host:port`. Plain HTTP only, so that what is measured is the store.
package struct Endpoint: Hashable, Sendable {
    package var host: String
    package var port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `http://host[:port]` or `host[:port]`, an IPv6 address in brackets; nil for anything else.
    package init?(text: String) {
        var rest = text[...]
        if rest.hasPrefix("http://") { rest = rest.dropFirst("http://".count) }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard !rest.contains("/") else { return nil }
        var port = "80"[...]
        let afterAddress = rest.lastIndex(of: "]").map(rest.index(after:)) ?? rest.startIndex
        if let colon = rest[afterAddress...].lastIndex(of: ":") {
            port = rest[rest.index(after: colon)...]
            rest = rest[..<colon]
        }
        if rest.hasPrefix("["), rest.hasSuffix("]") { rest = rest.dropFirst().dropLast() }
        guard let number = UInt16(port), number > 0, !rest.isEmpty else { return nil }
        self.init(host: String(rest), port: number)
    }

    /// The value of the `Host` header.
    package var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
