import LinuxSystem

/// What a server may take of the memory that there is.
enum MemoryShare {
    /// One in so many bytes is for the requests of clients; the rest for metadata, the index of shards, and the page
    /// cache.
    private static let share = 2

    /// Bytes that all requests together may hold.
    static var ofRequests: Int { LinuxLimits.memory() / share }
}
