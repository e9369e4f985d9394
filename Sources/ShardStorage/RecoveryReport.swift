package import ObjectModel

/// What was found when a disk was opened.
package struct RecoveryReport: Hashable, Sendable {
    /// Bytes that should be records and are not.
    package struct Rot: Hashable, Sendable {
        package var segment: UInt64
        package var range: Range<Int>
    }

    package var segments = 0
    /// Segments whose records were found by walking, there being no valid footer.
    package var walked = 0
    package var sealed = 0
    package var unsealed = 0
    /// Unreadable ranges before the last valid header of a segment: left as they are.
    package var rot: [Rot] = []
    /// Records in walked segments with a leaf that does not match: torn by the crash, or rotten. Not those that a
    /// tombstone kills, whose bodies may have been punched out.
    package var damaged: [ShardID] = []
    /// Files that are no readable segment of this disk: left as they are.
    package var unreadableSegments: [String] = []
    /// Files of segments that a crash left empty: removed.
    package var emptySegments = 0

    /// The highest sequence of a record or footer that was found; each one written is given a higher one.
    package var lastSequence: UInt64 = 0

    /// True when something was lost that may have been acknowledged.
    package var foundRot: Bool { !rot.isEmpty || !damaged.isEmpty || !unreadableSegments.isEmpty }
}
