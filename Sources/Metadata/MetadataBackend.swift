internal import ObjectInterface

/// What runs in a transaction or a read, wherever the backend runs it.
typealias MetadataBody<Value> = @Sendable (any MetadataTables) throws(MetadataError) -> Value

/// Where rows are kept: transactions and reads. One writer at a time; the store serializes them.
protocol MetadataBackend: Sendable {
    /// Runs `body` on one moment of the committed rows. Several at once.
    func read<Value: Sendable>(_ body: @escaping MetadataBody<Value>) async throws(MetadataError) -> Value
    /// Opens a transaction and runs `body` in it. It stays open when `body` returns; it is rolled back when it throws.
    func begin<Value: Sendable>(_ body: @escaping MetadataBody<Value>) async throws(MetadataError) -> Value
    /// Makes the open transaction visible, all at once.
    func commit() async throws(MetadataError)
    func rollback() async throws(MetadataError)
    /// What was committed before is on stable storage when this returns. Not while a transaction is open.
    func makeDurable() async throws(MetadataError)
    /// Committed rows as of now, however long it is kept.
    func snapshot() async throws(MetadataError) -> any BackendSnapshot
    /// Why rows should not be added just now; nil while there is room for them. Costs next to nothing.
    var shortage: StorageError? { get }
    /// Looks at the room again, and makes some from what is set aside for that.
    func lookAtRoom() async
    /// Whether the file of the rows is no longer where it was opened, or another is there. Costs little.
    func isFileGone() async -> Bool
    /// Whether the file as a whole is no database any more. To be asked after something in it was found damaged.
    func isFileBroken() async -> Bool
}

extension MetadataBackend {
    /// For rows that take no room of a file system.
    var shortage: StorageError? { nil }
    func lookAtRoom() async {}
    func isFileGone() async -> Bool { false }
    func isFileBroken() async -> Bool { false }
}

/// One moment of the committed rows.
protocol BackendSnapshot: Sendable {
    func read<Value: Sendable>(_ body: @escaping MetadataBody<Value>) async throws(MetadataError) -> Value
}
