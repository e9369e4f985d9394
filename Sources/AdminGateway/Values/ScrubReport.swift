/// How the scrub is: every byte read within `days`, every stripe coded again within `codingDays`.
package struct ScrubReport: Codable, Hashable, Sendable {
    /// One disk.
    package struct Disk: Codable, Hashable, Sendable {
        /// `SITE/NODE/SLOT`.
        package var place: String
        package var id: String
        /// Seconds since the bytes were read that have not been read for longest.
        package var oldestUnverified: Int
        /// Whether a pass is under way, and how far it is.
        package var active: Bool
        /// Somebody asked for that pass.
        @Added package var asked: Bool
        package var bytesDone: Int
        package var bytes: Int
        /// Bytes a second that it is slowed to; nil while it is not.
        package var rate: Int?
        package var paused: Bool
        /// A pass is under way and the disk does not answer.
        package var waiting: Bool
        /// Of the pass under way.
        package var badShards: Int
        /// Of the bad ones, those that the disk does not have at all; the others are damaged.
        @Added package var absentShards: Int
        package var unreadShards: Int
        /// Seconds since 1970; nil when no pass has ended.
        package var lastPass: Int?

        package init(
            place: String,
            id: String,
            oldestUnverified: Int,
            active: Bool = false,
            asked: Bool = false,
            bytesDone: Int = 0,
            bytes: Int = 0,
            rate: Int? = nil,
            paused: Bool = false,
            waiting: Bool = false,
            badShards: Int = 0,
            absentShards: Int = 0,
            unreadShards: Int = 0,
            lastPass: Int? = nil
        ) {
            self.place = place
            self.id = id
            self.oldestUnverified = oldestUnverified
            self.active = active
            self.asked = asked
            self.bytesDone = bytesDone
            self.bytes = bytes
            self.rate = rate
            self.paused = paused
            self.waiting = waiting
            self.badShards = badShards
            self.absentShards = absentShards
            self.unreadShards = unreadShards
            self.lastPass = lastPass
        }
    }

    /// A bucket that was read because somebody asked for it.
    package struct Bucket: Codable, Hashable, Sendable {
        package var name: String
        package var active: Bool
        package var objects: Int
        package var shards: Int
        package var badShards: Int
        /// Of the bad ones, those that the disk does not have at all; the others are damaged.
        @Added package var absentShards: Int
        package var unreadShards: Int

        package init(
            name: String,
            active: Bool,
            objects: Int,
            shards: Int,
            badShards: Int,
            absentShards: Int = 0,
            unreadShards: Int
        ) {
            self.name = name
            self.active = active
            self.objects = objects
            self.shards = shards
            self.badShards = badShards
            self.absentShards = absentShards
            self.unreadShards = unreadShards
        }
    }

    package var paused = false
    package var days = 14
    package var codingDays = 90
    /// Seconds, of all disks.
    package var oldestUnverified = 0
    /// Seconds since the stripes were coded again for which that is longest ago.
    package var oldestUncoded = 0
    /// Seconds since 1970, when the last pass over all stripes ended; nil when none has.
    package var lastCoding: Int?
    /// Whether stripes are being coded again, and how far that is, in bytes of all shards.
    package var codingActive = false
    package var codingBytesDone = 0
    package var codingBytes = 0
    /// Objects of blobs whose bytes are not those that came in, as `BUCKET/KEY`.
    package var damagedObjects: [String] = []
    /// Why the position is not kept; empty when it is.
    package var problem = ""
    package var disks: [Disk] = []
    package var bucket: Bucket?

    package init() {}
}

/// On what an operator's word on the scrub bears; nothing given is everything.
package struct ScrubTarget: Codable, Hashable, Sendable {
    /// As for `AdminService.replaceDisk`.
    package var disk: String?
    package var node: String?
    package var bucket: String?

    package init(disk: String? = nil, node: String? = nil, bucket: String? = nil) {
        self.disk = disk
        self.node = node
        self.bucket = bucket
    }

    package var isEverything: Bool { disk == nil && node == nil && bucket == nil }
}

/// What a word on the scrub came to.
package struct ScrubAnswer: Codable, Hashable, Sendable {
    /// In words, for the operator.
    package var text: String
    package init(text: String) { self.text = text }
}
