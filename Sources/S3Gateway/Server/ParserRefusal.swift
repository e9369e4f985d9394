import HTTPTypes
internal import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import S3Protocol

/// Gives what the HTTP parser refuses the answer that every refused request has: S3's XML, ids and date.
///
/// Hummingbird answers such a request, in its turn, with an empty 400, and closes the connection: this puts the
/// document in its place. Its answer is known by what every other of this server has and it lacks.
final class ParserRefusal: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let identity: ResponseIdentity
    private var problem: HTTPParserError?

    init(identity: ResponseIdentity) { self.identity = identity }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? HTTPParserError { problem = error }
        context.fireErrorCaught(error)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard let problem, case .head(let head) = unwrapOutboundIn(data), head.status.kind != .informational,
            !head.headerFields.contains(.server)
        else { return context.write(data, promise: promise) }
        let (response, document) = identity.refusal(Self.error(for: problem))
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        context.write(wrapOutboundOut(.body(document)), promise: promise)
    }

    private static func error(for problem: HTTPParserError) -> S3Error {
        switch problem {
        case .headerOverflow:
            S3Error(.requestHeaderSectionTooLarge)
        case .invalidMethod:
            methodNotKnown()
        case .invalidURL, .invalidPath, .invalidQueryString, .invalidFragment, .invalidHost, .invalidPort:
            S3Error(.invalidURI)
        default:
            S3Error(.badRequest, "An error occurred when parsing the HTTP request.")
        }
    }

    /// What the request names has not been read, so that the answer tells all methods that there are.
    private static func methodNotKnown() -> S3Error {
        var error = S3Error(.methodNotAllowed)
        error.allowed = S3Router.methods.map(\.rawValue)
        return error
    }
}

extension ResponseIdentity {
    /// The answer that ends a connection on which nothing can be asked any more: head and document.
    func refusal(_ error: S3Error) -> (HTTPResponse, ByteBuffer) {
        let id = nextRequestID()
        let document = error.document(resource: "", requestID: id, hostID: hostID)
        var response = HTTPResponse(status: HTTPResponse.Status(code: error.code.status))
        append(to: &response.headerFields, requestID: id)
        response.headerFields.append(HTTPField(name: .contentType, value: "application/xml"))
        response.headerFields.append(HTTPField(name: .contentLength, value: String(document.count)))
        response.headerFields.append(HTTPField(name: .connection, value: "close"))
        if let allow = error.allowField { response.headerFields.append(allow) }
        return (response, ByteBuffer(bytes: document))
    }
}
