/// The `CreateBucketConfiguration` document.
package enum CreateBucketBody {
    /// Checks the location of a new bucket against the region of this store; an absent document or location is fine.
    /// Throws `NotImplemented` for tags of buckets and directory-bucket settings,
    /// `IllegalLocationConstraintException` for another region.
    package static func check(_ bytes: [UInt8], region: String) throws(S3Error) {
        guard !bytes.isEmpty else { return }
        let root = try S3Body.parse(bytes) { (root) throws(XMLError) in
            guard root.name == "CreateBucketConfiguration" else { throw .unexpected }
            try root.requireChildren(["LocationConstraint", "Location", "Bucket", "Tags"])
            return (
                location: try root.onlyText("LocationConstraint"),
                others: root.children.contains {
                    $0.name != "LocationConstraint"
                }
            )
        }
        guard !root.others else {
            throw S3Error(.notImplemented, "Tags and types of buckets are not implemented.")
        }
        guard let location = root.location, !location.isEmpty else { return }
        guard location != region, location != "EU" || region != "eu-west-1" else { return }
        guard isRegion(location) else {
            throw S3Error(
                .invalidLocationConstraint,
                "The specified location-constraint is not valid",
                details: [("LocationConstraint", location)]
            )
        }
        guard location == region else {
            throw S3Error(
                .illegalLocationConstraint,
                "The \(location) location constraint is incompatible for the region specific endpoint this request was "
                    + "sent to."
            )
        }
    }

    /// Whether a text has the form of a region's name: `eu-central-1`, `us-gov-west-1`, and the old `EU`.
    private static func isRegion(_ text: String) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard text != "EU" else { return true }
        guard (3...4).contains(parts.count), let number = parts.last, Int(number) != nil else { return false }
        return parts.dropLast().allSatisfy { part in
            part.utf8.count >= 2 && part.utf8.allSatisfy { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
        }
    }
}
