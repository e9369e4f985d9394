import GRDB
import GRDBSQLite

/// The open file of a database, below all caches of its pages.
struct SQLiteFile {
    private let file: UnsafeMutablePointer<sqlite3_file>
    private let methods: sqlite3_io_methods

    /// nil when the database has no file. To be used on the connection's thread only.
    init?(_ database: Database) {
        var file: UnsafeMutablePointer<sqlite3_file>?
        let code = sqlite3_file_control(database.sqliteConnection, "main", SQLITE_FCNTL_FILE_POINTER, &file)
        guard code == SQLITE_OK, let file, let methods = file.pointee.pMethods else { return nil }
        self.file = file
        self.methods = methods.pointee
    }

    /// Whether it does not begin as a database does, or ends before the end that its header tells
    /// (https://www.sqlite.org/fileformat.html, 1.3). A header that the medium does not give says nothing.
    var isBroken: Bool {
        var header = [UInt8](repeating: 0, count: Self.headerLength)
        let code = methods.xRead(file, &header, Int32(header.count), 0)
        if code == Self.shortRead { return true }
        guard code == SQLITE_OK else { return false }
        guard header.starts(with: Self.magic) else { return true }
        var length: sqlite3_int64 = 0
        guard methods.xFileSize(file, &length) == SQLITE_OK else { return false }
        let pageSize = Self.number(header[16..<18])
        return length < Self.number(header[28..<32]) * (pageSize == 1 ? 1 << 16 : pageSize)
    }

    private static let headerLength = 100
    private static let magic = Array("SQLite format 3\0".utf8)
    /// SQLITE_IOERR_SHORT_READ, which is no constant in Swift.
    private static let shortRead = SQLITE_IOERR | 2 << 8

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int64 { bytes.reduce(0) { $0 << 8 | Int64($1) } }
}
