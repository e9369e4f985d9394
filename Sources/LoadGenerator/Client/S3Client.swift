import Checksums
import Crypto

/// The S3 operations of the load over one connection. Confined to one thread at a time.
final class S3Client {
    /// Bytes of a chunk in trailer mode, as botocore cuts them.
    private static let chunkLength = 1 << 20

    private let connection: Connection
    private let reader: ResponseReader
    private var signer: RequestSigner
    private let bucketPath: String
    private let payload: PayloadMode
    /// Whether the current request has been answered: then it is not tried again, as its body may be half read.
    private var isAnswered = false

    init(endpoint: Endpoint, credentials: Credentials, bucket: String, payload: PayloadMode) {
        connection = Connection(endpoint: endpoint)
        reader = ResponseReader(connection: connection)
        signer = RequestSigner(credentials: credentials, host: endpoint.authority)
        bucketPath = "/" + RequestSigner.percentEncoded(bucket, keepingSlash: false)
        self.payload = payload
    }

    // MARK: Operations on objects

    /// `key` is percent-encoded, here and below.
    func put(_ key: String, _ content: ContentPattern, length: Int) throws(ClientFailure) {
        try upload(key, query: "", content, offset: 0, length: length)
    }

    /// Reads the object, or `range` of it; with `content`, every byte is compared. Returns the bytes read.
    func get(_ key: String, range: Range<Int>? = nil, expecting content: ContentPattern?) throws(ClientFailure) -> Int {
        var request = UnsignedRequest(method: "GET", path: path(key))
        let start = range?.lowerBound ?? 0
        if let range { request.plainHeaders = [("range", "bytes=\(start)-\(range.upperBound - 1)")] }
        var count = 0
        var wrong: Int?
        let head = try exchange(
            request,
            sink: { bytes in
                if let content, wrong == nil { wrong = content.firstDifference(in: bytes, at: start + count) }
                count += bytes.count
            }
        )
        guard head.status == (range == nil ? 200 : 206) else { throw .badResponse("status \(head.status)") }
        if let wrong { throw .wrongBytes(key: key, offset: wrong) }
        if let range, range.count != count { throw .wrongBytes(key: key, offset: start + min(count, range.count)) }
        return count
    }

    /// Returns the length that the server states.
    func head(_ key: String) throws(ClientFailure) -> Int {
        let head = try exchange(UnsignedRequest(method: "HEAD", path: path(key)))
        guard let length = head.contentLength else { throw .badResponse("HEAD without a Content-Length") }
        return length
    }

    func delete(_ key: String) throws(ClientFailure) {
        _ = try exchange(UnsignedRequest(method: "DELETE", path: path(key)))
    }

    // MARK: Multipart

    /// Returns the upload's id, percent-encoded.
    func createUpload(_ key: String) throws(ClientFailure) -> String {
        var request = UnsignedRequest(method: "POST", path: path(key), query: "uploads=")
        request.contentLength = 0
        var body: [UInt8] = []
        _ = try exchange(request, sink: { body += $0 })
        guard let id = ResponseText.element("UploadId", in: body) else { throw .badResponse("no UploadId") }
        return RequestSigner.percentEncoded(id, keepingSlash: false)
    }

    /// Returns the part's entity tag.
    func uploadPart(
        _ key: String,
        upload id: String,
        number: Int,
        _ content: ContentPattern,
        range: Range<Int>
    ) throws(ClientFailure) -> String {
        let query = "partNumber=\(number)&uploadId=\(id)"
        return try upload(key, query: query, content, offset: range.lowerBound, length: range.count)
    }

    /// `entityTags` are those of parts 1, 2, ….
    func completeUpload(_ key: String, upload id: String, entityTags: [String]) throws(ClientFailure) {
        var xml = "<CompleteMultipartUpload>"
        for (index, tag) in entityTags.enumerated() {
            xml += "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(tag)</ETag></Part>"
        }
        let request = UnsignedRequest(method: "POST", path: path(key), query: "uploadId=\(id)")
        var body: [UInt8] = []
        _ = try exchange(request, sending: Array((xml + "</CompleteMultipartUpload>").utf8), sink: { body += $0 })
        // A 200 may still carry an error, because the status is sent before the work is done (AWS).
        if let code = ResponseText.element("Code", in: body) { throw .refused(status: 200, code: code) }
    }

    func abortUpload(_ key: String, upload id: String) throws(ClientFailure) {
        _ = try exchange(UnsignedRequest(method: "DELETE", path: path(key), query: "uploadId=\(id)"))
    }

    // MARK: Buckets

    /// One page of ListObjectsV2. `prefix` and `token` are percent-encoded.
    func list(prefix: String, pageSize: Int, token: String?) throws(ClientFailure) -> ListPage {
        let start = token.map { "continuation-token=\($0)&" } ?? ""
        let query = "\(start)list-type=2&max-keys=\(pageSize)&prefix=\(prefix)"
        var body: [UInt8] = []
        _ = try exchange(UnsignedRequest(method: "GET", path: bucketPath, query: query), sink: { body += $0 })
        return ListPage(
            keyCount: ResponseText.count("<Key>", in: body),
            nextToken: ResponseText.element("NextContinuationToken", in: body)
                .map { RequestSigner.percentEncoded($0, keepingSlash: false) },
            bytes: body.count
        )
    }

    /// Makes the bucket; false when it was there already.
    func createBucket() throws(ClientFailure) -> Bool {
        do throws(ClientFailure) {
            _ = try exchange(UnsignedRequest(method: "HEAD", path: bucketPath))
            return false
        } catch {
            guard case .refused(404, _) = error else { throw error }
        }
        var request = UnsignedRequest(method: "PUT", path: bucketPath)
        request.contentLength = 0
        _ = try exchange(request)
        return true
    }

    func deleteBucket() throws(ClientFailure) {
        _ = try exchange(UnsignedRequest(method: "DELETE", path: bucketPath))
    }

    // MARK: Exchange

    private func path(_ key: String) -> String { "\(bucketPath)/\(key)" }

    @discardableResult
    private func upload(
        _ key: String,
        query: String,
        _ content: ContentPattern,
        offset: Int,
        length: Int
    ) throws(ClientFailure) -> String {
        var request = UnsignedRequest(method: "PUT", path: path(key), query: query)
        request.contentLength = length
        switch payload {
        case .unsigned: break
        case .signed: request.payloadHash = sha256(content, offset: offset, length: length)
        case .trailer:
            request.payloadHash = RequestSigner.trailerPayload
            request.signedHeaders = [
                ("x-amz-decoded-content-length", "\(length)"), ("x-amz-trailer", "x-amz-checksum-crc32"),
            ]
            request.plainHeaders = [("content-encoding", "aws-chunked")]
            request.contentLength = Self.framedLength(length)
        }
        let isFramed = payload == .trailer
        let head = try exchange(request) { (connection: Connection) throws(ClientFailure) in
            if isFramed {
                try Self.sendFramed(content, offset: offset, length: length, over: connection)
            } else {
                try connection.append(count: length) { content.fill($0, at: offset + $1) }
            }
        }
        return head.entityTag
    }

    /// Sends the request and takes the response; a refusal is thrown with its S3 code.
    private func exchange(
        _ request: UnsignedRequest,
        body: ((Connection) throws(ClientFailure) -> Void)? = nil,
        sink: (UnsafeRawBufferPointer) -> Void = { _ in }
    ) throws(ClientFailure) -> ResponseHead {
        // A server may close an idle connection at any time: what fails on a kept one is tried once more on a new one.
        let isKept = connection.isOpen
        do throws(ClientFailure) {
            return try attempt(request, body, sink)
        } catch .connectionLost where isKept && !isAnswered {
            return try attempt(request, body, sink)
        }
    }

    private func attempt(
        _ request: UnsignedRequest,
        _ body: ((Connection) throws(ClientFailure) -> Void)?,
        _ sink: (UnsafeRawBufferPointer) -> Void
    ) throws(ClientFailure) -> ResponseHead {
        isAnswered = false
        do throws(ClientFailure) {
            if !connection.isOpen { try connection.open() }
            try send(request, body)
            let head = try reader.readHead()
            isAnswered = true
            if request.method == "HEAD" {
                if head.closes { connection.close() }
            } else if head.status < 300 {
                try reader.readBody(head, sink: sink)
            }
            guard head.status < 300 else { throw try refusal(head, hasBody: request.method != "HEAD") }
            return head
        } catch {
            if case .refused = error { throw error }
            connection.close()
            throw error
        }
    }

    /// Sends all of the request; when the server stops reading, what it has to say about that is read all the same.
    private func send(
        _ request: UnsignedRequest,
        _ body: ((Connection) throws(ClientFailure) -> Void)?
    ) throws(ClientFailure) {
        do throws(ClientFailure) {
            try connection.append(signer.head(request))
            try body?(connection)
            try connection.flush()
        } catch {
            let head: ResponseHead
            let sendingError = error
            do throws(ClientFailure) { head = try reader.readHead() } catch { throw sendingError }
            isAnswered = true
            let refusal = try refusal(head, hasBody: true)
            connection.close()
            throw refusal
        }
    }

    private func exchange(
        _ request: UnsignedRequest,
        sending bytes: [UInt8],
        sink: (UnsafeRawBufferPointer) -> Void
    ) throws(ClientFailure) -> ResponseHead {
        var request = request
        request.contentLength = bytes.count
        request.plainHeaders.append(("content-type", "application/xml"))
        return try exchange(
            request,
            body: { (connection: Connection) throws(ClientFailure) in try connection.append(bytes) },
            sink: sink
        )
    }

    private func refusal(_ head: ResponseHead, hasBody: Bool) throws(ClientFailure) -> ClientFailure {
        var body: [UInt8] = []
        if hasBody { try reader.readBody(head) { body += $0 } }
        return .refused(status: head.status, code: ResponseText.element("Code", in: body) ?? "")
    }

    // MARK: Payload modes

    private func sha256(_ content: ContentPattern, offset: Int, length: Int) -> String {
        var hash = SHA256()
        Self.forEachPiece(content, offset: offset, length: length) { hash.update(bufferPointer: $0) }
        return RequestSigner.hexadecimal(hash.finalize())
    }

    /// Makes the content piece by piece in a small buffer.
    private static func forEachPiece(
        _ content: ContentPattern,
        offset: Int,
        length: Int,
        _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 64) { buffer in
            var done = 0
            while done < length {
                let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, length - done)])
                content.fill(piece, at: offset + done)
                body(UnsafeRawBufferPointer(piece))
                done += piece.count
            }
        }
    }

    private static func sendFramed(
        _ content: ContentPattern,
        offset: Int,
        length: Int,
        over connection: Connection
    ) throws(ClientFailure) {
        var crc: UInt32 = 0
        var done = 0
        while done < length {
            let chunk = min(chunkLength, length - done)
            let start = offset + done
            try connection.append(Array((String(chunk, radix: 16) + "\r\n").utf8))
            try connection.append(count: chunk) { buffer, place in
                content.fill(buffer, at: start + place)
                crc = CRC32.checksum(UnsafeRawBufferPointer(buffer), continuing: crc)
            }
            try connection.append(Array("\r\n".utf8))
            done += chunk
        }
        try connection.append(Array((trailer(crc)).utf8))
    }

    private static func trailer(_ crc: UInt32) -> String {
        let bytes = withUnsafeBytes(of: crc.bigEndian) { Array($0) }
        return "0\r\nx-amz-checksum-crc32:\(Base64.encode(bytes))\r\n\r\n"
    }

    /// Bytes of the framed body: what `sendFramed` sends.
    static func framedLength(_ length: Int) -> Int {
        let (whole, rest) = length.quotientAndRemainder(dividingBy: chunkLength)
        func frame(_ chunk: Int) -> Int { String(chunk, radix: 16).utf8.count + 4 + chunk }
        return whole * frame(chunkLength) + (rest > 0 ? frame(rest) : 0) + trailer(0).utf8.count
    }
}
