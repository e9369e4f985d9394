import Foundation

/// Runs `body` with the path of a new, empty directory, which is removed with all it holds when `body` ends.
///
/// Under `CAIRN_TEST_DIRECTORY` if that is set, else in the system's temporary directory. The name is drawn by
/// mkdtemp(3), so that tests of many processes never meet.
package func withTemporaryDirectory<Value>(
    _ label: String = "test",
    _ body: (String) async throws -> Value
) async throws -> Value {
    let parent = ProcessInfo.processInfo.environment["CAIRN_TEST_DIRECTORY"] ?? NSTemporaryDirectory()
    var template = Array("\(parent)/cairn-\(label)-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
        throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: parent])
    }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}
