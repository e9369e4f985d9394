package import ObjectModel
package import SystemInterface

package struct Bucket: Hashable, Sendable {
    package var name: String
    package var owner: UserID
    package var region: String
    package var created: WallTime

    package init(name: String, owner: UserID, region: String, created: WallTime) {
        self.name = name
        self.owner = owner
        self.region = region
        self.created = created
    }
}
