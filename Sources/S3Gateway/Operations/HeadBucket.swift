import HTTPTypes
import ObjectInterface
import S3Protocol

extension S3Call {
    /// `HEAD /bucket`: authorization has found it already.
    func headBucket() -> S3Response {
        var response = S3Response()
        response.fields.append(
            HTTPField(name: S3FieldName.bucketRegion, value: bucket?.region ?? environment.region)
        )
        response.fields.append(HTTPField(name: .contentType, value: "application/xml"))
        return response
    }
}
