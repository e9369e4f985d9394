import Glibc

/// A plain blocking socket: what a test needs to send exactly the bytes it means to.
final class SocketClient {
    struct Failure: Error { var text: String }

    struct Response {
        var status: Int
        var headers: [(name: String, value: String)]
        var body: [UInt8]
        /// How a chunked body came.
        var chunks: [[UInt8]] = []
        var head: String

        func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
        var text: String { String(decoding: body, as: UTF8.self) }

        /// The text of the first element of that name.
        func element(_ name: String) -> String? {
            guard let start = text.firstRange(of: "<\(name)>"),
                let end = text[start.upperBound...].firstRange(of: "</\(name)>")
            else { return nil }
            return String(text[start.upperBound..<end.lowerBound])
        }

        var code: String? { element("Code") }
    }

    private let descriptor: Int32
    private var input: [UInt8] = []
    private var isAtEnd = false

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        // Less than the 75 s after which a server closes a connection that says nothing.
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(text: "connect failed: \(errno)") }
    }

    deinit { close(descriptor) }

    /// Sends what it can; a server that has closed already is no error here.
    func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Waits for the server to close; true when it did so without sending more.
    func isClosedByPeer() -> Bool {
        while fill() {}
        return isAtEnd
    }

    private func fill() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else {
            isAtEnd = count == 0 || errno == ECONNRESET
            return false
        }
        input.append(contentsOf: buffer[..<count])
        return true
    }

    /// The next response. `isHead` says that no body follows.
    func response(isHead: Bool = false) throws -> Response {
        let separator = Array("\r\n\r\n".utf8)
        var range = input.firstRange(of: separator)
        while range == nil {
            guard fill() else { throw Failure(text: "no response; so far: \(String(decoding: input, as: UTF8.self))") }
            range = input.firstRange(of: separator)
        }
        guard let end = range else { throw Failure(text: "unreachable") }
        let head = String(decoding: input[..<end.lowerBound], as: UTF8.self)
        input.removeSubrange(..<end.upperBound)
        let lines = head.split(separator: "\r\n")
        var headers: [(String, String)] = []
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers.append((parts[0].lowercased(), parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""))
        }
        let status = Int(lines[0].split(separator: " ")[1]) ?? 0
        var response = Response(status: status, headers: headers, body: [], head: head)
        let length = Int(response.header("content-length") ?? "0") ?? 0
        guard !isHead, status >= 200 else { return response }
        if response.header("transfer-encoding") == "chunked" {
            while let chunk = try chunk() { response.chunks.append(chunk) }
            response.body = response.chunks.flatMap(\.self)
            return response
        }
        while input.count < length {
            guard fill() else { throw Failure(text: "body cut short: \(input.count) of \(length)") }
        }
        response.body = Array(input[..<length])
        input.removeFirst(length)
        return response
    }

    /// The next chunk of a body; nil for the last, empty one. There are no trailers.
    private func chunk() throws -> [UInt8]? {
        let lineEnd = Array("\r\n".utf8)
        while input.firstRange(of: lineEnd) == nil { guard fill() else { throw Failure(text: "no chunk") } }
        guard let end = input.firstRange(of: lineEnd),
            let length = Int(String(decoding: input[..<end.lowerBound], as: UTF8.self), radix: 16)
        else { throw Failure(text: "no length of a chunk") }
        while input.count < end.upperBound + length + 2 { guard fill() else { throw Failure(text: "chunk cut short") } }
        let bytes = Array(input[end.upperBound..<end.upperBound + length])
        input.removeFirst(end.upperBound + length + 2)
        return length == 0 ? nil : bytes
    }
}
