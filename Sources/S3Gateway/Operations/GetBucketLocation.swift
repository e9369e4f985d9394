import ObjectInterface
import S3Protocol

extension S3Call {
    /// `GET /bucket?location`; us-east-1 is the empty location.
    func getBucketLocation() -> S3Response {
        let region = bucket?.region ?? environment.region
        var xml = XMLWriter(capacity: 192)
        xml.openRoot("LocationConstraint")
        if region != "us-east-1" { xml.text(region) }
        xml.close("LocationConstraint")
        return .xml(xml.bytes)
    }
}
