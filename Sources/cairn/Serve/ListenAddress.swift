import Foundation

/// ADDRESS:PORT as an operator writes it; an IPv6 address in brackets.
struct ListenAddress: Sendable {
    var host: String
    /// 0 lets the system choose.
    var port: Int

    /// As it stands in a URL.
    var text: String { "\(urlHost):\(port)" }
    var urlHost: String { host.contains(":") ? "[\(host)]" : host }

    init(_ text: String, option: String) throws {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port), colon > text.startIndex
        else { throw ServeError("\(option) \(text): give ADDRESS:PORT, with a port up to 65535") }
        host = text[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        self.port = port
    }
}
