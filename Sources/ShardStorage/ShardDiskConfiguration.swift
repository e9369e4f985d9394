package import SystemInterface

/// How one disk is run. Nothing of it changes the format.
package struct ShardDiskConfiguration: Sendable {
    /// Planned bytes of a segment: large enough that files stay few, small enough that compaction moves little.
    package var segmentLength = 256 << 20
    /// Bytes preallocated at a time: keeps metadata updates of the file system rare.
    package var growthLength = 16 << 20
    /// Bytes of preallocated files kept back, at most a 50th of the file system, and 8 MiB of a small one.
    package var reserveLength = 64 << 20
    /// A segment with a larger dead share of its bytes is compacted.
    package var compactionThreshold = 0.4
    /// How long a superseded segment is kept before it is removed, unless room is short.
    package var quarantine: Duration = .seconds(600)
    /// How long nothing is appended to a segment until the room that was preallocated for it is given back.
    package var quietTime: Duration = .seconds(20)
    /// Files kept open for reading.
    package var openFileLimit = 512
    /// Leaf checksums kept in memory.
    package var cachedChecksumLimit = 1 << 20
    /// A disk that has been at one change for so long takes no new shards until that has ended: it hangs. Well below
    /// the time that a client's write waits for its disks.
    package var changePatience: Duration = .seconds(10)
    /// Bytes one round of the group commit takes at most, so that its first writer does not wait for all others.
    package var roundLength = 8 << 20
    /// Batches of small records from here on are written past the page cache: filling it costs more than the write.
    /// Smaller ones go through it: what was written last is read first.
    package var directBatchLength = 64 << 10
    /// Reads from here on go past the page cache the first time: what is read only once is not worth a place there,
    /// and filling it costs several times the read. From the second on they go through it. A shard of a picture of less
    /// than a MiB and a tile of a slide (256 KiB, widened to leaves) are shorter: filling the cache costs them little,
    /// and whoever looks at one of them is about to come back.
    package var directReadLength = 384 << 10
    /// First reads that are remembered.
    package var rememberedReads = 1 << 15

    /// What a simulation makes happen often.
    package var buggify = Buggify.never

    package init() {}

    /// Bodies from here on get blocks of their own and direct I/O; smaller ones are packed.
    package static let alignedBodyLength = 256 << 10
    /// Room for the trailer of a shard that is begun before it is known: some thousand frames, or a large identity
    /// block.
    package static let defaultTrailerCapacity = 12 << 10
    /// Bodies that span at least this much are punched out when erased; below it too little would come back.
    package static let punchLength = 32 << 10
}
