import Foundation
import Glibc
import Synchronization

/// An S3 service in memory on a free port: just enough HTTP for the load generator, and faults on request.
final class TinyStore: Sendable {
    enum Fault: Sendable {
        case none, flippedByte, refusal, closing
    }

    private struct State {
        var objects: [String: [UInt8]] = [:]
        var uploads = 0
    }

    private let state = Mutex(State())
    private let listener: Int32
    private let fault: Fault
    let port: UInt16

    init(fault: Fault = .none) throws {
        self.fault = fault
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (listener, size) = (listener, length)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard bound else { throw POSIXError(.EADDRNOTAVAIL) }
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { return }
                Thread.detachNewThread { [self] in serve(descriptor) }
            }
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    var keys: [String] { state.withLock { $0.objects.keys.sorted() } }

    private func serve(_ descriptor: Int32) {
        defer { close(descriptor) }
        var input: [UInt8] = []
        while let end = fill(&input, descriptor, until: { $0.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound }) {
            let lines = String(decoding: input[..<end], as: UTF8.self).components(separatedBy: "\r\n")
            let length = lines.first { $0.hasPrefix("content-length: ") }.flatMap { Int($0.dropFirst(16)) } ?? 0
            guard fill(&input, descriptor, until: { $0.count >= end + length ? 0 : nil }) != nil else { return }
            var body = Array(input[end..<end + length])
            input.removeFirst(end + length)
            if lines.contains(where: { $0.hasPrefix("x-amz-content-sha256:STREAMING") }) { body = Self.unframed(body) }
            let words = lines[0].split(separator: " ").map(String.init)
            let answer = respond(words[0], words[1], lines, body)
            _ = answer.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if fault == .closing { return }
        }
    }

    private func fill(_ input: inout [UInt8], _ descriptor: Int32, until: ([UInt8]) -> Int?) -> Int? {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            if let found = until(input) { return found }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            input += buffer[..<count]
        }
    }

    /// Takes aws-chunked framing off, which must be exact.
    private static func unframed(_ body: [UInt8]) -> [UInt8] {
        var rest = body[...]
        var result: [UInt8] = []
        while let line = rest.firstRange(of: Array("\r\n".utf8)),
            let count = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16), count > 0
        {
            result += rest[line.upperBound..<line.upperBound + count]
            rest = rest[(line.upperBound + count + 2)...]
        }
        return result
    }

    private func respond(_ method: String, _ target: String, _ lines: [String], _ body: [UInt8]) -> [UInt8] {
        guard lines.contains(where: { $0.hasPrefix("authorization: AWS4-HMAC-SHA256 Credential=AK/") }) else {
            return Self.response(403, "<Error><Code>AccessDenied</Code></Error>")
        }
        let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
        let (path, query) = (parts[0], parts.count > 1 ? parts[1] : "")
        let isBucket = path.split(separator: "/").count == 1
        if fault == .refusal, !isBucket { return Self.response(503, "<Error><Code>SlowDown</Code></Error>") }
        return state.withLock { state in
            switch method {
            case "PUT" where isBucket: return Self.response(200, "")
            case "PUT":
                let part = query.split(separator: "&").first.map { $0.dropFirst("partNumber=".count) }
                state.objects[part.map { "\(path)#\(10_000 + (Int($0) ?? 0))" } ?? path] = body
                return Self.response(200, "", fields: "ETag: \"t\"\r\n")
            case "POST" where query == "uploads=":
                state.uploads += 1
                return Self.response(200, "<R><UploadId>a+b</UploadId></R>", isChunked: true)
            case "POST":
                let names = state.objects.keys.filter { $0.hasPrefix(path + "#") }.sorted()
                state.objects[path] = names.flatMap { state.objects[$0] ?? [] }
                for name in names { state.objects[name] = nil }
                return Self.response(200, "<R><ETag>t</ETag></R>")
            case "DELETE":
                state.objects[path] = nil
                return Self.response(204, nil)
            case "GET" where isBucket: return Self.list(state.objects.keys.sorted(), query)
            case "HEAD" where isBucket: return Self.response(200, nil, fields: "Content-Length: 0\r\n")
            default: return object(state.objects[path], method, lines)
            }
        }
    }

    private func object(_ stored: [UInt8]?, _ method: String, _ lines: [String]) -> [UInt8] {
        guard var bytes = stored else { return Self.response(404, "<Error><Code>NoSuchKey</Code></Error>") }
        if method == "HEAD" { return Self.response(200, nil, fields: "content-length: \(bytes.count)\r\n") }
        if fault == .flippedByte { bytes[bytes.count / 2] ^= 1 }
        guard let range = lines.first(where: { $0.hasPrefix("range: bytes=") })?.dropFirst(13) else {
            return Self.head(200, "Content-Length: \(bytes.count)\r\n") + bytes
        }
        let bounds = range.split(separator: "-").compactMap { Int($0) }
        let part = bytes[bounds[0]...bounds[1]]
        return Self.head(206, "Content-Length: \(part.count)\r\n") + part
    }

    private static func list(_ keys: [String], _ query: String) -> [UInt8] {
        var items: [Substring: Int] = [:]
        for item in query.split(separator: "&") {
            let sides = item.split(separator: "=")
            items[sides[0]] = sides.last.flatMap { Int($0) }
        }
        let start = items["continuation-token"] ?? 0
        let end = min(keys.count, start + (items["max-keys"] ?? 1_000))
        let more = end < keys.count ? "<NextContinuationToken>\(end)</NextContinuationToken>" : ""
        let page = keys[start..<end].map { "<Key>\($0)</Key>" }.joined()
        return response(200, "<R>\(page)\(more)</R>", isChunked: true)
    }

    private static func head(_ status: Int, _ fields: String) -> [UInt8] {
        Array("HTTP/1.1 \(status) X\r\n\(fields)\r\n".utf8)
    }

    private static func response(_ status: Int, _ text: String?, fields: String = "", isChunked: Bool = false)
        -> [UInt8]
    {
        guard let text else { return head(status, fields) }
        guard isChunked else { return head(status, fields + "Content-Length: \(text.utf8.count)\r\n") + text.utf8 }
        let half = text.utf8.count / 2
        let chunks = [text.utf8.prefix(half), text.utf8.dropFirst(half)].map { String(Substring($0)) }
        let body =
            chunks.map { "\(String($0.utf8.count, radix: 16));x=y\r\n\($0)\r\n" }.joined() + "0\r\nTrailer: z\r\n\r\n"
        return head(status, fields + "Transfer-Encoding: chunked\r\n") + body.utf8
    }
}
