package import ObjectModel
package import SystemInterface

package struct Bucket: Hashable, Sendable {
    package var name: String
    package var owner: UserID
    package var region: String
    package var created: WallTime
    /// The storage class of writes that name none; nil for `STANDARD`.
    package var storageClass: String?

    package init(name: String, owner: UserID, region: String, created: WallTime, storageClass: String? = nil) {
        self.name = name
        self.owner = owner
        self.region = region
        self.created = created
        self.storageClass = storageClass
    }
}
