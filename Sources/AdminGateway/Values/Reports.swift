/// A disk that took the place of another.
package struct DiskReplacement: Codable, Hashable, Sendable {
    /// The disk that is given up.
    package var oldDisk: String
    package var newDisk: String
    package var path: String
    /// Shards to rebuild on the new disk and elsewhere.
    package var shardsToRebuild: Int
    package var bytesToRebuild: Int

    package init(oldDisk: String, newDisk: String, path: String, shardsToRebuild: Int, bytesToRebuild: Int) {
        self.oldDisk = oldDisk
        self.newDisk = newDisk
        self.path = path
        self.shardsToRebuild = shardsToRebuild
        self.bytesToRebuild = bytesToRebuild
    }
}

/// A disk that was given up.
package struct DiskRetirementReport: Codable, Hashable, Sendable {
    package var disk: String
    /// Groups in which another disk stands in its place.
    package var groupsMoved: Int
    /// Groups that have no other disk for it.
    package var groupsLeft: Int
    package var shardsToRebuild: Int

    package init(disk: String, groupsMoved: Int, groupsLeft: Int, shardsToRebuild: Int) {
        self.disk = disk
        self.groupsMoved = groupsMoved
        self.groupsLeft = groupsLeft
        self.shardsToRebuild = shardsToRebuild
    }
}

/// A user to add; what is nil is made by the store.
package struct NewUser: Codable, Hashable, Sendable {
    package var name: String
    package var accessKey: String?
    package var secretKey: String?
    /// The canonical id that owns buckets.
    package var id: String?
    package var displayName: String?
    package var email: String?

    package init(
        name: String,
        accessKey: String? = nil,
        secretKey: String? = nil,
        id: String? = nil,
        displayName: String? = nil,
        email: String? = nil
    ) {
        self.name = name
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.id = id
        self.displayName = displayName
        self.email = email
    }
}

/// A user's keys, shown once.
package struct UserKeys: Codable, Hashable, Sendable {
    package var name: String
    package var id: String
    package var accessKey: String
    package var secretKey: String

    package init(name: String, id: String, accessKey: String, secretKey: String) {
        self.name = name
        self.id = id
        self.accessKey = accessKey
        self.secretKey = secretKey
    }
}

/// A user as lists show it.
package struct UserReport: Codable, Hashable, Sendable {
    package var name: String
    package var id: String
    package var accessKey: String
    package var displayName: String?
    package var email: String?
    /// Buckets that belong to the user.
    package var buckets: Int

    package init(
        name: String,
        id: String,
        accessKey: String,
        displayName: String? = nil,
        email: String? = nil,
        buckets: Int = 0
    ) {
        self.name = name
        self.id = id
        self.accessKey = accessKey
        self.displayName = displayName
        self.email = email
        self.buckets = buckets
    }
}

/// The secrets that a restore needs: to be kept apart from the disks.
package struct RecoveryKit: Codable, Hashable, Sendable {
    /// The whole document, as it is to be stored or printed.
    package var text: String

    package init(text: String) { self.text = text }
}

/// A verification that was begun.
package struct ScrubStart: Codable, Hashable, Sendable {
    /// Whether one ran already.
    package var wasRunning: Bool
    package var shardsToVerify: Int
    package var bytesToVerify: Int

    package init(wasRunning: Bool, shardsToVerify: Int, bytesToVerify: Int) {
        self.wasRunning = wasRunning
        self.shardsToVerify = shardsToVerify
        self.bytesToVerify = bytesToVerify
    }
}

/// A token with which one node joins.
package struct NodeToken: Codable, Hashable, Sendable {
    package var text: String
    package init(text: String) { self.text = text }
}

/// A cluster that was founded.
package struct ClusterFormation: Codable, Hashable, Sendable {
    /// Of what it is made, in words.
    package var text: String
    package init(text: String) { self.text = text }
}

/// How long a token shall be valid.
struct TokenRequest: Codable {
    var seconds: Int
    /// The member that may join again with it.
    var replaces: String?
}
