/// What the head of a response says, as far as the load needs it.
struct ResponseHead {
    var status = 0
    var contentLength: Int?
    var isChunked = false
    var closes = false
    var entityTag = ""
}

/// Reads one response of HTTP/1.1 (RFC 9112) from a connection.
struct ResponseReader {
    private static let carriageReturn = UInt8(ascii: "\r")
    private static let lineFeed = UInt8(ascii: "\n")

    let connection: Connection

    /// The head of the final response; interim ones (1xx) are passed over.
    func readHead() throws(ClientFailure) -> ResponseHead {
        while true {
            let head = try readOneHead()
            if head.status >= 200 { return head }
        }
    }

    private func readOneHead() throws(ClientFailure) -> ResponseHead {
        var searched = 0
        while true {
            let bytes = connection.received
            if let end = Self.headEnd(bytes, from: searched) {
                let head = try Self.parse(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
                connection.consume(end)
                return head
            }
            searched = max(0, bytes.count - 3)
            guard try connection.receive() else { throw .connectionLost("closed before the response") }
        }
    }

    /// The index behind the empty line that ends a head.
    private static func headEnd(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var index = start
        while index + 3 < bytes.count {
            if bytes[index] == carriageReturn, bytes[index + 1] == lineFeed, bytes[index + 2] == carriageReturn,
                bytes[index + 3] == lineFeed
            {
                return index + 4
            }
            index += 1
        }
        return nil
    }

    private static func parse(_ bytes: UnsafeRawBufferPointer) throws(ClientFailure) -> ResponseHead {
        var head = ResponseHead()
        // `HTTP/1.1 200 …`
        guard bytes.count > 12, bytes.starts(with: "HTTP/1.".utf8), let status = decimal(bytes[9..<12]) else {
            throw .badResponse("no status line")
        }
        head.status = status
        head.closes = bytes[7] == UInt8(ascii: "0")
        var lineStart = (bytes.firstIndex(of: lineFeed) ?? bytes.count) + 1
        while lineStart < bytes.count {
            let lineEnd = bytes[lineStart...].firstIndex(of: carriageReturn) ?? bytes.count
            try parseField(UnsafeRawBufferPointer(rebasing: bytes[lineStart..<lineEnd]), into: &head)
            lineStart = lineEnd + 2
        }
        return head
    }

    private static func parseField(_ line: UnsafeRawBufferPointer, into head: inout ResponseHead) throws(ClientFailure)
    {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return }
        var start = colon + 1
        while start < line.count, line[start] == UInt8(ascii: " ") { start += 1 }
        let value = line[start...]
        if isName(line, colon, "content-length") {
            guard let length = decimal(value) else { throw .badResponse("a bad Content-Length") }
            head.contentLength = length
        } else if isName(line, colon, "transfer-encoding") {
            head.isChunked = true
        } else if isName(line, colon, "connection") {
            head.closes = value.count == 5 && value.first.map { $0 | 0x20 } == UInt8(ascii: "c")
        } else if isName(line, colon, "etag") {
            head.entityTag = String(decoding: value, as: UTF8.self)
        }
    }

    private static func isName(_ line: UnsafeRawBufferPointer, _ count: Int, _ name: StaticString) -> Bool {
        guard count == name.utf8CodeUnitCount else { return false }
        return (0..<count).allSatisfy { line[$0] | 0x20 == name.utf8Start[$0] | 0x20 }
    }

    private static func decimal(_ digits: Slice<UnsafeRawBufferPointer>) -> Int? {
        guard !digits.isEmpty, digits.count <= 18 else { return nil }
        var value = 0
        for digit in digits {
            guard digit >= 48, digit <= 57 else { return nil }
            value = value * 10 + Int(digit - 48)
        }
        return value
    }

    // MARK: Body

    /// Hands the body to `sink` as it comes, and leaves the connection ready for the next request, or closed.
    func readBody(_ head: ResponseHead, sink: (UnsafeRawBufferPointer) -> Void) throws(ClientFailure) {
        if head.isChunked {
            try readChunks(sink)
        } else if let length = head.contentLength {
            try read(length, sink)
        } else if head.status != 204 && head.status != 304 {
            try readToEnd(sink)
        }
        if head.closes { connection.close() }
    }

    private func read(_ length: Int, _ sink: (UnsafeRawBufferPointer) -> Void) throws(ClientFailure) {
        var left = length
        while left > 0 {
            let bytes = connection.received
            guard !bytes.isEmpty else {
                guard try connection.receive() else { throw .connectionLost("closed \(left) bytes before the end") }
                continue
            }
            let count = min(left, bytes.count)
            sink(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            connection.consume(count)
            left -= count
        }
    }

    private func readToEnd(_ sink: (UnsafeRawBufferPointer) -> Void) throws(ClientFailure) {
        repeat {
            sink(connection.received)
            connection.consume(connection.received.count)
        } while try connection.receive()
        connection.close()
    }

    private func readChunks(_ sink: (UnsafeRawBufferPointer) -> Void) throws(ClientFailure) {
        while true {
            let line = try readLine()
            guard let length = Int(line.prefix { $0 != ";" }, radix: 16), length >= 0 else {
                throw .badResponse("a bad chunk length")
            }
            guard length > 0 else { break }
            try read(length, sink)
            guard try readLine().isEmpty else { throw .badResponse("a chunk longer than it says") }
        }
        // Trailer fields, up to the empty line.
        while try !readLine().isEmpty {}
    }

    private func readLine() throws(ClientFailure) -> String {
        while true {
            let bytes = connection.received
            if let end = bytes.firstIndex(of: Self.lineFeed) {
                let line = String(decoding: bytes[..<end], as: UTF8.self)
                connection.consume(end + 1)
                return line.hasSuffix("\r") ? String(line.dropLast()) : line
            }
            guard try connection.receive() else { throw .connectionLost("closed within a chunked body") }
        }
    }
}
