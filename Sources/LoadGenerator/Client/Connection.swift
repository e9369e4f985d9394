import Glibc

/// One blocking TCP connection with its two buffers; opened when first used and again after it broke.
///
/// Confined to one thread at a time. Nothing is allocated per byte or per request.
final class Connection {
    /// Seconds that a send or receive may block: longer than any flush of a healthy store takes.
    static let timeout = 60
    /// Bytes of each buffer: large enough that system calls do not show, small enough for a core's cache.
    static let bufferLength = 256 << 10

    private let endpoint: Endpoint
    private var descriptor: Int32 = -1
    private let output = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferLength, alignment: 4_096)
    private var outputCount = 0
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferLength, alignment: 4_096)
    private var inputStart = 0
    private var inputEnd = 0

    init(endpoint: Endpoint) { self.endpoint = endpoint }

    deinit {
        close()
        output.deallocate()
        input.deallocate()
    }

    var isOpen: Bool { descriptor >= 0 }

    func close() {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
        descriptor = -1
        (outputCount, inputStart, inputEnd) = (0, 0, 0)
    }

    /// Connects to the first address of the host that answers.
    func open() throws(ClientFailure) {
        close()
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(endpoint.host, String(endpoint.port), &hints, &list)
        guard result == 0 else { throw .notConnected("\(endpoint.host): \(String(cString: gai_strerror(result)))") }
        defer { freeaddrinfo(list) }
        var lastError: Int32 = 0
        var next = list
        while let address = next?.pointee {
            next = address.ai_next
            let candidate = socket(address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard candidate >= 0 else {
                lastError = errno
                continue
            }
            Self.configure(candidate)
            if connect(candidate, address.ai_addr, address.ai_addrlen) == 0 {
                descriptor = candidate
                return
            }
            lastError = errno
            _ = Glibc.close(candidate)
        }
        throw .notConnected("\(endpoint.authority): \(String(cString: strerror(lastError)))")
    }

    /// No delay (requests are sent whole), and time limits.
    private static func configure(_ descriptor: Int32) {
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        let length = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, length)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, length)
    }

    // MARK: Output

    /// Adds bytes to what will be sent.
    func append(_ bytes: UnsafeRawBufferPointer) throws(ClientFailure) {
        var taken = 0
        while taken < bytes.count {
            if outputCount == output.count { try flush() }
            let count = min(bytes.count - taken, output.count - outputCount)
            UnsafeMutableRawBufferPointer(rebasing: output[outputCount..<outputCount + count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[taken..<taken + count]))
            outputCount += count
            taken += count
        }
    }

    func append(_ bytes: [UInt8]) throws(ClientFailure) {
        let result: Result<Void, ClientFailure> = bytes.withUnsafeBytes { buffer in
            do throws(ClientFailure) { return .success(try append(buffer)) } catch { return .failure(error) }
        }
        try result.get()
    }

    /// Adds `count` bytes that `fill` writes in place, piece by piece: it gets the piece and its offset.
    func append(count: Int, fill: (UnsafeMutableRawBufferPointer, Int) -> Void) throws(ClientFailure) {
        var done = 0
        while done < count {
            if outputCount == output.count { try flush() }
            let piece = min(count - done, output.count - outputCount)
            fill(UnsafeMutableRawBufferPointer(rebasing: output[outputCount..<outputCount + piece]), done)
            outputCount += piece
            done += piece
        }
    }

    /// Sends all that was added.
    func flush() throws(ClientFailure) {
        var sent = 0
        while sent < outputCount {
            let bytes = UnsafeRawBufferPointer(rebasing: output[sent..<outputCount])
            let count = send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure(errno) }
            sent += count
        }
        outputCount = 0
    }

    // MARK: Input

    /// What has been received and not yet consumed.
    var received: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: input[inputStart..<inputEnd]) }

    func consume(_ count: Int) {
        inputStart += count
        if inputStart == inputEnd { (inputStart, inputEnd) = (0, 0) }
    }

    /// Waits for more bytes; false at the end of the stream.
    func receive() throws(ClientFailure) -> Bool {
        if inputStart > 0, inputEnd == input.count {
            input.copyMemory(from: received)
            (inputStart, inputEnd) = (0, inputEnd - inputStart)
        }
        guard inputEnd < input.count else { throw .badResponse("a line longer than \(input.count) bytes") }
        while true {
            let space = UnsafeMutableRawBufferPointer(rebasing: input[inputEnd...])
            let count = recv(descriptor, space.baseAddress, space.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure(errno) }
            inputEnd += count
            return count > 0
        }
    }

    private static func failure(_ number: Int32) -> ClientFailure {
        number == EAGAIN || number == EWOULDBLOCK ? .timedOut : .connectionLost(String(cString: strerror(number)))
    }
}
