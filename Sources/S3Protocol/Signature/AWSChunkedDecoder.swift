import ObjectModel

/// Takes the aws-chunked framing off a body that comes in pieces of any size, and verifies it.
///
/// An incremental state machine over the caller's bytes: payload is never copied, only its ranges are reported. A
/// chunk's payload is reported as it comes and its signature checked behind it, so nothing of the body may be
/// committed before `finished`.
///
/// Proven at `finished`: every chunk's signature and the trailer's, where the mode is signed; the payload is exactly
/// as long as `x-amz-decoded-content-length` said; every announced trailer came, and no other. Lines end with CR LF;
/// a lone LF and an extra blank line are taken inside the trailer only, where common clients send them. The blank line
/// that ends a trailer may be missing where the input ends (AWS): its fields prove by themselves that they are whole.
package struct AWSChunkedDecoder: Sendable {
    package enum Step: Hashable, Sendable {
        /// These bytes of the input are payload.
        case payload(Range<Int>)
        /// The input is used up.
        case needsInput
        /// The body is complete and verified.
        case finished
    }

    package struct Trailer: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Bytes of a chunk's header line, and of a trailer line.
    package static let maximumLineLength = 1_024
    /// Lines of a trailer: S3 knows one checksum and the signature.
    package static let maximumTrailerLines = 8

    private enum State: Hashable, Sendable {
        case header
        case payload(remaining: Int)
        case payloadEnd(seen: Int)
        /// The blank line behind the last chunk of a body without trailer.
        case lastLine(seen: Int)
        case trailer
        /// Behind the end; only line ends may follow.
        case end
    }

    private let hasTrailer: Bool
    private let decodedLength: Int
    private let announced: [String]
    private var signatures: ChunkSignatures?
    private var state = State.header
    private var line: [UInt8] = []
    private var chunkSignature = ""
    private var received = 0
    private var trailerLines = 0
    private var trailerSignature: String?
    private var bytesBehindEnd = 0

    /// The trailer's fields in order, without its signature; complete at `finished`.
    package private(set) var trailers: [Trailer] = []

    /// `seed` is nil for unsigned chunks. `announced` are the lower-case names of `x-amz-trailer`.
    package init(decodedLength: Int, seed: SignatureSeed?, hasTrailer: Bool, announced: [String]) {
        self.decodedLength = decodedLength
        self.hasTrailer = hasTrailer
        self.announced = announced
        signatures = seed.map(ChunkSignatures.init)
    }

    package var isFinished: Bool { state == .end }

    /// The next step over `bytes` from `position` on, which moves behind what was used.
    package mutating func next(_ bytes: UnsafeRawBufferPointer, position: inout Int) throws(S3Error) -> Step {
        while position < bytes.count {
            switch state {
            case .payload(let remaining):
                let range = position..<position + min(remaining, bytes.count - position)
                position = range.upperBound
                signatures?.update(UnsafeRawBufferPointer(rebasing: bytes[range]))
                state = remaining == range.count ? .payloadEnd(seen: 0) : .payload(remaining: remaining - range.count)
                return .payload(range)
            case .payloadEnd(let seen):
                try requireLineEnd(bytes[position], at: seen)
                state = seen == 1 ? .header : .payloadEnd(seen: 1)
                if seen == 1 { try verifyChunk() }
            case .lastLine(let seen):
                try requireLineEnd(bytes[position], at: seen)
                state = seen == 1 ? .end : .lastLine(seen: 1)
            case .header, .trailer:
                try take(bytes[position])
            case .end:
                try takeBehindEnd(bytes[position])
            }
            position += 1
        }
        return isFinished ? .finished : .needsInput
    }

    /// The input is over: throws `IncompleteBody` unless the body is.
    package mutating func endOfInput() throws(S3Error) {
        if state == .trailer, line.isEmpty, hasAllAnnounced, signatures == nil || trailerSignature != nil {
            try finishTrailer()
        }
        guard isFinished else { throw S3Error(.incompleteBody) }
    }

    // MARK: Lines

    private mutating func take(_ byte: UInt8) throws(S3Error) {
        guard byte == UInt8(ascii: "\n") else {
            guard line.count < Self.maximumLineLength else { throw malformed("a line is too long") }
            line.append(byte)
            return
        }
        let hasReturn = line.last == UInt8(ascii: "\r")
        if hasReturn { line.removeLast() }
        defer { line.removeAll(keepingCapacity: true) }
        if state == .header {
            guard hasReturn else { throw malformed("a chunk header does not end with CR LF") }
            try chunkHeader()
        } else {
            try trailerLine()
        }
    }

    private func requireLineEnd(_ byte: UInt8, at index: Int) throws(S3Error) {
        guard byte == (index == 0 ? UInt8(ascii: "\r") : UInt8(ascii: "\n")) else {
            throw malformed("CR LF is missing behind a chunk")
        }
    }

    private mutating func takeBehindEnd(_ byte: UInt8) throws(S3Error) {
        bytesBehindEnd += 1
        guard byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n"), bytesBehindEnd <= 4 else {
            throw malformed("there are bytes behind its end")
        }
    }

    /// What AWS answers to framing that it cannot follow, and what it could not follow here.
    private func malformed(_ problem: String) -> S3Error {
        S3Error(.incompleteBody, details: [("Problem", "The aws-chunked body is malformed: \(problem).")])
    }

    private func wrongLength(_ count: Int) -> S3Error {
        S3Error(
            .incompleteBody,
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
            details: [("NumberBytesExpected", String(decodedLength)), ("NumberBytesProvided", String(count))]
        )
    }

    // MARK: Chunks

    /// `SIZE` or `SIZE;chunk-signature=SIGNATURE`.
    private mutating func chunkHeader() throws(S3Error) {
        let semicolon = line.firstIndex(of: UInt8(ascii: ";"))
        let sizeText = String(decoding: line[..<(semicolon ?? line.endIndex)], as: UTF8.self)
        guard let size64 = Hexadecimal.value(sizeText), let size = Int(exactly: size64) else {
            throw malformed("a chunk size is no hexadecimal number")
        }
        let extensions = semicolon.map { String(decoding: line[($0 + 1)...], as: UTF8.self) }
        if signatures != nil {
            guard let extensions, extensions.hasPrefix("chunk-signature=") else {
                throw malformed("a chunk has no signature")
            }
            chunkSignature = String(extensions.dropFirst("chunk-signature=".count))
            guard Self.isSignature(chunkSignature) else { throw malformed("a chunk's signature is none") }
        } else if extensions != nil {
            throw malformed("a chunk of an unsigned body has extensions")
        }
        guard size <= decodedLength - received else {
            throw wrongLength(size > Int.max - received ? .max : received + size)
        }
        received += size
        guard size == 0 else {
            state = .payload(remaining: size)
            return
        }
        guard received == decodedLength else { throw wrongLength(received) }
        try verifyChunk()
        state = hasTrailer ? .trailer : .lastLine(seen: 0)
    }

    /// What is none was not signed otherwise, but damaged on its way: framing that cannot be followed, as for AWS.
    private static func isSignature(_ text: String) -> Bool {
        Hexadecimal.bytes(text)?.count == ChunkSignatures.signatureLength
    }

    private mutating func verifyChunk() throws(S3Error) {
        guard signatures != nil else { return }
        guard signatures?.finishChunk(signature: chunkSignature) == true else {
            throw S3Error(.signatureDoesNotMatch)
        }
    }

    // MARK: Trailer

    private mutating func trailerLine() throws(S3Error) {
        trailerLines += 1
        guard trailerLines <= Self.maximumTrailerLines else { throw S3Error(.malformedTrailer) }
        guard line.isEmpty else {
            try trailerField()
            return
        }
        // One common client puts a blank line between the fields and their signature.
        if signatures != nil, trailerSignature == nil { return }
        try finishTrailer()
    }

    private mutating func trailerField() throws(S3Error) {
        guard trailerSignature == nil, let colon = line.firstIndex(of: UInt8(ascii: ":")),
            let name = String(validating: line[..<colon], as: UTF8.self)?.lowercased(),
            let text = String(validating: line[(colon + 1)...], as: UTF8.self)
        else { throw S3Error(.malformedTrailer) }
        var value = text[...]
        while value.utf8.first == 0x20 { value = value.dropFirst() }
        while value.utf8.last == 0x20 { value = value.dropLast() }
        if name == "x-amz-trailer-signature", signatures != nil {
            guard Self.isSignature(String(value)) else { throw malformed("the trailer's signature is none") }
            trailerSignature = String(value)
        } else {
            // Behind the last field that was announced there is nothing but the signature, whatever it is called.
            if signatures != nil, hasAllAnnounced { throw malformed("the trailer's signature is missing") }
            guard announced.contains(name), !trailers.contains(where: { $0.name == name }) else {
                throw S3Error(.malformedTrailer)
            }
            trailers.append(Trailer(name: name, value: String(value)))
        }
    }

    private var hasAllAnnounced: Bool {
        announced.allSatisfy { name in trailers.contains { $0.name == name } }
    }

    private mutating func finishTrailer() throws(S3Error) {
        guard hasAllAnnounced else {
            throw S3Error(.malformedTrailer, details: [("Announced", announced.joined(separator: ","))])
        }
        if signatures != nil {
            var canonical: [UInt8] = []
            for trailer in trailers { canonical.append(contentsOf: "\(trailer.name):\(trailer.value)\n".utf8) }
            guard signatures?.finishTrailer(canonical, signature: trailerSignature ?? "") == true else {
                throw S3Error(.signatureDoesNotMatch)
            }
        }
        state = .end
    }
}
