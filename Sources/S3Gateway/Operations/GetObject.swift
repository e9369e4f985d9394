import HTTPTypes
import ObjectInterface
import ObjectModel
import S3Protocol
internal import SystemInterface

extension S3Call {
    /// `GET` and `HEAD` of an object: whole, a range, or a part.
    func getObject() async throws(S3Error) -> S3Response {
        let overrides = try ResponseOverrides.read(query)
        let request = try getRequest()
        let result = try await read(request)
        let object = result.object
        var response = S3Response(status: result.isPartial ? .partialContent : .ok)
        ObjectFields.append(object, to: &response.fields)
        ObjectFields.append(request.version, to: &response.fields)
        for (name, value) in overrides { response.fields[name] = value }
        if result.isPartial {
            let range = "bytes \(result.range.lowerBound)-\(result.range.upperBound - 1)/\(object.length)"
            response.fields.append(HTTPField(name: .contentRange, value: range))
        }
        if request.partNumber != nil, !object.parts.isEmpty {
            response.fields.append(HTTPField(name: S3FieldName.partsCount, value: String(object.parts.count)))
        }
        if ChecksumHeaders.isModeEnabled(headers) {
            ObjectFields.append(checksum(of: result, request), to: &response.fields)
        }
        if let body = result.body {
            response.body = .object(body)
        } else {
            response.fields.append(HTTPField(name: .contentLength, value: String(result.range.count)))
        }
        return response
    }

    private func getRequest() throws(S3Error) -> GetRequest {
        if query.contains("partNumber"), headers.contains("range") {
            throw S3Error(
                .invalidRequest,
                "Cannot specify both Range header and partNumber query parameter"
            )
        }
        let partNumber = try ObjectParameters.readPartNumber(query)
        let range = headers.value("range").flatMap { RangeHeader($0) }
        return GetRequest(
            bucket: target.bucket,
            key: target.key,
            version: try version(),
            range: range.map(ByteRange.init),
            rangeCondition: headers.value("if-range").map { RangeCondition(RangeValidator($0)) },
            partNumber: partNumber,
            conditions: readConditions(),
            isHead: isHead
        )
    }

    private func read(_ request: GetRequest) async throws(S3Error) -> GetResult {
        do throws(S3Error) {
            return try await store { () throws(StorageError) in try await objects.get(request) }
        } catch {
            guard error.code == .invalidRange, let text = headers.value("range") else { throw error }
            var detailed = error
            detailed.details.append(S3Error.Detail(name: "RangeRequested", value: text))
            let whole = GetRequest(bucket: request.bucket, key: request.key, version: request.version, isHead: true)
            if let found = try? await objects.get(whole) {
                detailed.details.append(
                    S3Error.Detail(name: "ActualObjectSize", value: String(found.object.length))
                )
            }
            throw detailed
        }
    }

    /// The checksum of what is sent: the object's for all of it, a part's for a part, none for any other range.
    private func checksum(of result: GetResult, _ request: GetRequest) -> ObjectChecksum? {
        if let number = request.partNumber, result.object.parts.indices.contains(number - 1) {
            var checksum = result.object.parts[number - 1].checksum
            // The type says how the object's was made of its parts' (AWS).
            if let kind = result.object.checksum?.kind { checksum?.kind = kind }
            return checksum
        }
        return result.range == 0..<result.object.length ? result.object.checksum : nil
    }
}

extension ByteRange {
    init(_ header: RangeHeader) {
        switch header {
        case .closed(let first, let last): self = .closed(first, last)
        case .from(let first): self = .from(first)
        case .suffix(let count): self = .suffix(count)
        }
    }
}

extension RangeCondition {
    init(_ validator: RangeValidator) {
        switch validator {
        case .eTag(let tag): self = .eTag(tag)
        case .date(let time): self = .modified(WallTime(milliseconds: time))
        case .none: self = .never
        }
    }
}

extension S3Call {
    /// The conditions that the headers state, those of a copy's source with their prefix.
    func readConditions(prefix: String = "") -> ReadConditions {
        ReadConditions(ConditionHeaders(headers, prefix: prefix, now: environment.time.wall.milliseconds))
    }
}

extension ReadConditions {
    init(_ headers: ConditionHeaders) {
        self.init(
            ifMatch: headers.ifMatch,
            ifNoneMatch: headers.ifNoneMatch,
            ifModifiedSince: headers.ifModifiedSince.map { WallTime(milliseconds: $0) },
            ifUnmodifiedSince: headers.ifUnmodifiedSince.map { WallTime(milliseconds: $0) }
        )
    }
}
