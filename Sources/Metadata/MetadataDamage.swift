package import ObjectInterface
import Synchronization

/// What was found wrong with the rows, by whoever met it first: the store goes on for what is sound, nothing that is
/// only inferred from rows may be acted on.
final class MetadataDamage: Sendable {
    private let found = Mutex<String?>(nil)
    private let isFileGone = Atomic(false)

    private static let gone = "its file was removed or replaced beneath the server, and the next start will not find it"

    var text: String? { found.withLock { $0 } ?? (isFileGone.load(ordering: .relaxed) ? Self.gone : nil) }

    func note(_ error: MetadataError) {
        switch error {
        case .corrupt(let what), .broken(let what): found.withLock { $0 = $0 ?? what }
        default: return
        }
    }

    func note(isFileGone: Bool) { self.isFileGone.store(isFileGone, ordering: .relaxed) }
}

/// Where a walk through all rows has come to.
package struct RowPlace: Hashable, Sendable {
    var table: MetadataTable
    /// The next row's, or where it would be.
    var key: RowKey

    /// The first row of all.
    package static let first = RowPlace(table: .meta, key: [])
}

extension JournaledMetadataStore {
    package var damage: String? { damageFound.text }

    package func isFileGone() async -> Bool {
        let isGone = await backend.isFileGone()
        damageFound.note(isFileGone: isGone)
        return isGone
    }

    package func checkRows(from place: RowPlace, limit: Int) async throws(StorageError) -> RowPlace? {
        try await read { (view) throws(MetadataError) in
            let rows = try view.tables.rows(place.table, from: place.key, limit: limit)
            if rows.count == limit, let last = rows.last { return RowPlace(table: place.table, key: last.key.next) }
            let next = MetadataTable(rawValue: place.table.rawValue + 1)
            return next.map { RowPlace(table: $0, key: []) }
        }
    }
}
