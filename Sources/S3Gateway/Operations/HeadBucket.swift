import HTTPTypes
import ObjectInterface
import S3Protocol

extension S3Call {
    /// `HEAD /bucket`: authorization has found it already.
    func headBucket() -> S3Response {
        var response = inRegion(S3Response())
        response.fields.append(HTTPField(name: .contentType, value: "application/xml"))
        return response
    }

    /// Says where the bucket is.
    func inRegion(_ response: S3Response) -> S3Response {
        var response = response
        response.fields.append(
            HTTPField(name: S3FieldName.bucketRegion, value: bucket?.region ?? environment.region)
        )
        return response
    }
}
