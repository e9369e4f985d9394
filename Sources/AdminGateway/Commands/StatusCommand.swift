import ArgumentParser
import Foundation

/// `cairn admin status`.
package struct StatusCommand: AdminSubcommand {
    package static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how the store is, and what to do if something is wrong."
    )

    @OptionGroup package var target: AdminTarget
    @Flag(help: "Print everything as JSON.")
    var json = false

    package init() {}

    package func perform(_ client: AdminClient) throws -> String {
        let report = try client.status()
        return json ? try JSONText.text(report) : StatusText.text(report)
    }
}

/// JSON for programs: keys sorted, so that two outputs can be compared.
enum JSONText {
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
