internal import ByteLending
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
internal import NIOCore
import NIOHTTPTypes
import ObjectInterface
import ObjectModel
import S3Protocol
import Synchronization
internal import SystemInterface

/// Answers every request of the S3 port: Hummingbird's connection calls it directly, with no router between.
struct Responder: Sendable {
    let reader: RequestReader
    let probes: S3Probes
    let identity: ResponseIdentity
    let logger: Logger
    let logsAccess: Bool
    /// How long a copy may keep its client waiting without a byte.
    let patience: Duration

    /// Bytes of an unread body that are taken after an early answer, so that a client that sends before it reads
    /// still sees the answer; beyond it the connection is closed.
    private static let drainLimit = 8 << 20
    /// Bodies that were left unread, and are no longer, are dropped so that the connection lives on.
    private static let leftoverLimit = 64 << 10
    /// Bodies up to this size go out with their head in one write.
    private static let singleWriteLimit = 1 << 20
    /// Bodies up to this size are copied into one piece of memory: several pieces cost more.
    private static let copyLimit = 64 << 10

    @concurrent func respond(_ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel)
        async throws
    {
        if isProbe(request) {
            let response = await probes.response(to: request)
            try await write(response, isHead: request.method == .head, id: nil, writer, channel)
            return
        }
        let id = identity.nextRequestID()
        var call: S3Call?
        var response: S3Response
        do throws(S3Error) {
            let accepted = try await reader.call(for: request)
            call = accepted
            if Self.expectsContinue(request) { accepted.body.invite { try await Self.sendContinue(channel) } }
            response = try await Self.begun(try await answer(to: accepted), of: accepted)
        } catch {
            response = errorResponse(error, request, id: id)
            await explainNotModified(error, call, &response)
        }
        let closes = Self.mustClose(after: call, response, request)
        if closes { response.fields.append(HTTPField(name: .connection, value: "close")) }
        let isHead = request.method == .head
        do {
            if case .late(let pending) = response.body {
                try await write(pending, finished(response, id: id), request, id: id, writer)
            } else {
                try await write(response, isHead: isHead, id: id, writer, channel)
            }
        } catch {
            logger.debug("answer cut short", metadata: ["id": "\(id)", "error": "\(error)"])
            channel.close(promise: nil)
            throw error
        }
        if logsAccess { logAccess(request, call, response.status.code, id) }
        if closes { await Self.finishConnection(request, call, channel) }
    }

    /// A copy reads and may write terabytes before there is anything to answer.
    private func answer(to call: S3Call) async throws(S3Error) -> S3Response {
        let isCopy = call.operation == .copyObject || call.operation == .uploadPartCopy
        guard isCopy else { return try await call.perform() }
        let pending = PendingAnswer(time: call.environment.time) { () throws(S3Error) in try await call.perform() }
        if let answer = await pending.answer(within: patience) { return try answer.get() }
        var response = S3Response.xml([])
        response.body = .late(pending)
        return response
    }

    /// Below `/-/`, unless the host names a bucket: then it is one of its keys.
    private func isProbe(_ request: Request) -> Bool {
        guard let path = request.head.path, path.hasPrefix("/-/") else { return false }
        let domains = reader.environment.domains
        return RequestTarget.virtualBucket(host: request.head.authority ?? "", domains: domains) == nil
    }

    // MARK: Expect: 100-continue

    private static func expectsContinue(_ request: Request) -> Bool {
        request.headers[.expect]?.lowercased() == "100-continue"
    }

    private static func sendContinue(_ channel: any Channel) async throws {
        try await channel.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .continue)))
    }

    // MARK: Connections

    /// After an answer that left a body unread the connection cannot be used again, unless the body is short and on
    /// its way: then what is left of it is taken and dropped before the next request.
    private static func mustClose(after call: S3Call?, _ response: S3Response, _ request: Request) -> Bool {
        let fields = request.headers
        let length = fields[.contentLength].flatMap { DecimalText.value($0) } ?? 0
        guard let call else {
            // What was ambiguous ends the connection, whatever its length.
            if response.status == .badRequest || fields.contains(.transferEncoding) { return true }
            return length > leftoverLimit || (length > 0 && expectsContinue(request))
        }
        if call.operation.takesBody, call.body.isConsumed { return false }
        if fields.contains(.transferEncoding) || length > leftoverLimit { return true }
        return length > 0 && !call.body.isInvited
    }

    /// Takes a bounded amount of what the client is still sending, then closes.
    private static func finishConnection(_ request: Request, _ call: S3Call?, _ channel: any Channel) async {
        if expectsContinue(request), !(call?.body.isInvited ?? false) {
            // It was not told to go on, so there is nothing to take.
        } else if let call {
            _ = await call.body.drain(limit: drainLimit)
        } else {
            var dropped = 0
            var iterator = request.body.makeAsyncIterator()
            while dropped <= drainLimit, let piece = try? await iterator.next() { dropped += piece.readableBytes }
        }
        channel.close(promise: nil)
    }

    // MARK: Errors

    private func errorResponse(_ error: S3Error, _ request: Request, id: String) -> S3Response {
        guard error.code != .notModified else { return S3Response(status: .notModified) }
        var response = S3Response(status: HTTPResponse.Status(code: error.code.status))
        let region = error.details.first { $0.name == "Region" }.map {
            HTTPField(name: S3FieldName.bucketRegion, value: $0.value)
        }
        if request.method == .head {
            if let allow = error.allowField { response.fields.append(allow) }
            // A HEAD has no document in which to find it.
            if let region { response.fields.append(region) }
            response.fields.append(HTTPField(name: .contentType, value: "application/xml"))
            return response
        }
        let path = request.head.path ?? ""
        let resource = String(path.prefix { $0 != "?" })
        response = S3Response.xml(error.document(resource: resource, requestID: id, hostID: identity.hostID))
        response.status = HTTPResponse.Status(code: error.code.status)
        if let allow = error.allowField { response.fields.append(allow) }
        if let region { response.fields.append(region) }
        return response
    }

    /// A 304 carries the validators of the version that the client already has (RFC 9110 §15.4.5).
    private func explainNotModified(_ error: S3Error, _ call: S3Call?, _ response: inout S3Response) async {
        guard error.code == .notModified, let call, let version = try? call.version() else { return }
        let request = GetRequest(bucket: call.target.bucket, key: call.target.key, version: version, isHead: true)
        guard let found = try? await call.objects.get(request) else { return }
        response.fields.append(HTTPField(name: .eTag, value: ObjectFields.quoted(found.object.eTag)))
        response.fields.append(
            HTTPField(name: .lastModified, value: S3Date.http(found.object.modified.milliseconds))
        )
    }

    // MARK: Writing

    private func finished(_ response: S3Response, id: String?) -> HTTPResponse {
        var fields = response.fields
        identity.append(to: &fields, requestID: id)
        return HTTPResponse(status: response.status, headerFields: fields)
    }

    @concurrent private func write(
        _ response: S3Response,
        isHead: Bool,
        id: String?,
        _ writer: consuming ResponseWriter,
        _ channel: any Channel
    ) async throws {
        var head = finished(response, id: id)
        switch response.body {
        case .none:
            let mayHaveLength = response.status != .noContent && response.status != .notModified
            if mayHaveLength, !head.headerFields.contains(.contentLength) {
                head.headerFields.append(HTTPField(name: .contentLength, value: "0"))
            }
            try await writer.writeResponse(head)
        case .bytes(let bytes):
            head.headerFields.append(HTTPField(name: .contentLength, value: String(bytes.count)))
            guard !isHead else { return try await writer.writeResponse(head) }
            try await writer.write(response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
        case .pieces(let pieces, let length):
            head.headerFields.append(HTTPField(name: .contentLength, value: String(length)))
            try await write(pieces, length, head, writer, channel)
        case .object(let body):
            head.headerFields.append(HTTPField(name: .contentLength, value: String(body.length)))
            try await write(body, head, writer)
        case .late:
            // Written by `respond`: it needs the request.
            throw ShortBody()
        }
    }

    /// A document whose first line goes out before the rest is there, and white space while it is not, as AWS does:
    /// SDKs give a connection up, and ask again, when nothing comes for a minute. What fails then is told in the
    /// document.
    @concurrent private func write(
        _ pending: PendingAnswer,
        _ head: HTTPResponse,
        _ request: Request,
        id: String,
        _ writer: consuming ResponseWriter
    ) async throws {
        try await writer.write(
            response: head,
            body: ResponseBody { output in
                try await output.write(ByteBuffer(bytes: XMLWriter.prolog))
                while true {
                    if let answer = await pending.answer(within: patience) {
                        try await output.write(ByteBuffer(bytes: rest(of: answer, request, id: id)))
                        return try await output.finish(nil)
                    }
                    try Task.checkCancellation()
                    try await output.write(ByteBuffer(string: " "))
                }
            }
        )
    }

    /// What follows the first line of its document.
    private func rest(of answer: PendingAnswer.Answer, _ request: Request, id: String) -> ArraySlice<UInt8> {
        let response: S3Response
        switch answer {
        case .success(let made): response = made
        case .failure(let error): response = errorResponse(error, request, id: id)
        }
        guard case .bytes(let document) = response.body, document.starts(with: XMLWriter.prolog) else { return [] }
        return document.dropFirst(XMLWriter.prolog.count)
    }

    /// The same with the first bytes of its body read: what cannot be read is refused with a document then, and not by
    /// a connection that breaks off behind the head.
    private static func begun(_ response: S3Response, of call: S3Call) async throws(S3Error) -> S3Response {
        guard case .object(let body) = response.body else { return response }
        var response = response
        do {
            var pieces: [BufferSlice] = []
            var count = 0
            // All of a short body, which goes out with its head; else the first piece.
            let isShort = body.length <= singleWriteLimit
            while count < body.length, count == 0 || isShort, let piece = try await body.next() {
                pieces.append(piece)
                count += piece.count
            }
            if count == body.length {
                response.body = .pieces(pieces, length: count)
            } else {
                guard count > 0, !isShort else { throw ShortBody() }
                response.body = .object(BegunBody(first: pieces, rest: body))
            }
            return response
        } catch let error as StorageError {
            throw S3Error(error, of: call)
        } catch {
            throw S3Error(.internalError)
        }
    }

    @concurrent private func write(
        _ body: any ObjectBody,
        _ head: HTTPResponse,
        _ writer: consuming ResponseWriter
    ) async throws {
        try await writer.write(
            response: head,
            body: ResponseBody(contentLength: body.length) { output in
                var sent = 0
                while let piece = try await body.next() {
                    sent += piece.count
                    try await output.write(ByteBuffer(sending: piece))
                }
                guard sent == body.length else { throw ShortBody() }
                try await output.finish(nil)
            }
        )
    }

    /// A short body: its pieces go out with the head, in one system call.
    @concurrent private func write(
        _ pieces: [BufferSlice],
        _ count: Int,
        _ head: HTTPResponse,
        _ writer: consuming ResponseWriter,
        _ channel: any Channel
    ) async throws {
        if count <= Self.copyLimit {
            var buffer = channel.allocator.buffer(capacity: count)
            for piece in pieces { piece.withBytes { _ = buffer.writeBytes($0) } }
            return try await writer.write(response: head, body: ResponseBody(byteBuffer: buffer))
        }
        // Not through the writer, which flushes after the head and cannot send several pieces with it.
        channel.write(HTTPResponsePart.head(head), promise: nil)
        for piece in pieces { channel.write(HTTPResponsePart.body(ByteBuffer(sending: piece)), promise: nil) }
        try await channel.writeAndFlush(HTTPResponsePart.end(nil))
    }

    /// Method, operation, status: no query, no header, no key, for each can hold a secret or a patient's name.
    private func logAccess(_ request: Request, _ call: S3Call?, _ status: Int, _ id: String) {
        logger.info(
            "request",
            metadata: [
                "id": "\(id)", "method": "\(request.method.rawValue)",
                "operation": "\(call.map { "\($0.operation)" } ?? "refused")", "status": "\(status)",
                "user": "\(call?.principal.user.text ?? "-")", "bucket": "\(call?.target.bucket ?? "-")",
            ]
        )
    }
}

/// A body that ended before its length: the connection is closed, so that the client sees it too.
struct ShortBody: Error {}

/// A body of which the first pieces have been read.
private final class BegunBody: ObjectBody {
    private let first: Mutex<ArraySlice<BufferSlice>>
    private let rest: any ObjectBody
    let length: Int

    init(first: [BufferSlice], rest: any ObjectBody) {
        self.first = Mutex(first[...])
        self.rest = rest
        length = rest.length
    }

    func next() async throws -> BufferSlice? {
        if let piece = first.withLock({ $0.popFirst() }) { return piece }
        return try await rest.next()
    }
}
